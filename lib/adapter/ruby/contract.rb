# frozen_string_literal: true

module PhusionPassenger
  # What the spawner hands to this process: a listening socket, and a datagram
  # socket on which to report.
  class Contract
    FIRST_LISTENER = 3 # as systemd's sd_listen_fds(3) has it

    # Takes what belongs to the contract out of env, so that neither the app
    # nor its children take it for theirs.
    def self.take(env)
      fds = env.delete("LISTEN_FDS")
      pid = env.delete("LISTEN_PID")
      notify = env.delete("PASSENGER_NOTIFY_FD")
      env.delete("LISTEN_FDNAMES")
      env.delete("NOTIFY_SOCKET")
      unless fds == "1" && pid == Process.pid.to_s
        abort "rack.rb: no listening socket: start it through passenger-spawn"
      end
      new(FIRST_LISTENER, notify)
    end

    attr_reader :listener

    def initialize(listener, notify)
      @listener = listener
      IO.for_fd(listener, autoclose: false).close_on_exec = true
      return unless notify

      @notify = IO.for_fd(Integer(notify), "w")
      @notify.close_on_exec = true
    end

    # Sends one datagram. That nobody listens is no failure: the spawner may
    # have been replaced, and the app serves on.
    def notify(message)
      @notify.syswrite(message) if @notify
    rescue SystemCallError
      nil
    end
  end
end
