# Short answers to programs.
class AnswersController < ApplicationController
  # 20 MiB, made as they are sent.
  def stream
    headers["Content-Type"] = "application/octet-stream"
    headers["Last-Modified"] = Time.now.httpdate # else Rack::ETag reads it all first
    self.response_body = Enumerator.new do |out|
      320.times { |i| out << (i % 256).chr * 65_536 }
    end
  end

  def cookie
    response.set_cookie("seen", value: "yes", path: "/")
    render plain: "seen=#{cookies[:seen] || 'none'}"
  end

  def query
    render plain: "q=#{params[:q]}"
  end

  def error
    raise "deliberate failure"
  end

  def pid
    render plain: Process.pid.to_s
  end

  def slept
    sleep params[:seconds].to_f
    render plain: "slept #{params[:seconds]}"
  end
end
