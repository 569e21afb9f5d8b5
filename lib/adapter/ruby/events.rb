# frozen_string_literal: true

# The part of Passenger's Ruby interface that apps and gems use: they ask
# whether this constant is defined, and hook into a process's start and end.
module PhusionPassenger
  @callbacks = Hash.new { |hash, event| hash[event] = [] }

  class << self
    # Calls the block when event happens in this process:
    #
    # :starting_worker_process, with one argument: whether the process was
    # forked from one that had loaded the app. It is called when the app is
    # loaded and before the first request.
    #
    # :stopping_worker_process, after the last request.
    #
    # Other names are accepted and never happen.
    def on_event(event, &block)
      @callbacks[event.to_sym] << block if block
    end

    # Calls what was registered for event. One callback's error is reported
    # and keeps no other from being called.
    def call_event(event, *args)
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
