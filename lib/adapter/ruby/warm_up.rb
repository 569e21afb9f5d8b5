# frozen_string_literal: true

module PhusionPassenger
  # Asks the app for some paths before processes are forked, so that they share
  # what first requests set up: caches in compiled code most of all. The app
  # sees what it will see of a proxy.
  class WarmUp
    # In the place of a connection's socket: sends one request and takes any
    # response. A real one needs a thread to read it, whose traces stay in the
    # memory that is then shared.
    class Client
      def initialize(request)
        @request = request
      end

      def sysread(_max, buffer = String.new)
        raise EOFError unless @request

        buffer.replace(@request)
        @request = nil
        buffer
      end

      def syswrite(text)
        text.bytesize
      end

      def write(*texts)
        texts.sum { |text| text.to_s.bytesize }
      end

      def ungetbyte(_text); end

      def close; end
    end

    def initialize(app, rack, base)
      @app = app
      @shapes = Shapes.new(rack, false)
      @base = base.to_s.chomp("/")
    end

    # What the app answers does not matter; what it raises is printed.
    def ask(path)
      Connection.new(Client.new(head(path)), self, @app, @shapes).serve
    end

    # As a server's, of which this request is the last.
    def stopping?
      true
    end

    def taken_over; end

    private

    def head(target)
      path, query = target.split("?", 2)
      pairs = [
        "CONTENT_LENGTH", "0", "SCGI", "1", "REQUEST_METHOD", "GET", "REQUEST_URI", target, "SCRIPT_NAME", @base,
        "PATH_INFO", path.delete_prefix(@base), "QUERY_STRING", query.to_s, "SERVER_NAME", "localhost", "SERVER_PORT", "80",
        "SERVER_PROTOCOL", "HTTP/1.1", "SERVER_SOFTWARE", "passenger", "REMOTE_ADDR", "127.0.0.1", "REMOTE_PORT", "0",
        "HTTP_HOST", "localhost"
      ].map { |text| "#{text}\0" }.join
      "#{pairs.bytesize}:#{pairs},"
    end
  end
end
