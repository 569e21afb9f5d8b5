# frozen_string_literal: true

# rack.rb FILE serves a Rack app over the process contract of
# passenger-protocol(7): it loads the app that the rackup FILE describes,
# reports READY=1, and answers sessions on the listening socket.
#
# Until the app's bundle is set up this program loads core classes only, no
# library and no gem: a default gem that we had activated could be another
# version than the app's Gemfile.lock asks for. Everything of ours is below
# PhusionPassenger, and nothing is defined at the top level, whose local
# variables and methods config.ru can see.

require_relative "events"
require_relative "contract"
require_relative "failure"
require_relative "loader"
require_relative "body"
require_relative "input"
require_relative "stream"
require_relative "response"
require_relative "connection"
require_relative "server"

module PhusionPassenger
  # Runs the adapter; returns when the process has been asked to stop.
  def self.serve(args)
    $stdout.sync = $stderr.sync = true
    contract = Contract.take(ENV)
    file = args.shift
    app = load_or_exit(contract, file)

    require "socket"
    server = Server.new(UNIXServer.for_fd(contract.listener), app, Rack.release.to_i)
    server.trap_signals
    call_event(:starting_worker_process, false)
    contract.notify("READY=1")
    begin
      server.run
    ensure # also when the app calls exit
      contract.notify("STOPPING=1")
      call_event(:stopping_worker_process)
    end
  end

  def self.load_or_exit(contract, file)
    Loader.new(Dir.pwd, file).load
  rescue Exception => e # whatever it is, the process cannot serve
    failure = Failure.new(e, Dir.pwd)
    contract.notify("X_PASSENGER_ERROR=" + failure.to_json)
    raise if e.is_a?(SystemExit) # the app's own words are out, and its status counts
    warn failure.backtrace
    exit 1
  end
  private_class_method :load_or_exit
end

PhusionPassenger.serve(ARGV)
