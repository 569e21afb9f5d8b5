# frozen_string_literal: true

# The part of Passenger's Ruby interface that apps and gems use: they ask
# whether this constant is defined, and hook into a process's start and end.
module PhusionPassenger
  @callbacks = Hash.new { |hash, event| hash[event] = [] }

  class << self
    # How many requests this process can take at once, if the app knows better
    # than the settings. Set it while the app loads, or in a callback for
    # :starting_worker_process.
    attr_accessor :advertised_concurrency_level

    # Calls the block when event happens in this process:
    #
    # :before_fork, in a preloader, once: the app is loaded, and processes will
    # be forked. What they cannot share can be closed here.
    #
    # :starting_worker_process, with one argument: whether the process was
    # forked from one that had loaded the app. It is called when the app is
    # loaded and before the first request. An error in it is a failed start.
    #
    # :after_installing_signal_handlers, after our handler for SIGTERM was
    # installed.
    #
    # :starting_request_handler_thread, in each thread that will call the app.
    #
    # :stopping_worker_process, after the last request.
    #
    # :oob_work, when the process has time without requests, for which a response
    # of it asked with the header "!~Request-OOB-Work".
    #
    # Other names are accepted and never happen.
    def on_event(event, &block)
      @callbacks[event.to_sym] << block if block
    end

    # Calls what was registered for event.
    def call_event(event, *args)
      @callbacks[event].each { |callback| callback.call(*args) }
    end

    # call_event where it is too late to fail: one callback's error is reported
    # and keeps no other from being called.
    def call_event_quietly(event, *args)
      @callbacks[event].each do |callback|
        begin
          callback.call(*args)
        rescue StandardError => e
          warn "in the callback for #{event}: " + e.full_message(highlight: false)
        end
      end
    end
  end
end
