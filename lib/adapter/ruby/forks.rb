# frozen_string_literal: true

module PhusionPassenger
  # Processes that the app forks while it loads or answers: they have copies of
  # our sockets, and must neither hold them open nor answer on them. Such a child
  # lets go of them at once, and ends where its process would go on serving.
  # What the app starts by system, spawn or exec has none of them anyway.
  module Forks
    # Raised where a child would write to a connection of its parent.
    class Child < Exception # rubocop:disable Lint/InheritException
    end

    # What every way to fork goes through, since Ruby 3.1.
    module Hook
      def _fork
        Forks.forking
        pid = super
        Forks.forked if pid == 0
        pid
      end
    end

    # The same for older Rubies. What does not come this way, such as
    # IO.popen("-"), is found out by the pid when the child meets us; to ask for
    # that takes a system call.
    module OldHook
      def fork
        if block_given?
          super do
            Forks.forked
            yield
          end
        else
          pid = super()
          Forks.forked unless pid
          pid
        end
      end
    end

    # It forks without the hook, and only the child returns.
    module DaemonHook
      def daemon(*)
        result = super
        Forks.forked
        result
      end
    end

    @holders = []
    @child = @by_pid = false
    @pid = Process.pid

    class << self
      # Has each fork noticed from now on.
      def watch
        Process.singleton_class.prepend(DaemonHook)
        return Process.singleton_class.prepend(Hook) if Process.respond_to?(:_fork)

        @by_pid = true
        [Process.singleton_class, Kernel.singleton_class, Object].each { |place| place.prepend(OldHook) }
      end

      # Calls let_go of these in a child.
      def holders=(holders)
        @holders = holders
      end

      # Forks of ours in the block are no children: they go on in our place.
      def ours
        @ours = Thread.current
        yield
      ensure
        @ours = nil
      end

      # This process has taken the place of the one that forked it.
      def settle
        @pid = Process.pid
      end

      # From now on a child is also found out by its pid: a signal may raise in it
      # before it is told that it is one.
      def forking
        @by_pid = true unless @ours.equal?(Thread.current)
      end

      # Called in a child, maybe more than once.
      def forked
        return if @ours.equal?(Thread.current)

        @child = true
        holders = @holders
        @holders = []
        holders.each(&:let_go)
      rescue StandardError => e # the app is not to blame
        warn "passenger: in a forked process: #{e.full_message(highlight: false)}"
      end

      # Whether this process is a child.
      def child?
        forked if @by_pid && Process.pid != @pid
        @child
      end

      # Ends a child as the block of a fork ends: with the app's exit status and
      # its handlers of at_exit.
      def leave(error = nil)
        raise error if error.is_a?(SystemExit) || error.is_a?(SignalException)

        exit(error.nil? || error.is_a?(Child))
      end
    end
  end
end
