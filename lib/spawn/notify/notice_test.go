package notify

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/protocol"
)

func TestParseNotice(t *testing.T) {
	t.Parallel()
	failed := &Report{Category: protocol.CategorySyntax, Summary: "s", Advice: "a"}
	for _, tt := range []struct {
		in   string
		want Notice
		ok   bool
	}{
		{"READY=1", Notice{Ready: true}, true},
		{"STATUS=x\nREADY=1\nMAINPID=7\n", Notice{Ready: true}, true},
		{"READY=1\nX_PASSENGER_SESSION=2\n", Notice{Ready: true, SessionForm: 2}, true},
		{"READY=1\nX_PASSENGER_SESSION=3\nX_PASSENGER_SESSION=2", Notice{Ready: true, SessionForm: 3}, true},
		{"READY=1\nX_PASSENGER_SESSION=4", Notice{Ready: true}, true}, // whoever knows it says 3, too
		{"READY=0", Notice{}, false},
		{"READY=1x", Notice{}, false},
		{" READY=1", Notice{}, false},
		{"STOPPING=1", Notice{}, false},
		{"", Notice{}, false},
		{`X_PASSENGER_ERROR={"category":"syntax","summary":"s","advice":"a","more":1}`, Notice{Report: failed}, true},
		{`X_PASSENGER_ERROR={"category":"syntax"}`, Notice{}, false},
		{`X_PASSENGER_ERROR={`, Notice{}, false},
	} {
		got, ok := Parse([]byte(tt.in))
		if ok != tt.ok {
			t.Errorf("%q: got %v, want %v", tt.in, ok, tt.ok)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(Notice{})); diff != "" {
			t.Errorf("%q: %s", tt.in, diff)
		}
	}
}
