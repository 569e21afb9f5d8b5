# frozen_string_literal: true

module PhusionPassenger
  # rack.hijack of one request: what an app keeps of it has no hold on the
  # requests that follow on the connection.
  class Hijack
    # The thread that answers the request.
    attr_reader :thread

    def initialize(connection)
      @connection = connection
      @thread = Thread.current
    end

    # Returns the connection, which is the app's from then on.
    def call
      @connection.hijack(self)
    end
  end
end
