package spawn

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

func TestParseNotice(t *testing.T) {
	t.Parallel()
	failed := &report{Category: protocol.CategorySyntax, Summary: "s", Advice: "a"}
	for _, tt := range []struct {
		in   string
		want notice
		ok   bool
	}{
		{"READY=1", notice{ready: true}, true},
		{"STATUS=x\nREADY=1\nMAINPID=7\n", notice{ready: true}, true},
		{"READY=0", notice{}, false},
		{"READY=1x", notice{}, false},
		{" READY=1", notice{}, false},
		{"STOPPING=1", notice{}, false},
		{"", notice{}, false},
		{`X_PASSENGER_ERROR={"category":"syntax","summary":"s","advice":"a","more":1}`, notice{report: failed}, true},
		{`X_PASSENGER_ERROR={"category":"syntax"}`, notice{}, false},
		{`X_PASSENGER_ERROR={`, notice{}, false},
	} {
		got, ok := parseNotice([]byte(tt.in))
		if ok != tt.ok {
			t.Errorf("%q: got %v, want %v", tt.in, ok, tt.ok)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(notice{})); diff != "" {
			t.Errorf("%q: %s", tt.in, diff)
		}
	}
}

func TestQueueLengthReadsOnlyWhatItKnows(t *testing.T) {
	t.Parallel()
	reply := make([]byte, diagReplyHead)
	reply[4] = sockDiagByFamily
	attribute := func(kind byte, value ...byte) []byte {
		return append([]byte{byte(4 + len(value)), 0, kind, 0}, value...)
	}
	for _, tt := range []struct {
		name string
		b    []byte
		want uint32
		ok   bool
	}{
		{"the queue", append(reply[:len(reply):len(reply)], attribute(attrQueueLength, 3, 0, 0, 0, 9, 0, 0, 0)...), 3, true},
		{"after another", append(append(reply[:len(reply):len(reply)], attribute(1, 1, 2, 3, 4)...), attribute(attrQueueLength, 2, 0, 0, 0)...), 2, true},
		{"none", reply, 0, false},
		{"cut off", append(reply[:len(reply):len(reply)], 200, 0, attrQueueLength, 0), 0, false},
		{"of no length", append(reply[:len(reply):len(reply)], 0, 0, attrQueueLength, 0), 0, false},
		{"an error", make([]byte, diagReplyHead), 0, false},
		{"short", []byte{1}, 0, false},
	} {
		if got, ok := queueLength(tt.b); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %d, %v, want %d, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}
