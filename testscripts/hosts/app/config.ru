# A page that takes a few milliseconds, or as many as it is asked to, and a WebSocket
# that says again what it hears.
require "digest"
require "rack"

def echo(io)
  while (head = io.read(2)) && head.bytesize == 2 && head.getbyte(0) & 15 != 8
    mask, payload = io.read(4), io.read(head.getbyte(1) & 127)
    text = payload.bytes.each_with_index.map { |byte, i| byte ^ mask.getbyte(i % 4) }
    io.write([0x81, text.size, *text].pack("C*"))
  end
rescue SystemCallError, IOError, NoMethodError
  # It ended between two bytes.
ensure
  io.close
end

run(lambda do |env|
  if env["PATH_INFO"] == "/ws"
    accept = Digest::SHA1.base64digest("#{env["HTTP_SEC_WEBSOCKET_KEY"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    io = env["rack.hijack"].call
    io.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
             "Sec-WebSocket-Accept: #{accept}\r\n\r\n")
    Thread.new { echo(io) }
    next [-1, {}, []]
  end
  sleep((Rack::Utils.parse_query(env["QUERY_STRING"])["ms"] || 4).to_f / 1000)
  [200, { "content-type" => "text/plain" }, ["#{Process.pid}\n"]]
end)
