package app

import (
	"fmt"
	"strings"

	"passenger/lib/protocol"
	"passenger/lib/spelling"
)

// unknownKey is what to add to the name of a key that settings do not have:
// what takes its place, if it is one of Phusion Passenger's, else the key that
// may have been meant.
func unknownKey(key string) string {
	if where := Instead(key); where != "" {
		return ", which Phusion Passenger has: " + where
	}
	if len(key) > maxToldKey {
		return ""
	}
	return spelling.DidYouMean(key, Keys())
}

// Instead says what takes the place of an option of Phusion Passenger that settings
// do not have, empty for any other key.
func Instead(key string) string { return instead[key] + unused(key) }

// unused says of an option of Phusion Passenger that the app runs without it as
// it is meant to, and what takes its place; empty for any other key.
func unused(key string) string {
	if where := elsewhere[key]; where != "" {
		return where
	}
	for _, f := range families {
		if strings.HasPrefix(key, f.prefix) {
			return f.where
		}
	}
	return ""
}

// Warnings says of each key of the app's files that has no meaning here what
// takes its place.
func Warnings(c protocol.AppConfig) []string {
	warnings := []string{}
	for i, key := range c.Unused {
		if i == mostTold {
			return append(warnings, fmt.Sprintf("%d more keys of Phusion Passenger have no meaning here", len(c.Unused)-i))
		}
		warnings = append(warnings, fmt.Sprintf("key %q of Phusion Passenger has no meaning here: %s", shortened(key), unused(key)))
	}
	return warnings
}

const (
	automatic  = "leave it out; this server does so by itself"
	noEngine   = "leave it out; no nginx is run, the proxy serves HTTP itself"
	noCalls    = "leave it out; nothing here calls home"
	noPanel    = "leave it out; nothing here reports to an admin panel"
	noBuild    = "leave it out; nothing is downloaded or compiled at start"
	noAgents   = "leave it out; the agents of Phusion Passenger do not exist here"
	noModule   = "leave it out; it is of the web server that Phusion Passenger runs in"
	fixed      = "leave it out; the status cannot be chosen"
	proxyFlag  = "it is of the whole server; use passenger-proxy serve "
	startFlag  = "it is of the whole server; use passenger start "
	inEnv      = `use "environment"`
	inRlimits  = `use "rlimits" with "nofile=N"`
	byRestarts = "leave it out; restarts are rolling, and a deploy that fails changes nothing"
	byHooks    = "use passenger-pool serve --hook"
)

// instead are those of Phusion Passenger's options without which the app would
// not run as it is meant to, with what to do instead.
var instead = map[string]string{
	"app_env": inEnv, "rails_env": inEnv, "rack_env": inEnv, "node_env": inEnv, "wsgi_env": inEnv,
	"server_name": `use "server_names"`, "rackup": `use "startup_file"`, "load_shell_envs": `use "load_shell_envvars"`,
	"meteor_app_settings":        `use "envvars" with METEOR_SETTINGS`,
	"app_support_kuria_protocol": kuria, "app_supports_kuria_protocol": kuria,
	"enabled":    "leave it out; an app that is named is served",
	"set_header": `set it in the web server in front, or let the app do without`,
}

const kuria = "leave it out, and let the command listen on $PORT or on the descriptor of LISTEN_FDS"

