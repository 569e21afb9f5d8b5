package app

import "passenger/lib/spelling"

// unknownKey is what to add to the name of a key that settings do not have:
// what takes its place, if it is one of Phusion Passenger's, else the key that
// may have been meant.
func unknownKey(key string) string {
	if where := elsewhere[key]; where != "" {
		return ", which Phusion Passenger has: " + where
	}
	return spelling.DidYouMean(key, Keys())
}

const (
	automatic  = "leave it out; this server does so by itself"
	noEngine   = "leave it out; no nginx is run, the proxy serves HTTP itself"
	noCalls    = "leave it out; nothing here calls home"
	noPanel    = "leave it out; nothing here reports to an admin panel"
	proxyFlag  = "it is of the whole server; use passenger-proxy serve "
	startFlag  = "it is of the whole server; use passenger start "
	inEnv      = `use "environment"`
	inRlimits  = `use "rlimits" with "nofile=N"`
	byRestarts = "leave it out; restarts are rolling, and a deploy that fails changes nothing"
)

// elsewhere says, for each of Phusion Passenger's options that is no key of
// ours, what to do instead.
var elsewhere = map[string]string{
	"address": startFlag + "--address", "port": startFlag + "--port", "socket_file": startFlag + "--socket",
	"max_pool_size": startFlag + "--max-pool-size, or passenger-pool serve --max-pool-size",

	"ssl": proxyFlag + "--listen tls:ADDRESS", "ssl_port": proxyFlag + "--listen tls:ADDRESS",
	"ssl_certificate": proxyFlag + "--certificate", "ssl_certificate_key": proxyFlag + "--key",
	"data_buffer_dir": proxyFlag + "--data-buffer-dir", "instance_registry_dir": "use --state-dir of each program",
	"log_level": "use --verbose of each program to be told more", "log_file": "redirect the standard error of the programs",
	"daemonize": "run it under an init system", "pid_file": "the state directory has a lock file with the process ID of each program",

	"app_env": inEnv, "rails_env": inEnv, "rack_env": inEnv, "node_env": inEnv, "wsgi_env": inEnv,
	"app_group_name": `use "name"`, "server_name": `use "server_names"`, "rackup": `use "startup_file"`,
	"thread_count": `use "threads"`, "concurrency_model": `use "threads": more than 1 is threads`,
	"load_shell_envs": `use "load_shell_envvars"`, "unlimited_concurrency_paths": `use "force_max_concurrent_requests_per_process", which is of all paths`,
	"core_file_descriptor_ulimit": "raise the limit of open files of passenger-proxy", "app_file_descriptor_ulimit": inRlimits,
	"rolling_restarts": byRestarts, "resist_deployment_errors": byRestarts,

	"auto": automatic, "preload_bundler": automatic, "stat_throttle_rate": automatic, "memory_limit_action": automatic,
	"max_out_of_band_work_instances": automatic, "allow_encoded_slashes": automatic, "fly_with": automatic, "ctl": automatic,
	"debugger": `start the app's debugger itself, with "app_start_command"`, "meteor_app_settings": `use "envvars" with METEOR_SETTINGS`,
	"pre_start": `use "min_instances": that many are started at once`, "direct_instance_request_address": "ask a process at the address that passenger-status names",
	"show_version_in_header": "leave it out; no header names this server's version", "disable_log_prefix": `use "app_log_file", whose lines have none`,
	"monitor_log_file": "leave it out; what the app writes to its standard output is logged",

	"engine": noEngine, "nginx_config_template": noEngine, "nginx_bin": noEngine, "nginx_version": noEngine, "nginx_tarball": noEngine,
	"admin_panel_url": noPanel, "admin_panel_auth_type": noPanel, "admin_panel_username": noPanel, "admin_panel_password": noPanel,
	"disable_security_update_check": noCalls, "security_update_check_proxy": noCalls,
	"disable_anonymous_telemetry": noCalls, "anonymous_telemetry_proxy": noCalls,
}
