#!/usr/bin/env puma
require "barnes"

directory '/srv/desk/current'
rackup "/srv/desk/current/config.ru"
environment 'staging'
tag 'desk'

pidfile "/srv/desk/shared/tmp/pids/puma.pid"
state_path "/srv/desk/shared/tmp/pids/puma.state"
stdout_redirect '/srv/desk/shared/log/puma.out.log', '/srv/desk/shared/log/puma.err.log', true

threads 4, 16
bind 'unix:///srv/desk/shared/tmp/sockets/puma.sock'
ssl_bind '0.0.0.0', '9292', {
  cert: 'cert.pem',
  key: 'key.pem'
}
workers 4
fork_worker 500
worker_boot_timeout 120
worker_shutdown_timeout(45)
force_shutdown_after 20
prune_bundler
activate_control_app 'unix:///srv/desk/shared/tmp/sockets/pumactl.sock', { auth_token: '12345' }
on_restart do
  puts 'Refreshing Gemfile'
  ENV["BUNDLE_GEMFILE"] = ""
end
lowlevel_error_handler do |e|
  [500, {}, ["An error has occurred: #{e.message}\n"]]
end
plugin :solid_queue
wait_for_less_busy_worker 0.005
fast_mode true
