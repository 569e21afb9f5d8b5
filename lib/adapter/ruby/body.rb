# frozen_string_literal: true

module PhusionPassenger
  # The other side of a connection went away, or broke the protocol.
  class ClientGone < EOFError
  end

  # A request's body as it comes from the connection, with its framing removed:
  # of a known length, or in HTTP/1.1 chunks.
  class Body
    PIECE = 65_536 # bytes at most in one read
    LONGEST_LINE = 8192

    # length is nil for a chunked body.
    def initialize(connection, length)
      @connection = connection
      @chunked = length.nil?
      @length = length
      @left = length || 0 # bytes until the end of the body, or of the chunk
      @ended = length == 0
      @reading = false # a thread of the app, or we, wait for more of it
      @over = false # the response was sent; what the app did not read is gone
    end

    # How many bytes it has, nil while that is unknown.
    attr_reader :length

    # Returns 1 to max bytes, nil at the body's end. Raises ClientGone if it
    # does not come whole, IOError if it is drained.
    def read_some(max = PIECE)
      raise IOError, "the request was answered before its body was read" if @over

      @reading = true
      next_part(max)
    ensure
      @reading = false
    end

    # Reads what the app left, at most limit bytes and seconds. Returns whether
    # the body is at its end, and so the connection of further use: one of which
    # a thread of the app still reads is not, it could get the next request.
    def drain(limit, seconds)
      return false if @reading
      return true if @ended

      @over = true
      deadline = Process.clock_gettime(Process::CLOCK_MONOTONIC) + seconds
      until @ended
        return false if limit <= 0

        wait = deadline - Process.clock_gettime(Process::CLOCK_MONOTONIC)
        return false if wait < 0 || !@connection.wait(wait)

        limit -= (next_part(PIECE) || break).bytesize
      end
      true
    end

    private

    def next_part(max)
      return if @ended
      return if @left == 0 && !next_chunk

      part = @connection.take(max < @left ? max : @left)
      @left -= part.bytesize
      if @left == 0
        @chunked ? end_of_chunk : @ended = true
      end
      part
    end

    def next_chunk
      @left = chunk_size(line)
      return true if @left > 0

      nil until line.empty? # trailers
      @ended = true
      false
    end

    def chunk_size(line)
      hex = line[/\A\h{1,15}(?=\s*(;|\z))/] or raise ClientGone, "bad chunk size in the request's body"
      hex.to_i(16)
    end

    def end_of_chunk
      raise ClientGone, "bad end of chunk in the request's body" unless line.empty?
    end

    def line
      @connection.take_line(LONGEST_LINE)
    end
  end
end
