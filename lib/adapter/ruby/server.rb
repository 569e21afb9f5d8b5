# frozen_string_literal: true

module PhusionPassenger
  # Accepts connections and serves them, one request at a time and all in the
  # main thread. Each connection on which something has arrived gets one
  # request in turn, so that none starves the others.
  class Server
    NONBLOCK = File::NONBLOCK
    F_GETFL = 3 # the same everywhere; the library that names them is a gem
    F_SETFL = 4
    STAY_IN_ALL = 0.01 # seconds without a look at the other connections

    # Raised by the signal's trap while we wait, and only then.
    class Stop < Exception # rubocop:disable Lint/InheritException
    end

    def initialize(listener, app, rack)
      @listener = listener
      @app = app
      @shapes = Shapes.new(rack, multithread?)
      @connections = {}.compare_by_identity # by IO
      @others = {}.compare_by_identity # what to call, by IO
      @watched = [listener]
      @buffered = [] # IOs whose connection has a further request in its buffer
      @stopping = false
      @waiting = false
    end

    # Whether this process is to finish its request and go.
    def stopping?
      @stopping
    end

    # Has the block called, between two requests, when there is something to
    # read from io, until it returns false.
    def watch(io, &block)
      @watched << io
      @others[io] = block
    end

    # Closes what a process has of it that was forked to be a preloader.
    def abandon
      @connections.each_value(&:close)
    end

    # Closes what a child of the app has of it; the listening socket is the
    # contract's. The signals that it gets are its own.
    def let_go
      @waiting = false
      previous = trap("TERM", "DEFAULT")
      trap("TERM", previous) unless previous.equal?(@on_term)
      @connections.each_value(&:let_go)
      @others.each_key(&:close)
    end

    # Called when the app takes a connection over.
    def taken_over; end

    # Whether several threads call the app at once.
    def multithread?
      false
    end

    # SIGTERM stops run.
    def trap_signals
      @on_term = proc do
        @stopping = true
        raise Stop if @waiting
      end
      trap("TERM", @on_term)
    end

    # Serves until SIGTERM. What has arrived on an open connection by then is
    # still answered; nothing is accepted any more.
    def run
      turn until @stopping
      finish
    rescue Stop
      finish
    end

    private

    def turn
      ready = wait(@buffered.empty? ? nil : 0)
      again = @buffered
      @buffered = [] unless again.empty?
      io = only(again, ready)
      return serve_alone(io, !again.empty?) if io

      again.each { |buffered| serve(buffered, true) }
      ready.each do |io|
        if io.equal?(@listener)
          accept
        elsif @others.key?(io)
          call_other(io)
        elsif !again.include?(io)
          serve(io, false)
        end
      end
    end

    # Returns the IO of the connection that alone has a request, nil if there is
    # none, or something else to do.
    def only(again, ready)
      return if again.size + ready.size > 1 && !(again.size == 1 && ready == again)

      io = again[0] || ready[0]
      io if @connections.key?(io)
    end

    # Serves the one connection that has a request, and what has gone ahead on it
    # meanwhile; the others are looked at now and then.
    def serve_alone(io, buffered)
      outcome = answer(io, buffered)
      over = now + STAY_IN_ALL if outcome == :more
      outcome = answer(io, true) while outcome == :more && !@stopping && now < over
      settle(io, outcome)
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def call_other(io)
      return if @others[io].call

      @others.delete(io)
      @watched.delete(io)
    end

    # Returns the IOs to read from.
    def wait(seconds)
      @waiting = true
      raise Stop if @stopping

      ready, = IO.select(@watched, nil, nil, seconds)
      @waiting = false
      ready || []
    end

    def accept
      io = @listener.accept_nonblock(exception: false)
      return if io == :wait_readable

      # A request is read and written in one call each, which may wait.
      io.fcntl(F_SETFL, io.fcntl(F_GETFL, 0) & ~NONBLOCK)
      @connections[io] = Connection.new(io, self, @app, @shapes)
      @watched << io
    rescue Errno::ECONNABORTED, Errno::EINTR
      nil
    rescue SystemCallError => e # out of descriptors or memory; the connection waits on
      warn "cannot accept a connection: #{e.message}"
      sleep 0.1
    end

    def serve(io, buffered)
      settle(io, answer(io, buffered)) if @connections.key?(io)
    end

    # Answers a request of io. Returns what Connection#serve does.
    def answer(io, buffered)
      connection = @connections[io]
      buffered ? connection.serve_buffered : connection.serve
    end

    # Does what is due when a request of io was served.
    def settle(io, outcome)
      case outcome
      when :open then nil
      when :more then @buffered << io
      when :released then forget(io)
      else forget(io)&.close
      end
    end

    def forget(io)
      @watched.delete(io)
      @connections.delete(io)
    end

    def finish
      @waiting = false
      ready, = IO.select(@connections.keys, nil, nil, 0)
      (@buffered | (ready || [])).each { |io| serve(io, @buffered.include?(io)) }
    end
  end
end
