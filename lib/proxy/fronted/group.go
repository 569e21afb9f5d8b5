package fronted

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"path"
	"strconv"
	"strings"
	"sync/atomic"

	"passenger/lib/http1"
)

// A group is an app that a web server in front configures. The first request
// of a group says how it is run.
type group struct {
	app    string
	digest uint64      // of what the first request said
	warned atomic.Bool // that another said other things
}

// appendGroup appends the name of the group that the request is for, as
// Passenger makes it: the app's directory and, if it is set, the environment.
// It is empty if the web server configures no app.
func (h *Headers) appendGroup(b []byte, r *http1.Request) []byte {
	if v := h.Value(r, appGroupName); v != nil {
		return append(b, v...)
	}
	switch root, public := h.Value(r, appRoot), h.Value(r, documentRoot); {
	case root != nil:
		b = append(b, root...)
	case public != nil:
		b = append(b, parent(public)...)
	default:
		return b
	}
	if env := h.Value(r, appEnv); env != nil {
		b = append(append(append(b, " ("...), env...), ')')
	}
	return b
}

// parent is the directory of a document root: its app's.
func parent(public []byte) []byte {
	for len(public) > 1 && public[len(public)-1] == '/' {
		public = public[:len(public)-1]
	}
	for n := len(public) - 1; n > 0; n-- {
		if public[n] == '/' {
			return public[:n]
		}
	}
	return public[:min(1, len(public))]
}

var seed = maphash.MakeSeed()

// digest sums up what the web server says of the app.
func (h *Headers) digest(r *http1.Request) (sum uint64) {
	for n := appRoot; int(n) < int(firstSetting)+len(settings); n++ {
		if h.at[n] != 0 {
			sum += maphash.Bytes(seed, h.Value(r, n)) * (2*uint64(n) + 1)
		}
	}
	return sum
}

// configures says that the web server says more of the app than its name.
func (h *Headers) configures() bool {
	for n := appRoot; int(n) < int(firstSetting)+len(settings); n++ {
		if h.at[n] != 0 && n != scriptName {
			return true
		}
	}
	return false
}

// config makes settings of what the web server says, for the app of a name.
// No request finds that app by host and path: the web server's own rules on
// who may see it would be gone around.
func (h *Headers) config(r *http1.Request, name string) (map[string]any, error) {
	c := map[string]any{"name": name, "unlisted": true, "base_uri": "/"}
	if v := h.Value(r, documentRoot); v != nil {
		c["static_files_dir"], c["app_root"] = string(v), string(parent(v))
	}
	if v := h.Value(r, appRoot); v != nil {
		c["app_root"] = string(v)
	}
	root, ok := c["app_root"].(string)
	if !ok || !path.IsAbs(root) {
		return nil, fmt.Errorf("PASSENGER_APP_ROOT or DOCUMENT_ROOT must be an absolute path, not %q", root)
	}
	if v := h.Value(r, scriptName); v != nil {
		c["base_uri"] = string(v)
	}
	for i, s := range settings {
		v := h.Value(r, firstSetting+Name(i))
		if v == nil {
			continue
		}
		value, err := s.parse(string(v))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.header, err)
		}
		c[s.key] = value
	}
	return c, nil
}

func (s *setting) parse(v string) (any, error) {
	switch s.kind {
	case number:
		n, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", v)
		}
		return n, nil
	case boolean:
		switch v {
		case "t", "true", "on", "1":
			return true, nil
		case "f", "false", "off", "0":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither on nor off", v)
	case variables:
		return parseVariables(v)
	}
	return v, nil
}

func parseVariables(v string) (map[string]string, error) {
	b, err := base64.StdEncoding.DecodeString(v)
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	parts := strings.Split(string(b), "\x00")
	if len(parts)%2 != 1 || parts[len(parts)-1] != "" {
		return nil, errors.New("it is not a list of names and values, each with a NUL byte at its end")
	}
	list := map[string]string{}
	for i := 0; i+1 < len(parts); i += 2 {
		list[parts[i]] = parts[i+1]
	}
	return list, nil
}

// maxAppName is the longest name of an app. Its last nameHash bytes tell apps
// apart whose groups have similar names.
const (
	maxAppName = 40
	nameHash   = 8
)

// AppNameOf makes a name for the app of a group, always the same: the group's
// if it can be one, else the last element of its path and a hash of all of it.
func AppNameOf(group string) string {
	base, _, _ := strings.Cut(path.Base(group), " (")
	name := strings.TrimLeft(strings.Map(appNameRune, base), "._-")
	if name == group && name != "" && len(name) <= maxAppName {
		return name
	}
	name = name[:min(len(name), maxAppName-nameHash-1)]
	if name == "" {
		name = "app"
	}
	sum := sha256.Sum256([]byte(group))
	return name + "-" + hex.EncodeToString(sum[:nameHash/2])
}

// appNameRune is what becomes of a letter in an app's name.
func appNameRune(r rune) rune {
	switch {
	case r >= 'A' && r <= 'Z':
		return r + 'a' - 'A'
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
		return r
	}
	return '-'
}
