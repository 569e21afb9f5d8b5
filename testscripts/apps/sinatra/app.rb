# frozen_string_literal: true

require "digest"
require "sinatra/base"

# A small app on Sinatra, in its modular style.
class App < Sinatra::Base
  get "/" do
    erb :index
  end

  post "/form" do
    content_type :text
    "name=#{params['name']}"
  end

  post "/upload" do
    content_type :text
    digest(request.body)
  end

  post "/upload-form" do
    content_type :text
    digest(params["file"]["tempfile"])
  end

  get "/stream" do
    content_type "application/octet-stream"
    stream do |out|
      320.times { |i| out << (i % 256).chr * 65_536 }
    end
  end

  get "/redirect" do
    redirect to("/")
  end

  get "/cookie" do
    content_type :text
    response.set_cookie("seen", value: "yes", path: "/")
    "seen=#{request.cookies['seen'] || 'none'}"
  end

  get "/query" do
    content_type :text
    "q=#{params['q']}"
  end

  get "/error" do
    raise "deliberate failure"
  end

  get "/pid" do
    content_type :text
    Process.pid.to_s
  end

  get "/sleep" do
    content_type :text
    sleep params["seconds"].to_f
    "slept #{params['seconds']}"
  end

  private

  def digest(input)
    sha = Digest::SHA256.new
    while (part = input.read(65_536))
      sha << part
    end
    sha.hexdigest
  end
end
