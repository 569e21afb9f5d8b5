# frozen_string_literal: true

hello = lambda do |env|
  body = env['PATH_INFO'] == '/pid' ? Process.pid.to_s : "hello world\n"
  [200, { 'Content-Type' => 'text/plain', 'Content-Length' => body.bytesize.to_s }, [body]]
end

run hello
