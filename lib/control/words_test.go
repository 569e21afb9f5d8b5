package control

import (
	"encoding/json"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

func TestTypeErrorsAreInWordsOfJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		into       any
		body, want string
	}{
		{&protocol.PauseRequest{}, `{"page": "yes"}`, `key "page" takes true or false, not a string`},
		{&protocol.PauseRequest{}, `{"timeout_seconds": true}`, `key "timeout_seconds" takes a number, not true or false`},
		{&protocol.ScaleRequest{}, `{"instances": 1.5}`, `key "instances" takes a whole number, not a number`},
		{&protocol.ScaleRequest{}, `{"instances": "2"}`, `key "instances" takes a whole number, not a string`},
		{&protocol.AppConfig{}, `{"server_names": {}}`, `key "server_names" takes a list, not an object`},
		{&protocol.AppConfig{}, `{"app_root": ["/"]}`, `key "app_root" takes a string, not a list`},
		{&protocol.PauseRequest{}, `{"timeout_seconds": 1e400}`, `key "timeout_seconds" takes no number as large as 1e400`},
		{&protocol.ScaleRequest{}, `{"instances": 9223372036854775808}`, `key "instances" takes no number as large as 9223372036854775808`},
		{&protocol.AppConfig{}, `{"app_root": 9223372036854775808}`, `key "app_root" takes a string, not a number`},
		{&protocol.PauseRequest{}, `[]`, `it takes an object, not a list`},
	} {
		err := inWords(json.Unmarshal([]byte(tt.body), tt.into))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %q", tt.body, err, tt.want)
		}
	}
	err := inWords(json.Unmarshal([]byte(`{`), &protocol.PauseRequest{}))
	if err == nil || strings.Contains(err.Error(), "Go") {
		t.Errorf("got %v", err)
	}
}
