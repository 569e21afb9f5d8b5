# frozen_string_literal: true

module PhusionPassenger
  # rack.input: reads the body from the connection as the app asks for it.
  class Input
    def initialize(body)
      @body = body
      @ahead = String.new # read from the body, but not yet asked for
    end

    # As IO#read has it: without a length all that is left, with one nil at
    # the end.
    def read(length = nil, out = nil)
      data = length ? read_exactly(length) : read_all
      return data unless out

      data ? out.replace(data) : out.clear
      data && out
    end

    # As IO#gets without a limit: the next line, nil at the end.
    def gets(separator = $/)
      return data_or_nil(read_all) if separator.nil?

      until (i = @ahead.index(separator))
        part = more or return data_or_nil(take_ahead)
        @ahead << part
      end
      @ahead.slice!(0, i + separator.bytesize)
    end

    def each
      while (line = gets)
        yield line
      end
      self
    end

    # Rack 3 lets the app say that it has read enough.
    def close; end

    # Gives up what is kept: after the response nobody has use for it.
    def release; end

    private

    def more(max = Body::PIECE)
      @body.read_some(max)
    end

    def take_ahead
      data = @ahead
      @ahead = String.new
      data
    end

    def data_or_nil(data)
      data unless data.empty?
    end

    def read_all
      data = take_ahead
      while (part = more)
        data << part
      end
      data
    end

    def read_exactly(length)
      return @ahead.slice!(0, length) if length <= @ahead.bytesize

      data = take_ahead
      while data.bytesize < length
        part = more(length - data.bytesize) or break
        data = data.empty? ? part : data << part
      end
      data unless data.empty?
    end
  end

  # rack.input for Rack before version 3, where an app may rewind it: what was
  # read is kept, in memory and, when it gets long, in a file without a name.
  class RewindableInput < Input
    IN_MEMORY = 131_072

    def initialize(body)
      super
      @kept = String.new
      @size = 0
      @position = 0
      @file = nil
    end

    def rewind
      @position = 0
      @ahead.clear
      0
    end

    def release
      @file.close if @file
    end

    private

    def more(max = Body::PIECE)
      if @position < @size
        part = @file ? @file.pread([max, @size - @position].min, @position) : @kept.byteslice(@position, max)
      else
        part = super or return
        keep(part)
      end
      @position += part.bytesize
      part
    end

    def keep(part)
      if @file.nil? && @size + part.bytesize > IN_MEMORY
        @file = unnamed_file
        @file.write(@kept)
        @kept = nil
      end
      (@file || @kept) << part
      @size += part.bytesize
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

  # rack.input of a request without a body. It keeps nothing, so that one
  # object serves all of them.
  module NoInput
    class << self
      def read(length = nil, out = nil)
        out.clear if out
        return if length && length > 0

        out || String.new
      end

      def gets(*)
        nil
      end

      def each
        self
      end

      def rewind
        0
      end

      def close; end
    end
  end
end
