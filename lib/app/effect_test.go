package app

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

// TestEveryEffectIsThoughtOf has a new setting looked at: one that processes read
// at their start belongs into a list of effects.
func TestEveryEffectIsThoughtOf(t *testing.T) {
	t.Parallel()
	var now []string
	for _, key := range Keys() {
		if EffectOf(key) == protocol.EffectNow {
			now = append(now, key)
		}
	}
	for key := range effects {
		if known[key] == nil {
			t.Errorf("there is no setting %q", key)
		}
	}
	want := []string{
		"canonical_host", "client_request_burst", "client_request_concurrency", "client_request_rate", "compression", "request_burst",
		"request_concurrency", "request_rate",
		"abort_websockets_on_process_shutdown", "accel_locations", "added_headers", "base_uri", "buffer_response",
		"buffer_upload", "custom_error_page", "drain_timeout", "friendly_error_pages", "health_check_path",
		"health_check_timeout", "maintenance_page", "max_instances", "max_preloader_idle_time", "max_request_body_size",
		"max_request_queue_size", "max_request_queue_time", "max_request_time", "max_requests", "max_upgraded_per_process",
		"memory_limit", "min_instances", "name", "pass_expect", "pool_idle_time", "processes", "read_timeout",
		"refork_after", "request_queue_overflow_status_code", "response_buffer_high_watermark", "restart_dir",
		"restart_surge", "sendfile_dirs", "server_names", "spare_instances", "start_timeout", "static_cache_control",
		"static_files_dir", "static_mounts", "sticky_sessions", "sticky_sessions_cookie_attributes",
		"sticky_sessions_cookie_name", "trial_time", "turbocaching", "unlisted", "vary_turbocache_by_cookie",
		"warm_up_requests", "watch_errors",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, now); diff != "" {
		t.Errorf("settings that count at once (-want +got)\n%s", diff)
	}
}
