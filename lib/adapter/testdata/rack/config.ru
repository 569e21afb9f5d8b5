# frozen_string_literal: true

# What the tests of the Rack adapter serve: one path for each thing that an
# app may do. All but those below /plain and /raw go
# through Rack::Lint.

require "digest"

module Cases
  # A body that says on stderr when it is closed.
  class Told
    def initialize(name, &each)
      @name = name
      @each = each
    end

    def each(&block)
      @each.call(block)
    end

    def close
      warn "closed #{@name}"
    end
  end

  TEXT = { "content-type" => "text/plain" }.freeze

  def self.text(string, headers = {})
    [200, TEXT.merge(headers), [string]]
  end

  # A header of several lines, as the app's Rack has it.
  def self.lines(*values)
    Rack.release.to_i < 3 ? values.join("\n") : values
  end

  def self.linted(env)
    input = env["rack.input"]
    case env["PATH_INFO"]
    when "/" then text("hello")
    when "/env" then text(env.map { |k, v| "#{k}=#{v.is_a?(String) || v == true || v == false ? v : v.class}\n" }.sort.join)
    when "/echo" then text(input.read)
    when "/digest"
      digest = Digest::SHA256.new
      while (part = input.read(10_000))
        digest << part
      end
      text(digest.hexdigest)
    when "/lines"
      first = input.gets
      rest = []
      input.each { |line| rest << line }
      text("#{first.inspect} #{rest.inspect} #{input.gets.inspect}")
    when "/rewind"
      half = input.read(100_000)
      unless input.respond_to?(:rewind) # Rack 3's Lint lets nobody do it
        return text("#{half.bytesize} true #{Digest::SHA256.hexdigest(half + input.read)}")
      end
      input.rewind
      once = Digest::SHA256.hexdigest(input.read)
      input.rewind
      text("#{half.bytesize} #{once == Digest::SHA256.hexdigest(input.read)} #{once}")
    when "/ignore" then text("not read")
    when "/head" then text("hello", "content-length" => "5")
    when "/204" then [204, {}, []]
    when "/304" then [304, { "etag" => '"x"' }, []]
    when "/cookies" then text("two", "set-cookie" => lines("a=1", "b=2"))
    when "/parts" then [200, TEXT.dup, ["hel", "", "l\u00f6", "\xff".b]]
    when "/many" then [200, TEXT.dup, ["0123456789"] * 100_000]
    when "/latin" then text("\xe9".b, "x-name" => "\u00e9")
    when "/number" then text("no string", "content-length" => "9")
    when "/stream"
      [200, TEXT.dup, Told.new("stream") { |out| 5.times { |i| out.call("piece #{i}\n") } }]
    when "/endless"
      [200, TEXT.dup, Told.new("endless") { |out| loop { out.call("x" * 10_000) } }]
    when "/file" then [200, TEXT.merge("content-length" => File.size(__FILE__).to_s), File.open(__FILE__)]
    when "/late" then [200, TEXT.dup, Told.new("late") { |out| out.call("begun") && raise("half-way") }]
    when "/raise" then raise "deliberate failure"
    when "/script" then eval("1 +", binding, __FILE__, __LINE__)
    when "/finished"
      env["rack.response_finished"] << ->(_, status, _, error) { warn "finished #{status} #{error.inspect}" }
      text("soon")
    when "/hints"
      env["rack.early_hints"].call("link" => lines("</a.css>; rel=preload", "</b.css>; rel=preload"))
      text("hinted")
    when "/slow"
      warn "slow begins"
      $stdin.read # /dev/null
      IO.select(nil, nil, nil, 0.3)
      text("slow ends")
    when "/hijack"
      io = env["rack.hijack"].call
      Thread.new do
        io.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        while (line = io.gets)
          io.write("echo #{line}")
        end
        io.close
      end
      [200, {}, []]
    when "/partial"
      later = lambda do |io|
        Thread.new do
          3.times { |i| io.write("part #{i}\n") }
          io.close
        end
      end
      [200, TEXT.merge("rack.hijack" => later), []]
    else [404, TEXT.dup, ["not found"]]
    end
  end

  # What Rack::Lint would not let through.
  def self.raw(env)
    case env["PATH_INFO"]
    when "/carriage" then text("x", "X-Bad" => "a\rb")
    when "/internal" then text("x", "Status" => "500 Not This", "rack.note" => "a", "Rack.Other" => "b", "X-Status" => "c")
    when "/split" then text("x", "X-Bad\r\nX-Worse: 1" => "a")
    when "/long" then [200, TEXT.merge("Content-Length" => "3"), Told.new("long") { |out| out.call("four") }]
    when "/short" then [200, TEXT.merge("Content-Length" => "5"), Told.new("short") { |out| out.call("four") }]
    when "/endless" then [200, TEXT.merge("Content-Length" => "4"), Told.new("endless") { |out| loop { out.call("four") } }]
    when "/blank" then [200, TEXT.merge("Content-Length" => "4"), Told.new("blank") { |out| out.call("four"); loop { out.call("") } }]
    when "/hijack" then text("x", "Rack.Hijack" => "none")
    when "/path" then [200, TEXT, File.open(__FILE__)]
    when "/uncoded" then text("four", "Transfer-Encoding" => "chunked")
    when "/identity" then text("four", "Transfer-Encoding" => "identity")
    when "/length" then text("x", "Content-Length" => "one")
    when "/nil" then [200, TEXT.dup, nil]
    when "/string" then [200, TEXT.dup, "four"]
    when "/nil204" then [204, {}, nil]
    when "/switch" then [101, { "Upgrade" => "x" }, []]
    when "/wrong" then text("four", "Content-Length" => "3")
    when "/number" then text("four", "Content-Length" => 4, "X-Number" => 7)
    when "/early" then [103, {}, []]
    when "/nothing" then nil
    when "/coded" then [200, TEXT.merge("Transfer-Encoding" => "chunked"), ["4\r\nfour\r\n", "0\r\n\r\n"]]
    when "/close" then text("bye", "Connection" => "close")
    when "/exit" then exit 7
    end
  end
end

PhusionPassenger.on_event(:starting_worker_process) { |forked| warn "starting forked=#{forked}" }
PhusionPassenger.on_event(:stopping_worker_process) { warn "stopping" }
at_exit { warn "at exit" }

map "/plain" do # Rack::Lint hides what kind of object a body is
  run Cases.method(:linted)
end

map "/raw" do
  run Cases.method(:raw)
end

map "/" do
  use Rack::Lint
  run Cases.method(:linted)
end
