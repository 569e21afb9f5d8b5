# frozen_string_literal: true

module PhusionPassenger
  # Writes an app's responses to a connection, as HTTP/1.1 whose end can be
  # told: with a Content-Length or in chunks. One object serves all responses
  # of a connection, one after the other.
  class Response
    CRLF = "\r\n"
    LAST_CHUNK = "0\r\n\r\n"
    JOINED = 32_768 # bytes up to which a part is copied behind the head, to be one write
    FAILURE = "Internal Server Error\n"
    TAKEN_OVER = "HTTP/1.1 199 Hijacked\r\n\r\n"
    PARTIAL = "X-Passenger-Hijack: partial\r\n"
    CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/n.freeze

    # How a body begins that is in chunks already.
    CHUNK = /\A\h{1,15}[ \t]*(;[^\r\n]*)?\r\n/n.freeze

    # What names of headers mean here, as apps write them: nothing, for most.
    # As many as one app uses are remembered.
    KINDS = Hash.new do |known, name|
      kind = Response.kind_of_name(name.b)
      known[name] = kind if known.size < 1000
      kind
    end

    def self.kind_of_name(name)
      return :bad unless name.match?(/\A[!#-'*+\-.0-9A-Z^-z|~]+\z/n)

      case name = name.downcase
      when "content-length" then :length
      when "transfer-encoding" then :coding
      when "connection" then :connection
      when "rack.hijack" then :hijack
      when "rack.protocol" then :protocol
      when "status", /\Arack\./ then :internal
      end
    end

    # The app's Rack knows the reasons; it is loaded later than this file.
    def self.status_lines
      @status_lines ||= Rack::Utils::HTTP_STATUS_CODES.map do |status, reason|
        [status, "HTTP/1.1 #{status} #{reason}\r\n".b.freeze]
      end.to_h
    end

    def initialize(connection, io)
      @connection = connection
      @io = io
      @status_lines = Response.status_lines
      @started = false # part of a response was written, and not yet its end
      @last = false
      @partial = false
      @released = false
      @to_head = false
    end

    # Notes which request is answered next, before the app may change its env:
    # the proxy goes by what it asked for.
    def answers(env)
      @to_head = env["REQUEST_METHOD"] == "HEAD"
    end

    # Whether a part of a response was sent, and not yet its end.
    def started?
      @started
    end

    # Whether the app writes the body itself.
    def partial?
      @partial
    end

    # Whether the connection is of no use for a further response.
    def last?
      @last
    end

    # Whether the app still writes to the connection.
    def released?
      @released
    end

    # Sends the response to env. What it raises after a part was sent leaves
    # the response broken off.
    def deliver(env, status, headers, body)
      status = status.to_i
      head = head_of(status, headers)
      if status == 101 || @protocol
        switch(head, body)
      elsif @hijack
        hand_over(env, head)
      elsif status == 204 || status == 304 || @to_head
        deliver_head(status, head)
      elsif @coded && body.respond_to?(:each)
        deliver_coded(head, body)
      elsif Array === body
        deliver_parts(head, body)
      else
        deliver_body(env, head, body)
      end
      @started = false
    end

    # Answers that the app failed, if that can still be said.
    def fail
      return break_off if @started

      @last ||= @connection.stopping?
      write("HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n" \
            "Content-Length: #{FAILURE.bytesize}\r\n#{"Connection: close\r\n" if @last}\r\n#{FAILURE unless @to_head}")
      @started = false
    rescue ClientGone
      break_off
    end

    # The connection's end is what tells the other side.
    def break_off
      @last = true
    end

    # An interim response. It is no error if the client is gone.
    def early_hints(headers)
      return if @started || Forks.child?

      head = "HTTP/1.1 103 Early Hints\r\n".b
      headers.each { |name, value| append_carefully(head, name.to_s, value) unless KINDS[name.to_s] }
      @io.write(head, CRLF)
    rescue SystemCallError
      nil
    end

    # Says that the app takes the connection over: what follows is its own.
    def say_taken_over
      @last = true
      write(TAKEN_OVER)
    end

    def write_chunk(part)
      write_all(part.bytesize.to_s(16), CRLF, part, CRLF) unless part.empty?
    end

    def write_last_chunk
      write(LAST_CHUNK)
    end

    private

    # Returns the status line and the header lines, but for those that frame
    # the response, which it notes: @length, @coded (the app says that it applied
    # the chunked coding), @last, @hijack and @protocol.
    def head_of(status, headers)
      @length = @hijack = @protocol = nil
      @coded = false
      @last = @connection.stopping?
      head = status_line(status)
      lines = 1
      headers.each do |name, value|
        name = name.to_s unless String === name
        kind = KINDS[name] and note(kind, value) and next
        if String === value
          head << name << ": " << value << CRLF
          lines += 1
        else
          lines += append(head, name, value)
        end
      end
      # One look over all finds a control character where none may be.
      head.count("\0-\x08\x0a-\x1f\x7f") == lines * 2 ? head : careful_head(status, headers)
    rescue Encoding::CompatibilityError, ArgumentError
      careful_head(status, headers)
    end

    def status_line(status)
      line = @status_lines[status]
      return line.dup if line && (status >= 200 || status == 101)
      raise ArgumentError, "bad status #{status}" unless status.between?(200, 999)

      "HTTP/1.1 #{status} Status #{status}\r\n".b
    end

    # Returns whether the header is taken care of. Raises ArgumentError if it
    # makes no sense.
    def note(kind, value)
      case kind
      when :internal then true
      when :bad then raise ArgumentError, "its name is none"
      when :length
        @length = Integer(value.to_s, 10)
        raise ArgumentError, "it is negative" if @length < 0

        true
      when :coding
        @coded = true if value.to_s.casecmp?("chunked")
        true
      when :connection
        @last = true if value.to_s.match?(/\bclose\b/i)
        !value.to_s.match?(/\bupgrade\b/i)
      when :hijack
        @hijack = value if value.respond_to?(:call)
        true
      when :protocol
        @protocol = value && value.to_s
        true
      end
    end

    # Appends a header whose value is no String: an Array (Rack 3), or against
    # the rules a number. Returns the number of lines.
    def append(head, name, value)
      values = value.is_a?(Array) ? value : [value]
      values.each { |v| head << name << ": " << v.to_s << CRLF }
      values.size
    end

    # head_of for headers with several lines in one value (Rack before version
    # 3), in encodings that do not mix, or with what must not be sent: that is
    # left out.
    def careful_head(status, headers)
      head = status_line(status)
      headers.each do |name, value|
        name = name.to_s
        begin
          kind = KINDS[name]
          append_carefully(head, name, value) unless kind && note(kind, value)
        rescue ArgumentError => e
          @length = nil if kind == :length
          drop(name, value, e.message)
        end
      end
      head
    end

    def append_carefully(head, name, value)
      (value.is_a?(Array) ? value : value.to_s.b.split("\n")).each do |line|
        line = line.to_s.b
        next drop(name, line, "it has a control character") if line.match?(CONTROL)

        head << name.b << ": " << line << CRLF
      end
    end

    def drop(name, value, why)
      warn "the header #{name.inspect} is not sent: #{why}: #{value.inspect[0, 200]}"
    end

    def deliver_head(status, head)
      head << "Content-Length: #{@length}\r\n" if @length && status != 204
      write(close_head(head))
    end

    # The parts are all there. Their true length goes before what the app says.
    def deliver_parts(head, parts)
      if parts.size == 1
        part = parts[0]
        length = part.bytesize
      else
        length = parts.sum(&:bytesize)
        part = length <= JOINED ? parts.map(&:b).join : nil
      end
      warn "the app says Content-Length: #{@length} and sends #{length} bytes" if @length && @length != length
      head << "Content-Length: #{length}\r\n"
      close_head(head)
      return write_parts(head, parts) unless part

      length <= JOINED ? write_joined(head, part) : write_all(head, part)
    end

    def write_parts(head, parts)
      write(head)
      parts.each_slice(256) { |some| write_all(*some) }
    end

    def deliver_body(env, head, body)
      if body.respond_to?(:to_ary) && Array === (parts = body.to_ary)
        deliver_parts(head, parts)
      elsif body.respond_to?(:to_path) && (file = file_of(body))
        deliver_file(head, file)
      elsif !body.respond_to?(:each)
        deliver_stream(env, head, body)
      elsif @length
        write(close_head(head << "Content-Length: #{@length}\r\n"))
        deliver_counted(body)
      else
        start_chunks(head)
        body.each { |part| write_chunk(part) }
        write_last_chunk
      end
    end

    # What goes over the length is not sent, and not waited for: the step behind
    # the last byte is the app's own, to clean up, and the last of it.
    def deliver_counted(body)
      left = @length
      body.each do |part|
        return if left == 0 && part.empty?

        if part.bytesize > left
          write(part.byteslice(0, left)) if left > 0
          return warn("the app sends more than its Content-Length: #{@length}")
        end
        left -= part.bytesize
        write(part)
      end
      raise "the app sends #{left} bytes less than its Content-Length: #{@length}" if left > 0
    end

    # The file that the body is, open; nil if it cannot be read or is not as long
    # as the app says.
    def file_of(body)
      path = body.to_path
      return unless path && File.file?(path)

      file = File.open(path, "rb")
      return file if @length.nil? || @length == file.size

      file.close
    rescue SystemCallError
      nil
    end

    def deliver_file(head, file)
      length = file.size
      write(close_head(head << "Content-Length: #{length}\r\n"))
      sent = IO.copy_stream(file, @io, length)
      raise "#{file.path} became shorter while it was sent" if sent < length
    rescue Errno::EPIPE, Errno::ECONNRESET
      raise ClientGone, "the client went away"
    ensure
      file.close
    end

    # The parts are chunks already, if the first one is; else the app only says
    # so, and they get the coding here. Where the app's own chunks end, only the
    # app knows: so nothing may come behind them.
    def deliver_coded(head, body)
      coded = nil
      body.each do |part|
        next if part.empty?

        if coded.nil?
          @last = true if (coded = part.b.match?(CHUNK))
          start_chunks(head)
        end
        coded ? write(part) : write_chunk(part)
      end
      start_chunks(head) if coded.nil?
      write_last_chunk unless coded
    end

    # Rack 3's streaming body, which may go on writing after it returned.
    def deliver_stream(env, head, body)
      raise TypeError, "the body has neither each nor call: #{body.inspect[0, 200]}" unless body.respond_to?(:call)

      hand_over(env, head, body)
    end

    # A partial hijack: the app writes the body itself, and then the connection
    # ends.
    def hand_over(env, head, hijack = @hijack)
      @partial = @last = true
      start_chunks(head << PARTIAL)
      stream = Stream.new(@connection, env["rack.input"])
      hijack.call(stream)
      release(stream) unless stream.closed?
    end

    # 101: from here on the connection is the app's, raw.
    def switch(head, body)
      hijack = @hijack || body
      raise TypeError, "nothing is to be called with the connection" unless hijack.respond_to?(:call)

      if @protocol
        head = status_line(101) << head.sub(/\A[^\n]*\n/n, "") << "Connection: Upgrade\r\nUpgrade: #{@protocol}\r\n"
      end
      io = @connection.switch
      write(head << CRLF)
      hijack.call(io)
    end

    def release(stream)
      @released = true
      stream.detach
    end

    def start_chunks(head)
      write(close_head(head << "Transfer-Encoding: chunked\r\n"))
    end

    def close_head(head)
      head << "Connection: close\r\n" if @last
      head << CRLF
    end

    def write_joined(head, part)
      write(head << part)
    rescue Encoding::CompatibilityError
      write_all(head, part)
    end

    def write(string)
      raise Forks::Child if Forks.child? && !@partial

      @started = true
      sent = @io.syswrite(string)
      sent += @io.syswrite(string.byteslice(sent, string.bytesize)) while sent < string.bytesize
    rescue Errno::EPIPE, Errno::ECONNRESET
      raise ClientGone, "the client went away"
    end

    def write_all(*strings)
      raise Forks::Child if Forks.child? && !@partial

      @started = true
      @io.write(*strings)
    rescue Errno::EPIPE, Errno::ECONNRESET
      raise ClientGone, "the client went away"
    end
  end
end
