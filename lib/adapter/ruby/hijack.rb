# frozen_string_literal: true

module PhusionPassenger
  # rack.hijack of one request: what an app keeps of it has no hold on the
  # requests that follow on the connection.
  class Hijack
    def initialize(connection)
      @connection = connection
    end

    # Returns the connection, which is the app's from then on.
    def call
      @connection.hijack(self)
    end
  end

  # rack.early_hints of one request, which its hijack stands for.
  class EarlyHints
    def initialize(connection, hijack)
      @connection = connection
      @hijack = hijack
    end

    def call(headers)
      @connection.early_hints(@hijack, headers)
    end
  end
end
