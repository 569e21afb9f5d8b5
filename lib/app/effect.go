package app

import "passenger/lib/protocol"

// effects say how a change of each setting comes into effect. They agree with what
// the pool does; a setting that is in none of the lists counts at once.
var effects = func() map[string]protocol.Effect {
	all := map[string]protocol.Effect{}
	for _, key := range []string{
		"app_root", "app_type", "startup_file", "app_start_command", "environment", "envvars", "ruby", "python", "nodejs",
		"force_max_concurrent_requests_per_process",
	} {
		all[key] = protocol.EffectRestart
	}
	for _, key := range []string{
		"threads", "env_files", "load_shell_envvars", "spawn_method", "user", "group", "umask", "rlimits", "nice", "oom_score_adj",
		"no_new_privileges", "memory_max", "pids_max", "cpu_weight", "app_log_file", "stop_grace", "yjit",
	} {
		all[key] = protocol.EffectLater
	}
	return all
}()

// EffectOf is how a change of a setting comes into effect.
func EffectOf(key string) protocol.Effect {
	if e, ok := effects[key]; ok {
		return e
	}
	return protocol.EffectNow
}
