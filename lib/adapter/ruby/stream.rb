# frozen_string_literal: true

module PhusionPassenger
  # What a streaming body (Rack 3) or a partial hijack writes its response to:
  # the connection, with the chunked coding around what is written, so that the
  # other side can tell a whole response from one that broke off. It may be
  # used from another thread after the app has returned.
  class Stream
    def initialize(connection, input)
      @connection = connection
      @input = input
      @write_closed = false
      @detached = false
    end

    def read(*args)
      @input.read(*args)
    end

    def read_nonblock(length, out = nil, exception: true)
      data = @input.read(length, out)
      raise EOFError, "end of the request's body" if data.nil? && exception

      data
    end

    def write(*parts)
      raise IOError, "closed stream" if @write_closed

      parts.each { |part| @connection.write_chunk(part.to_s) }
      parts.sum { |part| part.to_s.bytesize }
    end
    alias syswrite write

    def write_nonblock(part, **)
      write(part)
    end

    def <<(part)
      write(part)
      self
    end

    def flush
      self
    end

    def sync
      true
    end

    def sync=(_); end

    def close_read; end

    # Ends the response.
    def close_write
      return if @write_closed

      @write_closed = true
      @connection.write_last_chunk
    end

    def close
      close_write
    rescue ClientGone
      nil
    ensure
      @connection.close if @detached
    end

    def closed?
      @write_closed
    end

    def to_io
      @connection.to_io
    end

    # From now on the connection is the stream's: it goes when the stream is
    # closed.
    def detach
      @detached = true
      @connection.close if @write_closed # by another thread, just now
    end
  end
end
