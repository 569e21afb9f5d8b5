package listener

import "testing"

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
