# frozen_string_literal: true

module PhusionPassenger
  # Takes the app's place for what is no request: the pool says that this
  # process has time now to work out of band, such as to collect garbage.
  module OutOfBand
    # No client can send a variable of this name: theirs begin with HTTP_.
    KEY = "PASSENGER_OOB_WORK"
    NONE = "0" # who asks wants to know whether a thread is free

    def self.call(env)
      PhusionPassenger.call_event_quietly(:oob_work) unless env[KEY] == NONE
      [200, { "content-type" => "text/plain" }, []]
    end
  end
end
