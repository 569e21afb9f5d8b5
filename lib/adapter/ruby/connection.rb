# frozen_string_literal: true

module PhusionPassenger
  # A proxy's connection: reads sessions from it, one after the other, has each
  # answered by the app, and knows when it is of no further use.
  class Connection
    READ_SIZE = 16_384       # holds most requests, with a small body
    MAX_HEAD = 1 << 20       # bytes of a request's header block
    MAX_FIELDS = 4000        # of a header block; they are passed on as arguments of one call
    DRAIN_BYTES = 262_144    # of a body that the app did not read
    DRAIN_SECONDS = 1.0
    NUL = "\0"
    COMMA = 44
    PLUS = 43 # before the names: another request may follow before the answer is complete
    LENGTH = "CONTENT_LENGTH"

    # shapes makes env.
    def initialize(io, server, app, shapes)
      @io = io
      @server = server
      @app = app
      @shapes = shapes
      @response = Response.new(self, io)
      @buffer = String.new(capacity: READ_SIZE)
      @empty = true # the buffer holds nothing of use
      @hijack = nil # the request's, while the app may use it
      @hijacked = nil # the same, once it has
    end

    def to_io
      @io
    end

    # Reads what has arrived and answers the first request in it. Returns :open
    # if more is to come, :more if something is buffered already, :closed if
    # this was the end, and :released if the connection is now the app's.
    def serve
      fill
      serve_buffered
    rescue EOFError, Errno::ECONNRESET, Errno::EPIPE
      :closed
    end

    # serve without reading.
    def serve_buffered
      env = next_request or return :open
      answer(env)
    rescue EOFError, Errno::ECONNRESET
      :closed
    end

    # Returns 1 to max bytes of a body.
    def take(max)
      return @io.sysread(max) if @empty
      return @buffer.slice!(0, max) if max < @buffer.bytesize

      @empty = true
      part = @buffer
      @buffer = String.new
      part
    rescue EOFError, SystemCallError
      raise ClientGone, "the client went away before the request's body was whole"
    end

    # Returns the next line of a body's framing without its CR LF.
    def take_line(max)
      until !@empty && (i = @buffer.index("\r\n"))
        raise ClientGone, "line too long in the request's body" if !@empty && @buffer.bytesize > max

        fill
      end
      line = @buffer.slice!(0, i + 2)
      @empty = @buffer.empty?
      line.chomp!("\r\n")
    rescue EOFError, SystemCallError
      raise ClientGone, "the client went away before the request's body was whole"
    end

    # Waits until there is something to read. Returns false if there is not.
    def wait(seconds)
      !@empty || !IO.select([@io], nil, nil, seconds).nil?
    end

    def write_chunk(part)
      @response.write_chunk(part)
    end

    def write_last_chunk
      @response.write_last_chunk
    end

    def stopping?
      @server.stopping?
    end

    def close
      @io.close
    rescue SystemCallError
      nil
    end

    # Closes what a child of the app has of it, unless the app has taken it over.
    def let_go
      close unless @hijacked || @response.partial?
    end

    # rack.hijack: the app takes over the connection, before its response
    # begins; later the other side may have the next request on it.
    def hijack(request)
      return @io if request.equal?(@hijacked)
      raise IOError, "rack.hijack comes too late: the response has begun" unless request.equal?(@hijack) && !@response.started?

      @hijacked = request
      @response.say_taken_over
      drop_follower if @follows
      @server.taken_over
      @io.ungetbyte(@buffer) unless @empty
      @empty = true
      @env["rack.hijack_io"] = @io
    end

    # The same for a response with status 101.
    def switch
      hijack(@hijack = @env["rack.hijack"])
    end

    # rack.early_hints: of a request whose response has begun there are none.
    def early_hints(request, headers)
      @response.early_hints(headers) if request.equal?(@hijack) && !@hijacked
    end

    private

    def fill
      if @empty
        @io.sysread(READ_SIZE, @buffer)
        @empty = false
      else
        @buffer << @io.sysread(READ_SIZE)
      end
    end

    # Takes the first header block out of the buffer and returns its env, nil
    # if it is not whole yet.
    def next_request
      buffer = @buffer
      return if @empty

      length = buffer.to_i # as far as the colon
      colon = buffer.index(":")
      return not_whole(length, buffer.bytesize) unless colon

      comma = colon + 1 + length
      size = buffer.bytesize
      return not_whole(length, 0) if size <= comma
      raise ClientGone, "bad header block" if buffer.getbyte(comma) != COMMA || length > MAX_HEAD

      if size == comma + 1
        @empty = true
      else
        @buffer = buffer.byteslice(comma + 1, size)
        buffer = buffer.byteslice(0, comma + 1)
      end
      env_of(buffer.split(NUL, -1), colon)
    end

    def not_whole(length, digits)
      raise ClientGone, "bad header block" if length > MAX_HEAD || digits > 8
    end

    # fields are "LENGTH:NAMES", the values in the names' order, and ","; or, of
    # a proxy that does not know this form, "LENGTH:CONTENT_LENGTH", its value,
    # then the other names, each before its value, and ",".
    def env_of(fields, colon)
      raise ClientGone, "bad header block" if fields.size < 5 || fields.size > MAX_FIELDS

      @follows = fields[0].getbyte(colon + 1) == PLUS
      names = fields[0].byteslice(@follows ? colon + 2 : colon + 1, MAX_HEAD)
      @hijack = Hijack.new(self)
      @env = env = names == LENGTH ? env_of_pairs(fields) : @shapes.env(names, fields, self, @hijack)
      raise ClientGone, "bad header block" unless env && names.start_with?(LENGTH)

      length = fields[1]
      @body = nil
      add_body(env, length) unless length == "0"
      env
    end

    def env_of_pairs(fields)
      return if fields.size.even?

      env = @shapes.env_of_pairs(fields[2..-2], self, @hijack)
      env.delete("SCGI") # says what the header block is, and nothing to the app
      env
    end

    # Drops the request that has followed, if one has: the proxy sends it
    # elsewhere. An empty header block says that no other comes.
    def drop_follower
      loop do
        length = whole_block
        comma = @buffer.index(":") + 1 + length
        @buffer = @buffer.byteslice(comma + 1, @buffer.bytesize)
        @empty = @buffer.empty?
        return if length == 0
      end
    rescue EOFError, SystemCallError
      raise ClientGone, "the client went away before the app had its connection"
    end

    # Reads until the buffer has a whole header block. Returns its length.
    def whole_block
      until !@empty && (colon = @buffer.index(":")) && @buffer.bytesize > colon + 1 + @buffer.to_i
        raise ClientGone, "bad header block" if !@empty && @buffer.bytesize > MAX_HEAD

        fill
      end
      @buffer.to_i
    end

    def add_body(env, length)
      if length.empty?
        env.delete("TRANSFER_ENCODING")
        env["HTTP_TRANSFER_ENCODING"] = "chunked" # how a Rack app tells that there is a body
        @body = Body.new(self, nil)
      else
        env["CONTENT_LENGTH"] = length
        @body = Body.new(self, Integer(length, 10))
      end
      env["rack.input"] = @input = Input.new(@body)
    rescue ArgumentError
      raise ClientGone, "bad content length"
    end

    # Has the app answer env. Returns as serve does.
    def answer(env)
      status = headers = body = error = nil
      @response.answers(env)
      begin
        status, headers, body = (env.key?(OutOfBand::KEY) ? OutOfBand : @app).call(env)
        Forks.leave if Forks.child?
        @hijack = nil
        @response.deliver(env, status, headers, body) unless @hijacked
      rescue ClientGone => e
        error = e
        @response.break_off
      rescue Exception => e # whatever it is, the next request is not to blame
        leave(env, e) if Forks.child?
        error = e
        report(env, e)
        @response.fail unless @hijacked
      end
      @hijack = nil
      outcome = conclude(env, status, headers, body, error)
      Forks.child? ? Forks.leave : outcome
    end

    # Ends a child that the app has forked.
    def leave(env, error)
      report(env, error) unless error.is_a?(Forks::Child) || error.is_a?(SystemExit) || error.is_a?(SignalException)
      Forks.leave(error)
    end

    def conclude(env, status, headers, body, error)
      quietly(env) { body.close } if body.respond_to?(:close)
      finished = env["rack.response_finished"]
      finished.reverse_each { |callable| quietly(env) { callable.call(env, status, headers, error) } } unless finished.empty?
      raise error if error.is_a?(SystemExit) || error.is_a?(SignalException)
      return error ? :closed : :released if @hijacked || @response.released?
      return :closed unless end_of_body && !@response.last?

      @empty ? :open : :more
    end

    # Returns whether what follows on the connection is the next request.
    def end_of_body
      return true unless @body

      @input.release
      @body.drain(DRAIN_BYTES, DRAIN_SECONDS)
    rescue ClientGone
      false
    end

    # What an app does after its response harms only the app.
    def quietly(env)
      yield
    rescue StandardError, ScriptError => e
      report(env, e)
    end

    def report(env, error)
      $stderr.write("#{env['REQUEST_METHOD']} #{env['REQUEST_URI']}: " +
                    error.full_message(highlight: false, order: :top).chomp + "\n")
    end
  end
end
