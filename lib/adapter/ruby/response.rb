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
      @released = false
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
      if status == 101
        switch(head, body)
      elsif @hijack
        hand_over(env, head)
      elsif status == 204 || status == 304 || env["REQUEST_METHOD"] == "HEAD"
        deliver_head(status, head)
      elsif @coded
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
            "Content-Length: #{FAILURE.bytesize}\r\n#{"Connection: close\r\n" if @last}\r\n#{FAILURE}")
      @started = false
    rescue ClientGone
      break_off
    end

    # The connection's end is what tells the other side.
    def break_off
      @last = true
    end

    # rack.early_hints: an interim response. That nobody reads it is no error.
    def early_hints(headers)
      head = "HTTP/1.1 103 Early Hints\r\n".b
      headers.each { |name, value| append_carefully(head, name.to_s, value) }
      @io.write(head, CRLF)
    rescue SystemCallError
      nil
    end

    def write_chunk(part)
      write_all(part.bytesize.to_s(16), CRLF, part, CRLF) unless part.empty?
    end

    def write_last_chunk
      write(LAST_CHUNK)
    end

    private

    # Returns the status line and the header lines, but for those that frame
    # the response, which it notes: @length, @coded (the app itself applied the
    # chunked coding), @last and @hijack.
    def head_of(status, headers)
      @length = @hijack = nil
      @coded = false
      @last = @connection.stopping?
      head = status_line(status)
      lines = 1
      headers.each do |name, value|
        name = name.to_s unless String === name
        case name.bytesize # of the names that mean something here
        when 10, 11, 14, 17 then next if note(name, value)
        end
        if String === value
          head << name << ": " << value << CRLF
          lines += 1
        else
          lines += append(head, name, value)
        end
      end
      # One look over all finds a control character where none may be.
      head.count("\r\n\0") == lines * 2 ? head : careful_head(status, headers)
    rescue Encoding::CompatibilityError
      careful_head(status, headers)
    end

    def status_line(status)
      line = @status_lines[status]
      return line.dup if line && (status >= 200 || status == 101)
      raise ArgumentError, "bad status #{status}" unless status.between?(200, 999)

      "HTTP/1.1 #{status} Status #{status}\r\n".b
    end

    # Returns whether the header is taken care of.
    def note(name, value)
      case name.downcase
      when "content-length"
        @length = Integer(value.to_s, 10)
      when "transfer-encoding"
        @coded = true if value.to_s.casecmp?("chunked")
      when "connection"
        @last = true if value.to_s.match?(/\bclose\b/i)
        !value.to_s.match?(/\bupgrade\b/i)
      when "rack.hijack"
        @hijack = value
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
    # 3), in encodings that do not mix, or with what must not be sent.
    def careful_head(status, headers)
      head = status_line(status)
      headers.each do |name, value|
        name = name.to_s
        append_carefully(head, name, value) unless note(name, value)
      end
      head
    end

    def append_carefully(head, name, value)
      raise ArgumentError, "bad header name #{name.inspect}" if name.match?(/[^!-9;-~]/)

      (value.is_a?(Array) ? value : value.to_s.b.split("\n")).each do |line|
        line = line.to_s.b
        raise ArgumentError, "bad value of header #{name}: #{line.inspect}" if line.match?(/[\r\n\0]/n)

        head << name << ": " << line << CRLF
      end
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
      if body.respond_to?(:to_ary) && (parts = body.to_ary)
        deliver_parts(head, parts)
      elsif @length
        write(close_head(head << "Content-Length: #{@length}\r\n"))
        deliver_counted(body)
      elsif body.respond_to?(:each)
        start_chunks(head)
        body.each { |part| write_chunk(part) }
        write_last_chunk
      else
        deliver_stream(env, head, body)
      end
    end

    def deliver_counted(body)
      path = body.to_path if body.respond_to?(:to_path)
      return send_file(path) if path && File.file?(path) && File.size(path) == @length

      left = @length
      body.each do |part|
        left -= part.bytesize
        raise "the app sends more than its Content-Length: #{@length}" if left < 0

        write(part)
      end
      raise "the app sends #{left} bytes less than its Content-Length: #{@length}" if left > 0
    end

    def send_file(path)
      File.open(path, "rb") do |file|
        sent = IO.copy_stream(file, @io, @length)
        raise "#{path} became shorter while it was sent" if sent < @length
      end
    rescue Errno::EPIPE, Errno::ECONNRESET
      raise ClientGone, "the client went away"
    end

    # The parts are chunks already.
    def deliver_coded(head, body)
      write(close_head(head << "Transfer-Encoding: chunked\r\n"))
      body.each { |part| write(part) }
    end

    # Rack 3's streaming body, which may go on writing after it returned.
    def deliver_stream(env, head, body)
      start_chunks(head)
      stream = Stream.new(@connection, env["rack.input"])
      body.call(stream)
      release(stream) unless stream.closed?
    end

    # A partial hijack: as a streaming body, but that the connection ends.
    def hand_over(env, head)
      hijack = @hijack
      @last = true
      start_chunks(head)
      stream = Stream.new(@connection, env["rack.input"])
      hijack.call(stream)
      release(stream) unless stream.closed?
    end

    # 101: from here on the connection is the app's, raw.
    def switch(head, body)
      hijack = @hijack || body
      write(head << CRLF)
      hijack.call(@connection.hijack)
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
      @started = true
      sent = @io.syswrite(string)
      sent += @io.syswrite(string.byteslice(sent, string.bytesize)) while sent < string.bytesize
    rescue Errno::EPIPE, Errno::ECONNRESET
      raise ClientGone, "the client went away"
    end

    def write_all(*strings)
      @started = true
      @io.write(*strings)
    rescue Errno::EPIPE, Errno::ECONNRESET
      raise ClientGone, "the client went away"
    end
  end
end
