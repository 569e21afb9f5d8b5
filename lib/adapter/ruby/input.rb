# frozen_string_literal: true

module PhusionPassenger
  # rack.input: the body as it comes from the connection, with what apps know
  # of a StringIO or a file. What was read is kept, in memory and, when it gets
  # long, in a file without a name, so that it can be read again.
  class Input
    include Enumerable

    IN_MEMORY = 131_072
    LINE = 1024 # how much is looked through first for a line's end

    attr_reader :external_encoding
    attr_accessor :lineno

    def initialize(body)
      @body = body
      @kept = String.new
      @size = 0 # of what is kept
      @position = 0
      @lineno = 0
      @file = nil
      @closed = false
      @external_encoding = Encoding::BINARY
    end

    # As IO#read has it: without a length all that is left, in the encoding that
    # was set.
    def read(length = nil, out = nil)
      check
      length &&= count(length)
      data = length ? read_exactly(length) : read_all.force_encoding(@external_encoding)
      return data unless out

      data ? out.replace(data) : out.clear
      data && out
    end

    # Returns 1 to max bytes as soon as there are some; at the end it raises
    # EOFError.
    def readpartial(max, out = nil)
      read_nonblock(max, out)
    end
    alias sysread readpartial

    def read_nonblock(max, out = nil, exception: true)
      check
      max = count(max)
      data = max == 0 ? String.new : part(max)
      raise EOFError, "end of the request's body" if data.nil? && exception

      out ? data && out.replace(data) : data
    end

    # As IO#gets has it, but that $_ is not set.
    def gets(separator = $/, limit = nil, chomp: false)
      check
      separator, limit = $/, separator if separator.is_a?(Integer)
      limit = nil if limit && limit < 0
      return read_rest(limit) if separator.nil?
      return String.new if limit == 0

      skip_newlines if separator.empty?
      ending = separator.empty? ? "\n\n" : separator
      line = line_to(ending.b, limit) or return
      skip_newlines if separator.empty?
      @lineno += 1
      line.force_encoding(@external_encoding)
      chomp && line.end_with?(ending) ? line.chomp(ending) : line
    end

    def readline(*args, **options)
      gets(*args, **options) || raise(EOFError, "end of the request's body")
    end

    def readlines(*args, **options)
      each_line(*args, **options).to_a
    end

    def each_line(*args, **options)
      return enum_for(:each_line, *args, **options) unless block_given?
      raise ArgumentError, "invalid limit: 0 for each_line" if args.last == 0

      while (line = gets(*args, **options))
        yield line
      end
      self
    end
    alias each each_line

    def getbyte
      check
      byte = part(1)
      byte && byte.ord
    end

    def readbyte
      getbyte || raise(EOFError, "end of the request's body")
    end

    def each_byte
      return enum_for(:each_byte) unless block_given?

      while (byte = getbyte)
        yield byte
      end
      self
    end

    # The next character of the encoding that was set.
    def getc
      check
      start = @position
      bytes = part(4) or return
      1.upto(bytes.bytesize) do |length|
        char = bytes.byteslice(0, length).force_encoding(@external_encoding)
        next unless char.valid_encoding?

        @position = start + length
        return char
      end
      @position = start + 1 # a byte that is of no character
      bytes.byteslice(0, 1).force_encoding(@external_encoding)
    end

    def readchar
      getc || raise(EOFError, "end of the request's body")
    end

    def each_char
      return enum_for(:each_char) unless block_given?

      while (char = getc)
        yield char
      end
      self
    end

    def eof?
      check
      @position >= @size && !fetch(1)
    end
    alias eof eof?

    # How long the body is; a chunked one is read to its end for that.
    def size
      check
      return @body.length if @body.length

      nil while fetch
      @size
    end
    alias length size

    def pos
      check
      @position
    end
    alias tell pos

    def pos=(position)
      seek(position)
      position
    end

    def seek(offset, whence = IO::SEEK_SET)
      check
      case whence
      when IO::SEEK_CUR, :CUR then offset += @position
      when IO::SEEK_END, :END then offset += size
      end
      raise Errno::EINVAL, "before the body's begin" if offset < 0

      break unless fetch while @size < offset
      @position = offset
      0
    end

    def rewind
      check
      @lineno = @position = 0
    end

    # An encoding may be given by its name, or as "EXTERNAL:INTERNAL"; nothing is
    # converted.
    def set_encoding(encoding, *)
      encoding = Encoding.find(encoding[/[^:]+/].sub(/\ABOM\|/i, "")) if encoding.is_a?(String)
      @external_encoding = encoding || Encoding.default_external
      self
    end

    def internal_encoding
      nil
    end

    def binmode
      set_encoding(Encoding::BINARY)
    end

    def binmode?
      true
    end

    def sync
      true
    end

    def fsync
      0
    end

    def fileno
      nil
    end

    def tty?
      false
    end
    alias isatty tty?

    # Rack 3 lets the app say that it has read enough.
    def close
      @closed = true
      nil
    end

    def closed?
      @closed
    end

    # Gives up what is kept, which has no use after the response.
    def release
      @file.close if @file
    end

    private

    # How many bytes are asked for, as IO takes it.
    def count(length)
      return length if Integer === length && length >= 0
      raise TypeError, "no implicit conversion of #{length.class} into Integer" unless length.respond_to?(:to_int)
      raise ArgumentError, "negative length #{length} given" if length < 0

      length.to_int
    end

    def check
      raise IOError, "not opened for reading" if @closed
    end

    # Returns the next 1 to max bytes, nil at the end.
    def part(max)
      return if @position >= @size && !fetch(max)

      left = @size - @position
      data = stored(@position, max < left ? max : left)
      @position += data.bytesize
      data
    end

    # Reads more of the body, and keeps it. Returns whether there was any.
    def fetch(max = Body::PIECE)
      part = @body.read_some(max < IN_MEMORY ? Body::PIECE : max) or return false
      if @file.nil? && @size + part.bytesize > IN_MEMORY
        @file = unnamed_file
        @file.write(@kept)
        @kept = nil
      end
      (@file || @kept) << part
      @size += part.bytesize
      true
    end

    def stored(position, length)
      @file ? @file.pread(length, position) : @kept.byteslice(position, length)
    end

    def read_exactly(length)
      data = nil
      while (data ? data.bytesize : 0) < length
        more = part(length - (data ? data.bytesize : 0)) or break
        data = data ? data << more : more
      end
      data || (length == 0 ? String.new : nil)
    end

    def read_all
      data = String.new
      while (more = part(Body::PIECE))
        data << more
      end
      data
    end

    def read_rest(limit)
      data = limit ? read_exactly(limit) : read_all
      data = whole(data) if limit && data
      return if data.nil? || data.empty? && limit != 0

      @lineno += 1
      data.force_encoding(@external_encoding)
    end

    # Returns what comes next up to and with ending, but at most limit bytes, nil
    # at the end. What was looked through in vain is read again.
    def line_to(ending, limit)
      line = nil
      step = LINE
      while (more = part(step))
        from = line ? [line.bytesize - ending.bytesize + 1, 0].max : 0
        line = line ? line << more : more
        if (i = line.index(ending, from))
          return cut(line, i + ending.bytesize) if limit.nil? || i + ending.bytesize <= limit
        end
        return whole(cut(line, limit)) if limit && line.bytesize >= limit

        step = [step * 2, Body::PIECE].min
      end
      line
    end

    # Returns the first bytes of line; the others are to be read again.
    def cut(line, length)
      @position -= line.bytesize - length
      line.byteslice(0, length)
    end

    # Returns line, which a limit cut off, to the end of its last character.
    def whole(line)
      return line if @external_encoding == Encoding::BINARY

      start = @position
      following = part(3).to_s
      @position = start
      (1..[3, line.bytesize].min).each do |back|
        (0..following.bytesize).each do |more|
          char = line.byteslice(-back, back) << following.byteslice(0, more)
          next unless char.force_encoding(@external_encoding).valid_encoding? && char.length == 1

          @position += more
          return line << following.byteslice(0, more)
        end
      end
      line
    end

    def skip_newlines
      while (byte = part(1))
        return @position -= 1 if byte != "\n"
      end
    end

    def unnamed_file
      dir = ENV["TMPDIR"].to_s.empty? ? "/tmp" : ENV["TMPDIR"]
      begin
        path = File.join(dir, "rack-input-#{Process.pid}-#{rand(1 << 62).to_s(36)}")
        file = File.open(path, File::RDWR | File::CREAT | File::EXCL, 0o600)
      rescue Errno::EEXIST
        retry
      end
      File.unlink(path)
      file.sync = true
      file.binmode
    end
  end

  # rack.input of a request without a body. One object serves all of them, so
  # nothing that an app does to it lasts.
  class EmptyInput < Input
    def set_encoding(*)
      self
    end

    def seek(*)
      0
    end

    def close; end

    def lineno=(_); end
  end

  NoInput = EmptyInput.new(Body.new(nil, 0))
end