// elsewhere are those that mean nothing here and whose want harms nothing, so
// that one file serves both, with what takes their place.
var elsewhere = map[string]string{
	"address": startFlag + "--address", "port": startFlag + "--port", "socket_file": startFlag + "--socket",
	"max_pool_size":         startFlag + "--max-pool-size, or passenger-pool serve --max-pool-size",
	"max_instances_per_app": `use "max_instances"`,

	"ssl": proxyFlag + "--listen tls:ADDRESS", "ssl_port": proxyFlag + "--listen tls:ADDRESS",
	"ssl_certificate": proxyFlag + "--certificate", "ssl_certificate_key": proxyFlag + "--key",
	"data_buffer_dir": proxyFlag + "--data-buffer-dir", "instance_registry_dir": "use --state-dir of each program", "spawn_dir": "use --state-dir of each program",
	"log_level": "use --verbose of each program to be told more", "log_file": "redirect the standard error of the programs", "debug_log_file": "redirect the standard error of the programs",
	"file_descriptor_log_file": noAgents, "dump_config_manifest": "ask passenger-status --format=json",
	"daemonize": "run it under an init system", "pid_file": "the state directory has a lock file with the process ID of each program",
	"user_switching": "use passenger-spawn serve --user-switching", "default_user": "use passenger-spawn serve --default-user", "default_group": "use passenger-spawn serve --default-group",
	"default_ruby": `use "ruby"`,

	"app_group_name": `use "name"`, "document_root": `use "static_files_dir"`, "app_rights": noAgents, "lve_min_uid": noAgents,
	"thread_count": `use "threads"`, "concurrency_model": `use "threads": more than 1 is threads`,
	"unlimited_concurrency_paths": `use "force_max_concurrent_requests_per_process", which is of all paths`, "unlimited_concurrency_path": `use "force_max_concurrent_requests_per_process", which is of all paths`,
	"core_file_descriptor_ulimit": "raise the limit of open files of passenger-proxy", "app_file_descriptor_ulimit": inRlimits,
	"hard_memory_limit": `use "memory_limit": at twice as much a process is stopped at once`, "socket_backlog": automatic, "response_buffer_high_water_mark": `use "response_buffer_high_watermark"`,
	"rolling_restarts": byRestarts, "resist_deployment_errors": byRestarts, "defer_port_binding": automatic,
	"spawn_exception_status_code": fixed, "request_queue_timeout_status_code": fixed,

	"auto": automatic, "preload_bundler": automatic, "stat_throttle_rate": automatic, "memory_limit_action": automatic, "abort_on_startup_error": automatic,
	"max_out_of_band_work_instances": automatic, "allow_encoded_slashes": noModule, "high_performance": noModule, "fly_with": noModule,
	"ctl": noAgents, "ctls": noAgents, "analytics_collection_rate": noAgents,
	"pass_header": noModule, "ignore_headers": noModule, "headers_hash_max_size": noModule, "headers_hash_bucket_size": noModule, "ignore_client_abort": noModule,
	"buffer_size": noModule, "buffers": noModule, "busy_buffers_size": noModule, "temp_path": proxyFlag + "--data-buffer-dir",
	"request_buffering": noModule, "intercept_errors": noModule,
	"debugger":  `start the app's debugger itself, with "app_start_command"`,
	"pre_start": `use "min_instances": that many are started at once`, "prestart_urls": `use "min_instances": that many are started at once`,
	"direct_instance_request_address": "ask a process at the address that passenger-status names",
	"show_version_in_header":          "leave it out; no header names this server's version",
	"monitor_log_file":                "leave it out; what the app writes to its standard output is logged",

	"engine": noEngine, "debug_nginx_config": noEngine,
	"binaries_url_root": noBuild, "install_runtime": noBuild, "compile_runtime": noBuild, "no_install_runtime": noBuild, "no_compile_runtime": noBuild, "runtime_check_only": noBuild,
	"disable_log_prefix":            `use "app_log_file", whose lines have none`,
	"disable_security_update_check": noCalls, "security_update_check_proxy": noCalls,
	"disable_anonymous_telemetry": noCalls, "anonymous_telemetry_proxy": noCalls,
}

// families are options that have a beginning in common.
var families = []struct{ prefix, where string }{
	{"nginx_", noEngine}, {"admin_panel_", noPanel}, {"hook_", byHooks}, {"union_station_", noCalls}, {"disable_", automatic},
	{"controller_", noAgents}, {"telemetry_collector_", noCalls}, {"security_update_checker_", noCalls},
}
