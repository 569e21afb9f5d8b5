# frozen_string_literal: true

# Hello after 20 ms without the CPU, as of a database.
hello = lambda do |env|
  body = env['PATH_INFO'] == '/pid' ? Process.pid.to_s : "hello world\n"
  sleep 0.02
  [200, { 'Content-Type' => 'text/plain', 'Content-Length' => body.bytesize.to_s }, [body]]
end

run hello
