# frozen_string_literal: true

# A page as of an application: 5 ms of the CPU, 20 ms of waiting as for a database,
# 20 kB of HTML, a session's cookie. / and /pid cost nothing.
PAGE = "<p>a line of a page that somebody reads</p>\n" * 466

def work
  until_cpu = Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) + 0.005
  nil while Process.clock_gettime(Process::CLOCK_THREAD_CPUTIME_ID) < until_cpu
  sleep 0.02
end

page = lambda do |env|
  case env['PATH_INFO']
  when '/page'
    work
    visits = env['HTTP_COOKIE'].to_s[/visits=(\d+)/, 1].to_i + 1
    [200, { 'Content-Type' => 'text/html', 'Content-Length' => PAGE.bytesize.to_s, 'Set-Cookie' => "visits=#{visits}; HttpOnly; SameSite=Lax" }, [PAGE]]
  else
    body = env['PATH_INFO'] == '/pid' ? Process.pid.to_s : "hello world\n"
    [200, { 'Content-Type' => 'text/plain', 'Content-Length' => body.bytesize.to_s }, [body]]
  end
end

run page
