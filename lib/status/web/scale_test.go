package web

import (
	"net/http"
	"strings"
	"testing"

	"passenger/lib/protocol"
)

func TestScaleIsWhatAScalerReads(t *testing.T) {
	t.Parallel()
	s := village()
	s.Apps.Apps[0].Wanted, s.Apps.Apps[0].WantedReason = 9, "wants 9, has 1"
	s.Apps.Apps[0].Needs, s.Apps.Apps[1].Needs = 8.1, 1.25
	s.Apps.Apps[0].Processes = append(s.Apps.Apps[0].Processes, protocol.AppProcess{Process: protocol.Process{State: protocol.Draining}})
	s.Apps.Apps[1].Wanted = 2
	h, _ := server(t, secretToken, s)
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"/scale?app=hers", 200, `{"app":"hers","wanted":9,"needs":8.1,"has":1,"reason":"wants 9, has 1"}`},
		{"/scale", 200, `{"wanted":11,"needs":9.35,"has":2,"max_pool_size":6,"apps":[{"app":"hers","wanted":9,"needs":8.1,"has":1,"reason":"wants 9, has 1"},{"app":"his","wanted":2,"needs":1.25,"has":1}]}`},
		{"/scale?app=theirs", 404, "there is no such app"},
	} {
		w := get(t, h, c.path, "Authorization: Bearer "+string(secretToken))
		if body := strings.TrimSpace(w.Body.String()); w.Code != c.status || c.status == 200 && body != c.want || !strings.Contains(body, c.want) {
			t.Errorf("%s: got %d, %s", c.path, w.Code, body)
		}
	}
	if w := get(t, h, "/scale"); w.Code != http.StatusUnauthorized {
		t.Errorf("without the token: got %d", w.Code)
	}
	s.Apps = nil
	h, _ = server(t, "", s)
	if w := get(t, h, "/scale", "Authorization: Bearer "+string(secretToken)); w.Code == 200 {
		t.Errorf("without a pool: got %d, %s", w.Code, w.Body)
	}
}
