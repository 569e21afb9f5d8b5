# frozen_string_literal: true

module PhusionPassenger
  # What the spawner hands to this process: a socket, and a datagram socket on
  # which to report.
  class Contract
    FIRST_LISTENER = 3 # as systemd's sd_listen_fds(3) has it

    NAMES = %w[LISTEN_FDS LISTEN_PID LISTEN_FDNAMES NOTIFY_SOCKET PASSENGER_NOTIFY_FD PASSENGER_PRELOADER_FD
               PASSENGER_THREADS PASSENGER_WARM_UP PASSENGER_YJIT].freeze

    # Takes what belongs to the contract out of env, so that neither the app
    # nor its children take it for theirs.
    def self.take(env)
      taken = NAMES.map { |name| [name, env.delete(name)] }.to_h
      channel = taken["PASSENGER_PRELOADER_FD"]
      return new(Integer(channel), taken) if channel
      return new(FIRST_LISTENER, taken) if taken["LISTEN_FDS"] == "1" && taken["LISTEN_PID"] == Process.pid.to_s

      abort "rack.rb: no listening socket: start it through passenger-spawn"
    end

    # The descriptor of the listening socket; in a preloader, of the socket on
    # which its orders come.
    attr_reader :socket

    # How many threads are to call the app.
    attr_reader :threads

    # The paths that a preloader asks the app for.
    attr_reader :warm_up

    # What the settings say of Ruby's compiler, nil if nothing.
    attr_reader :yjit

    def initialize(socket, taken)
      @socket = socket
      @threads = (taken["PASSENGER_THREADS"] || 1).to_i
      @warm_up = taken["PASSENGER_WARM_UP"].to_s.split("\n")
      @yjit = taken["PASSENGER_YJIT"]
      notify = taken["PASSENGER_NOTIFY_FD"]
      @holder = IO.for_fd(socket, autoclose: false)
      @holder.close_on_exec = true
      return unless notify

      @notify = IO.for_fd(Integer(notify), "w")
      @notify.close_on_exec = true
    end

    # All descriptors that are ours.
    def descriptors
      [@socket, @notify && @notify.fileno].compact
    end

    # Puts other sockets on the descriptors: those of a forked process.
    def replace(socket, notify)
      @holder.reopen(socket)
      @notify ? @notify.reopen(notify) : @notify = notify
    end

    # Closes what a child of the app has of it.
    def let_go
      @holder.autoclose = true # else closing leaves the descriptor open
      [@holder, @notify].compact.each(&:close)
      @notify = nil
    end

    # Sends one datagram. If no spawner listens, that is no failure: another may
    # have taken its place, and the app serves on.
    def notify(message)
      @notify.syswrite(message) if @notify
    rescue SystemCallError
      nil
    end
  end
end
