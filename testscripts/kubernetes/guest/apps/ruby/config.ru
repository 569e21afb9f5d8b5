require "digest"

# What comes of writing to the root.
root =
  begin
    File.write("/written", "")
  rescue SystemCallError => e
    e.class
  end
run lambda { |env|
  case env["PATH_INFO"]
  when "/memory" then $kept = "x" * (env["QUERY_STRING"][/\d+/].to_i << 20)
  when "/sleep" then sleep env["QUERY_STRING"].to_f
  when "/ws"
    accept = Digest::SHA1.base64digest("#{env["HTTP_SEC_WEBSOCKET_KEY"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    io = env["rack.hijack"].call
    io.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: #{accept}\r\n\r\n")
    Thread.new { io.read }
    next [-1, {}, []]
  end
  [200, { "content-type" => "text/plain" }, ["hello from ruby as #{Process.uid}, root: #{root}\n"]]
}
