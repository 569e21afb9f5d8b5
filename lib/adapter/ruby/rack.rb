# frozen_string_literal: true

# rack.rb FILE serves a Rack app over the process contract of
# passenger-protocol(7): it loads the app that the rackup FILE describes,
# reports READY=1, and answers sessions on the listening socket.
#
# rack.rb --preload FILE loads the app, and serves it in the processes that it
# forks when the spawner orders one.
#
# Until the app's bundle is set up this program loads core classes only, no
# library and no gem: a default gem that we had activated could be another
# version than the app's Gemfile.lock asks for. Everything of ours is below
# PhusionPassenger, and nothing is defined at the top level, whose local
# variables and methods config.ru can see.

if (RUBY_VERSION.split(".").map(&:to_i) <=> [3, 1]) == -1
  warn "passenger: Ruby #{RUBY_VERSION} is older than 3.1, the oldest that the Rack adapter is tested with; it may work"
end

require_relative "yjit"
PhusionPassenger::Yjit.start(__FILE__, ARGV)

require_relative "backtraces"
require_relative "events"
require_relative "forks"
require_relative "out_of_band"
require_relative "contract"
require_relative "text"
require_relative "failure"
require_relative "loader"
require_relative "databases"
require_relative "warm_up"
require_relative "preparation"
require_relative "findings"
require_relative "preloader"
require_relative "body"
require_relative "input"
require_relative "hijack"
require_relative "stream"
require_relative "response"
require_relative "shapes"
require_relative "connection"
require_relative "server"
require_relative "threaded_server"

module PhusionPassenger
  class << self
    # Runs the adapter; returns when the process has been asked to stop.
    def serve(args)
      $stdout.sync = $stderr.sync = true
      Backtraces.trap_signal
      preload = args.first == "--preload" && args.shift
      contract = Contract.take(ENV)
      Forks.watch
      Forks.holders = [contract]
      app = or_fail(contract) { Loader.new(Dir.pwd, args.shift).load }
      Yjit.enable(contract.yjit)
      require "socket"
      gate = fork_ready(contract, app, contract.warm_up) if preload
      gate = fork_ready(contract, app, []) while serve_app(contract, app, preload ? true : false, gate) == :promoted
    end

    private

    # Makes this process a preloader. Returns in each process that it forks:
    # the gate if the process is to keep it.
    def fork_ready(contract, app, paths)
      findings = or_fail(contract) do
        Preparation.run(app, paths)
        Findings.all(contract.descriptors)
      end
      name = ENV["PASSENGER_APP_NAME"] || File.basename(Dir.pwd)
      Process.setproctitle("passenger: preloader of #{name}")
      contract.notify(["READY=1", *findings.first(16).map { |text| "X_PASSENGER_WARNING=#{text[0, 400].tr("\n", " ")}" }].join("\n"))
      gate = Preloader.new(contract).run
      Process.setproctitle("passenger: app #{name}")
      Random.srand
      gate
    end

    # Returns :promoted in a process that was forked to be a preloader.
    def serve_app(contract, app, forked, gate)
      server = nil
      Forks.holders = [contract]
      or_fail(contract) do
        Databases.reconnect if forked
        call_event(:starting_worker_process, forked)
        server = new_server(contract, app)
        Forks.holders = [server, contract]
        server.trap_signals
        call_event(:after_installing_signal_handlers)
      end
      level = advertised_concurrency_level
      contract.notify("READY=1\nX_PASSENGER_SESSION=2\nX_PASSENGER_SESSION=3#{"\nX_PASSENGER_CONCURRENCY=#{level}" if level}")
      keep(gate, server, contract) if gate
      run(server, contract)
    end

    def new_server(contract, app)
      listener = UNIXServer.for_fd(contract.socket)
      listener.autoclose = false # one that is promoted has something else there
      rack = Rack.release.to_i
      return ThreadedServer.new(listener, app, rack, contract.threads) if contract.threads > 1

      call_event(:starting_request_handler_thread)
      Server.new(listener, app, rack)
    end

    # Takes orders for preloaders through the gate.
    def keep(gate, server, contract)
      orders = Preloader.new(contract, gate)
      server.watch(gate) do
        outcome = orders.promote
        throw :promoted, outcome if outcome == :promoted

        outcome == :serving
      end
    end

    def run(server, contract)
      outcome = catch(:promoted) { server.run }
      if outcome == :promoted
        server.abandon
        Forks.holders = [contract]
      end
      outcome
    ensure # also when the app calls exit
      unless outcome == :promoted || Forks.child?
        contract.notify("STOPPING=1")
        call_event_quietly(:stopping_worker_process)
      end
    end

    def or_fail(contract)
      result = yield
      Forks.child? ? Forks.leave : result
    rescue Exception => e # whatever it is, the process cannot serve
      raise if Forks.child?

      failure = Failure.new(e, Dir.pwd)
      contract.notify("X_PASSENGER_ERROR=" + failure.to_json)
      raise if e.is_a?(SystemExit) # the app's own words are out, and its status counts
      warn failure.backtrace
      exit 1
    end
  end
end

PhusionPassenger.serve(ARGV)
