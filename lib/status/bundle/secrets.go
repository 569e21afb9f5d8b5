package bundle

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"

	"passenger/lib/protocol"
	"passenger/lib/secret"
	"passenger/lib/status"
)

// secrets are those of each app.
type secrets []secret.Set

// mostEnvironments is how many processes' environments are read for secrets: an
// app's are alike.
const mostEnvironments = 3

// secretsOf reads them where an app gets them: from its settings, and from the
// environments of its processes, as far as we may read these.
func secretsOf(s status.Snapshot) secrets {
	var found secrets
	if s.Apps != nil {
		for i := range s.Apps.Apps {
			found = append(found, secret.Of(s.Apps.Apps[i].Config.EnvVars, nil))
		}
	}
	list := s.Records
	if s.Processes != nil {
		list = s.Processes.Processes
	}
	read := map[string]int{}
	for i := range list {
		p := &list[i]
		if p.State == protocol.Exited || read[p.App] == mostEnvironments {
			continue
		}
		if env := environmentOf(p.PID); env != nil {
			read[p.App]++
			found = append(found, secret.Of(env, nil))
		}
	}
	return found
}

// environmentOf is nil if it may not be read.
func environmentOf(pid int) map[string]string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return nil
	}
	env := map[string]string{}
	for _, kv := range strings.Split(string(b), "\x00") {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	return env
}

func (s secrets) text(text string) string {
	for _, set := range s {
		text = set.Text(text)
	}
	return text
}

// apps are the pool's apps without the values of their variables: not all of
// them are secrets, but none is needed.
func (s secrets) apps(list protocol.AppList) protocol.AppList {
	list.Apps = slices.Clone(list.Apps)
	for i := range list.Apps {
		vars := map[string]string{}
		for name := range list.Apps[i].Config.EnvVars {
			vars[name] = secret.Hidden
		}
		list.Apps[i].Config.EnvVars = vars
	}
	return list
}

// json takes the secrets out of every string of a document, and indents it.
func (s secrets) json(document []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(s.within(v), "", "  ")
	return append(b, '\n'), err
}

func (s secrets) within(v any) any {
	switch v := v.(type) {
	case string:
		return s.text(v)
	case []any:
		for i := range v {
			v[i] = s.within(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = s.within(v[k])
		}
	}
	return v
}
