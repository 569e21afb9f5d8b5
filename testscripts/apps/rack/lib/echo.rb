# frozen_string_literal: true

require "digest"

# Takes a connection over and echoes the messages of its WebSocket (RFC 6455),
# in a thread of its own. They are texts of less than 126 bytes.
class Echo
  GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

  def call(env)
    accept = [Digest::SHA1.digest(env["HTTP_SEC_WEBSOCKET_KEY"] + GUID)].pack("m0")
    io = env["rack.hijack"].call
    Thread.new { serve(io, accept) }
    [200, {}, []]
  end

  private

  def serve(io, accept)
    io.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: #{accept}\r\n\r\n")
    loop do
      first, size = io.readpartial(2).bytes
      mask, data = io.read(4).bytes, io.read(size & 0x7f).bytes
      io.write([first, data.size, *data.each_with_index.map { |c, i| c ^ mask[i % 4] }].pack("C*"))
    end
  rescue EOFError, SystemCallError
    io.close
  end
end
