# Pages that do what a limit is for.
require "digest"
require "rack"

at_exit { warn "last words of #{Process.pid}" }

run(lambda do |env|
  query = Rack::Utils.parse_query(env["QUERY_STRING"])
  case env["PATH_INFO"]
  when "/cgroup" then body = File.read("/proc/self/cgroup")
  when "/pid" then body = Process.pid.to_s
  when "/memory"
    kept = "x" * (query["mb"].to_i << 20)
    body = kept.size.to_s
  when "/forks"
    query["n"].to_i.times { Process.detach(spawn("sleep", "5")) }
    body = "forked"
  when "/ws"
    accept = Digest::SHA1.base64digest("#{env["HTTP_SEC_WEBSOCKET_KEY"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
    io = env["rack.hijack"].call
    io.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
             "Sec-WebSocket-Accept: #{accept}\r\n\r\n")
    Thread.new { io.read }
    next [-1, {}, []]
  when "/slow" then sleep query["s"].to_f; body = "slow"
  else body = "hello"
  end
  [200, { "content-type" => "text/plain" }, [body + "\n"]]
end)
