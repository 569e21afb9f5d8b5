package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"passenger/lib/proc"
	"passenger/lib/spawn/environ"
)

func TestReadOrder(t *testing.T) {
	t.Parallel()
	framed := func(length int, text string) []byte {
		return append(binary.BigEndian.AppendUint32(nil, uint32(length)), text...)
	}
	for _, tt := range []struct {
		name string
		sent []byte
		want string // in the error, empty for none
	}{
		{"an order", framed(21, `{"log_file":"/x.log"}`), ""},
		{"fields of a later version", framed(21, `{"more":1,"newer":{}}`), ""},
		{"nothing", nil, "the spawner is gone"},
		{"half a length", []byte{0, 0}, "the spawner is gone"},
		{"half an order", framed(9, `{"log`), "the spawner is gone"},
		{"no JSON", framed(3, "xyz"), "order: invalid character"},
		{"too long", framed(maxOrder+1, ""), "an order of 1048577 bytes is too long"},
	} {
		_, err := readOrder(bytes.NewReader(tt.sent))
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// What the spawner is told of an error decides what it advises.
func TestRefusals(t *testing.T) {
	t.Parallel()
	_, badFile := environ.Sources{Files: []string{"none.env"}}.Read(t.TempDir())
	for _, tt := range []struct {
		err      error
		category string
		advice   string
	}{
		{fmt.Errorf("run: %w", exec.ErrNotFound), CategoryCommand, ""},
		{fmt.Errorf("exec: %w", syscall.ENOENT), CategoryCommand, ""},
		{fmt.Errorf("exec: %w", syscall.EACCES), CategoryPermission, ""},
		{&proc.BlockedError{Path: "/srv/shop/app", Directory: "/srv/shop", Mode: 0o700}, CategoryPermission, "chmod o+x /srv/shop"},
		{badFile, CategoryConfig, ""},
		{errors.New("set limit nofile"), CategoryOther, ""},
		{syscall.ENOSPC, CategoryOther, ""},
	} {
		got := refusal(tt.err)
		if got.Category != tt.category || got.Error == "" || !strings.Contains(got.Advice, tt.advice) || tt.advice == "" && got.Advice != "" {
			t.Errorf("%v: got %+v, want %s with advice %q", tt.err, got, tt.category, tt.advice)
		}
	}
}

func TestReached(t *testing.T) {
	t.Parallel()
	if !Reached(Args([]string{"true"})) {
		t.Error("a process at its gate is not known")
	}
	for _, line := range []string{"passenger-spawn", "passenger-spawn exec -- true", "passenger-spawn exec --gate --", "passenger-spawn run --gate -- x"} {
		if Reached(strings.Fields(line)) {
			t.Errorf("%q is taken for a process at its gate", line)
		}
	}
}
