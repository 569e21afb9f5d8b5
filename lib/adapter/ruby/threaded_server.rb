# frozen_string_literal: true

module PhusionPassenger
  # A Server whose requests are answered by several threads. The main thread
  # waits for all connections and hands out those on which a request has
  # arrived, in this order; so there may be more of them than threads.
  class ThreadedServer < Server
    def initialize(listener, app, rack, threads)
      super(listener, app, rack)
      @count = threads
      @todo = Queue.new # [connection, whether a request is in its buffer]
      @lock = Mutex.new # guards @threads
      @done = Queue.new # [IO, what Connection#serve returned]
      @woken, @waker = IO.pipe # a byte for what is done
      @watched << @woken
    end

    def multithread?
      true
    end

    def let_go
      super
      [@woken, @waker].each(&:close)
    end

    # The thread may stay with the connection; another one takes its place.
    def taken_over
      @lock.synchronize do
        thread = Thread.current
        next if @todo.closed? || replaced?(thread) || !@threads.include?(thread)

        replace(thread)
      end
    end

    def run
      @lock.synchronize { @threads = Array.new(@count) { Thread.new { work } } }
      super
    ensure
      @over = true
    end

    private

    def work
      # An error in the app is the connection's to handle; any other is ours,
      # and a process without its threads is of no use.
      Thread.current.abort_on_exception = true
      PhusionPassenger.call_event_quietly(:starting_request_handler_thread)
      while !replaced?(Thread.current) && (connection, buffered = @todo.pop)
        serve_one(connection, buffered)
      end
      finished = true
    ensure
      go_on_without(Thread.current) unless finished || Forks.child?
    end

    # The app may end the thread, and so the request.
    def serve_one(connection, buffered)
      outcome = :closed
      outcome = buffered ? connection.serve_buffered : connection.serve
    ensure
      unless Forks.child?
        @done << [connection.to_io, outcome]
        @waker.write_nonblock(".", exception: false) # full is as good
      end
    end

    # Has another thread take the place of one that the app ended. When the
    # process exits, all are.
    def go_on_without(thread)
      @lock.synchronize { replace(thread) unless @over || replaced?(thread) }
    end

    def replace(thread)
      thread.thread_variable_set(:passenger_replaced, true)
      @threads.select!(&:alive?)
      @threads << Thread.new { work }
    end

    def replaced?(thread)
      thread.thread_variable_get(:passenger_replaced)
    end

    def turn
      wait(nil).each do |io|
        if io.equal?(@listener)
          accept
        elsif io.equal?(@woken)
          take_back
        elsif @others.key?(io)
          call_other(io)
        else
          hand_out(io, false)
        end
      end
    end

    # From here until it is taken back, only one thread touches the connection.
    def hand_out(io, buffered)
      @watched.delete(io)
      @todo << [@connections[io], buffered]
    end

    def take_back
      @woken.read_nonblock(4096, exception: false)
      settle(*@done.pop) until @done.empty?
    end

    def settle(io, outcome)
      case outcome
      when :open then @watched << io
      when :more then hand_out(io, true)
      else super
      end
    end

    def finish
      @waiting = false
      ready, = IO.select(@watched & @connections.keys, nil, nil, 0)
      (ready || []).each { |io| hand_out(io, false) }
      @todo.close
      while (thread = @lock.synchronize { @threads.shift }) # one that the app ends now is replaced before
        thread.join
      end
    end
  end
end
