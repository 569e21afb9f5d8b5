# frozen_string_literal: true

module PhusionPassenger
  # Forks a process for each order that the spawner sends. An order is a packet
  # with five descriptors, and is answered with one packet, when the forked
  # process exists or cannot.
  class Preloader
    DESCRIPTORS = 5 # stdout, stderr, listening socket, notify socket, gate
    FORK_SECONDS = 30 # for hooks that the app's libraries have in fork

    # An order. The gate is where the spawner learns who the forked process is,
    # and lets it go on.
    Order = Struct.new(:id, :stdout, :stderr, :listener, :notify, :gate) do
      def close
        [stdout, stderr, listener, notify, gate].each(&:close)
      end
    end

    def initialize(contract)
      @contract = contract
      @channel = Socket.for_fd(contract.socket)
      @channel.autoclose = false # a forked process has something else there
      @pid = Process.pid
    end

    # Serves orders until the spawner closes its end or asks us to go. Returns
    # in each forked process, when it is to go on and its contract is its own.
    def run
      hold_signals
      loop do
        order = next_order or next
        error = begin
          fork_twice or return become(order)
        rescue Exception => e # a hook's too
          exit!(1) unless Process.pid == @pid
          "cannot fork: #{e.message}"
        end
        order.close
        answer(order.id, error)
      end
    end

    private

    # Until a forked process has handlers of its own, a signal to it ends it as
    # it ends the preloader: at once and without at_exit.
    def hold_signals
      @handlers = %w[TERM INT].map { |name| [name, trap(name) { exit!(0) }] }
    end

    def next_order
      packet, _, _, *controls = @channel.recvmsg(4096, scm_rights: true)
      exit!(0) if packet.nil? || packet.empty?

      descriptors = controls.flat_map { |control| control.unix_rights || [] }
      id = packet[/"id"\s*:\s*"([^"\\]+)"/, 1]
      return Order.new(id, *descriptors) if id && descriptors.size == DESCRIPTORS

      descriptors.each(&:close)
      answer(id, "an order has an id and #{DESCRIPTORS} descriptors, this one has #{descriptors.size}")
      nil
    rescue Errno::ECONNRESET
      exit!(0)
    end

    def answer(id, error)
      error = ",\"error\":#{Text.quote(error)}" unless error.empty?
      @channel.send("{\"id\":#{Text.quote(id)}#{error}}", 0)
    rescue SystemCallError
      nil # the spawner is gone: the next read says so
    end

    # Forks a process whose parent is not we: of the one in between, which exits
    # at once, the spawner inherits it. Returns nil in the forked process; in
    # the preloader what went wrong, or an empty string.
    def fork_twice
      reading, writing = IO.pipe
      between = Process.fork
      return fork_between(reading, writing) unless between

      writing.close
      return reading.read if IO.select([reading], nil, nil, FORK_SECONDS)

      Process.kill(:KILL, between)
      "cannot fork: no answer in #{FORK_SECONDS} s: a hook that a library has in fork hangs"
    ensure
      reading.close if reading && between
      reap(between) if between
    end

    def fork_between(reading, writing)
      reading.close
      exit!(0) if Process.fork
      writing.close
      nil
    rescue Exception => e # a hook's too
      writing.syswrite("cannot fork: #{e.message}")
      exit!(1)
    end

    def reap(pid)
      Process.wait(pid)
    rescue SystemCallError
      nil # the app ignores SIGCHLD, so that the kernel has reaped it
    end

    # Makes the forked process one of its own.
    def become(order)
      Process.setsid
      STDOUT.reopen(IO.for_fd(order.stdout.fileno, "w", autoclose: false))
      STDERR.reopen(IO.for_fd(order.stderr.fileno, "w", autoclose: false))
      STDOUT.sync = STDERR.sync = true
      @contract.replace(order.listener, order.notify)
      wait_at(order.gate)
      order.close
      @handlers.each { |name, handler| trap(name, handler || "DEFAULT") }
    end

    # An end without the spawner's word means that it is gone.
    def wait_at(gate)
      gate.syswrite("h")
      exit!(0) unless gate.sysread(1) == "g"
    rescue EOFError, SystemCallError
      exit!(0)
    end
  end
end
