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

    # Orders come on channel; by default on the contract's socket.
    def initialize(contract, channel = nil)
      @contract = contract
      @channel = channel || Socket.for_fd(contract.socket)
      @channel.autoclose = false # a forked process has something else there
      @pid = Process.pid
    end

    # Serves orders until the spawner closes its end or asks us to go. Returns
    # in each forked process, when it is to go on and its contract is its own:
    # the gate if it is kept, else nil.
    def run
      hold_signals
      loop do
        order = next_order { exit!(0) } or next
        return become(order) if forked?(order)
      end
    end

    # Serves one order that came to a process through the gate that it has kept.
    # Returns :promoted in the forked process, which is to be a preloader;
    # otherwise :ended if there will be no more orders, else :serving.
    def promote
      order = next_order { return :ended } or return :serving
      return :serving unless forked?(order)

      trap("TERM", "DEFAULT") # that of the server has no effect any more
      hold_signals
      become(order)
      :promoted
    end

    private

    # Until a forked process has handlers of its own, a signal to it ends it as
    # it ends the preloader: at once and without at_exit.
    def hold_signals
      @handlers = %w[TERM INT].map { |name| [name, trap(name) { exit!(0) }] }
    end

    # Yields at the end of the orders. Returns nil for one that is none.
    def next_order
      packet, _, _, *controls = @channel.recvmsg(4096, scm_rights: true)
      return yield if packet.nil? || packet.empty?

      descriptors = controls.flat_map { |control| control.unix_rights || [] }
      id = packet[/"id"\s*:\s*"([^"\\]+)"/, 1]
      return Order.new(id, *descriptors) if id && descriptors.size == DESCRIPTORS

      descriptors.each(&:close)
      answer(id, "an order has an id and #{DESCRIPTORS} descriptors, this one has #{descriptors.size}")
      nil
    rescue Errno::ECONNRESET
      yield
    end

    # Returns whether this is the process that was forked for the order.
    def forked?(order)
      error = begin
        fork_twice or return true
      rescue Exception => e # a hook's too
        exit!(1) unless Process.pid == @pid
        "cannot fork: #{e.message}"
      end
      order.close
      answer(order.id, error)
      false
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
      between = Forks.ours { Process.fork }
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
      exit!(0) if Forks.ours { Process.fork }
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

    # Makes the forked process one of its own. Returns the gate if the spawner
    # wants it kept, else nil.
    def become(order)
      Forks.settle
      Process.setsid
      STDOUT.reopen(IO.for_fd(order.stdout.fileno, "w", autoclose: false))
      STDERR.reopen(IO.for_fd(order.stderr.fileno, "w", autoclose: false))
      STDOUT.sync = STDERR.sync = true
      @contract.replace(order.listener, order.notify)
      gate = order.gate.dup if wait_at(order.gate) == "k"
      order.close
      @handlers.each { |name, handler| trap(name, handler || "DEFAULT") }
      gate
    end

    # Returns the spawner's word: "g", go on; or "k", and keep the gate. An end
    # without it means that the spawner is gone.
    def wait_at(gate)
      gate.syswrite("h")
      word = gate.sysread(1)
      %w[g k].include?(word) ? word : exit!(0)
    rescue EOFError, SystemCallError
      exit!(0)
    end
  end
end
