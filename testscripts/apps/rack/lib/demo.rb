# frozen_string_literal: true

require "digest"
require "erb"
require_relative "echo"

# A small app on bare Rack.
class Demo
  PAGE = ERB.new(File.read(File.expand_path("../views/index.html.erb", __dir__)))

  # 20 MiB, made as they are sent.
  class Pieces
    def each
      320.times { |i| yield (i % 256).chr * 65_536 }
    end
  end

  # Several chunks, each sent as it is made.
  class Count
    def each
      (1..3).each { |i| yield "chunk #{i}\n" }
    end
  end

  def call(env)
    request = Rack::Request.new(env)
    case [request.get? || request.head? ? "GET" : request.request_method, request.path_info]
    when ["GET", "/"] then html(PAGE.result_with_hash(name: "rack", base: request.script_name))
    when ["POST", "/form"] then text("name=#{request.POST['name']}")
    when ["POST", "/upload"] then text(digest(request.body))
    when ["GET", "/stream"] then [200, { "Content-Type" => "application/octet-stream" }, Pieces.new]
    when ["GET", "/each"] then [200, { "Content-Type" => "text/plain" }, Count.new]
    when ["GET", "/redirect"] then [302, { "Location" => "#{request.script_name}/" }, []]
    when ["GET", "/cookie"] then cookie(request)
    when ["GET", "/query"] then text("q=#{request.GET['q']}")
    when ["GET", "/error"] then raise "deliberate failure"
    when ["GET", "/pid"] then text(Process.pid.to_s)
    when ["GET", "/sleep"] then slept(request)
    when ["GET", "/hijack"] then hijack(env)
    when ["GET", "/ws"] then Echo.new.call(env)
    else [404, { "Content-Type" => "text/plain" }, ["There is nothing here.\n"]]
    end
  end

  private

  def html(page)
    [200, { "Content-Type" => "text/html; charset=utf-8" }, [page]]
  end

  def text(string)
    [200, { "Content-Type" => "text/plain; charset=utf-8" }, [string]]
  end

  def digest(input)
    sha = Digest::SHA256.new
    while (part = input.read(65_536))
      sha << part
    end
    sha.hexdigest
  end

  def cookie(request)
    response = Rack::Response.new("seen=#{request.cookies['seen'] || 'none'}", 200, "Content-Type" => "text/plain")
    response.set_cookie("seen", value: "yes", path: "/")
    response.finish
  end

  def slept(request)
    sleep request.GET["seconds"].to_f
    text("slept #{request.GET['seconds']}")
  end

  # Takes the connection over and echoes what comes, in a thread of its own.
  def hijack(env)
    io = env["rack.hijack"].call
    Thread.new do
      io.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
      loop { io.write(io.readpartial(65_536)) }
    rescue EOFError, SystemCallError
      io.close
    end
    [200, {}, []]
  end
end
