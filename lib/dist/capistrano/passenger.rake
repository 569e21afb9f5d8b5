# Capistrano 3: restarts the app after each deploy and each rollback, waits for the
# outcome, and takes back a release that does not serve. In the Capfile:
#
#   import "/usr/share/passenger/capistrano/passenger.rake"
#
# The user that deploys needs to be in the control group, or
#   SSHKit.config.command_map[:"passenger-pool"] = "sudo passenger-pool"
#
# "passenger-pool restart --wait" ends with status 0 when the new release serves, and
# with 5 when it does not and the old one goes on. Then "current" leads to the
# former release again, the new one is kept as rolled-back-release-*.tar.gz, and
# "cap" itself ends with status 5.

namespace :load do
  task :defaults do
    set :passenger_roles, :app
    set :passenger_app, -> { fetch(:application) } # the name that the pool knows
    set :passenger_timeout, "10m"                  # for a restart to be over
  end
end

namespace :passenger do
  old_serves = 5

  # The outcomes by host: the exit statuses of passenger-pool.
  run = lambda do |*command|
    outcomes = Queue.new
    on roles(fetch(:passenger_roles)) do |host|
      execute :"passenger-pool", *command
      outcomes << [host, 0]
    rescue SSHKit::Command::Failed => e
      status = e.message[/exit status: (\d+)/, 1].to_i
      error "#{host}: passenger-pool #{command.first} ended with status #{status}"
      outcomes << [host, status]
    end
    Array.new(outcomes.size) { outcomes.pop }.to_h
  end

  desc "Restart the app on all servers and wait until it serves"
  task :restart do
    outcomes = run.call(:restart, fetch(:passenger_app), "--wait", "--timeout", fetch(:passenger_timeout))
    next if outcomes.values.all?(0)
    # In a rollback there is nothing to go back to.
    if outcomes.value?(old_serves) && !fetch(:rollback_timestamp)
      set :passenger_restarted, outcomes.select { |_, status| status.zero? }.keys
      invoke "passenger:revert"
      exit old_serves
    end
    raise "the app was not restarted on #{outcomes.reject { |_, status| status.zero? }.keys.join(', ')}"
  end

  # The servers on which the new release does serve get the old one as well.
  task :revert do
    invoke "deploy:revert_release"
    invoke! "deploy:symlink:release"
    invoke "deploy:cleanup_rollback"
    invoke "deploy:log_revision"
    on fetch(:passenger_restarted) do
      execute :"passenger-pool", :restart, fetch(:passenger_app), "--wait", "--timeout", fetch(:passenger_timeout)
    end
    invoke "deploy:failed"
  end

  desc "Have the pool read its settings again, and wait for the app: after the first deploy of all"
  task :start do
    [%i[reload], [:wait, fetch(:passenger_app)]].each do |command|
      next if run.call(*command).values.all?(0)
      raise "the app was not started"
    end
  end

  # The first deploy has no process to replace.
  task :publish do
    first = false
    on(roles(fetch(:passenger_roles))) { first = true if capture(:ls, "-x", releases_path).split.size == 1 }
    invoke first ? "passenger:start" : "passenger:restart"
  end
end

after "deploy:publishing", "passenger:publish"
