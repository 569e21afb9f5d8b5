# frozen_string_literal: true

module PhusionPassenger
  # What the app has left in a preloader that forked processes cannot use:
  # threads, which they lack, and connections, which they would share.
  module Findings
    # Threads that their libraries start anew in a forked process, or that only
    # tidy up.
    HARMLESS = %r{/(timeout|active_record/connection_adapters/.*|concurrent/atomic/ruby_thread_local_var)\.rb:\d+}

    class << self
      # One sentence for each; those of connections need the socket library.
      # own are descriptors that are ours.
      def all(own)
        threads + connections(own)
      end

      private

      def threads
        others = Thread.list - [Thread.current]
        others.reject { |thread| harmless?(thread) }.map do |thread|
          place = thread.inspect[/\S+:\d+(?= [\w-]+>\z)/] # Ruby keeps it nowhere else
          place = place.split("@", 2).last if thread.name
          "the thread #{thread.name.inspect if thread.name}".rstrip +
            "#{" started at #{place}" if place} will not run in the processes that are forked"
        end
      end

      def harmless?(thread)
        thread.thread_variable_get(:fork_safe) || thread.inspect.match?(HARMLESS)
      end

      # Also those that an extension in C has opened.
      def connections(own)
        numbers = Dir.children("/dev/fd").map(&:to_i) - own
        numbers.sort.map { |number| peer(number) }.compact.map do |peer|
          "the connection to #{peer} will be shared by the processes that are forked; " \
            "close it in PhusionPassenger.on_event(:before_fork)"
        end
      end

      # The address that a descriptor connects to, nil if to none.
      def peer(number)
        socket = Socket.for_fd(number)
        socket.autoclose = false
        address = socket.remote_address
        return address.inspect_sockaddr unless address.unix?

        address.unix_path.empty? ? nil : address.unix_path # a pair has no path, and no other side
      rescue ArgumentError, SystemCallError
        nil # not a socket, or not connected
      end
    end
  end
end
