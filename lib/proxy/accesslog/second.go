package accesslog

import "time"

// A second is a time as text, which costs more to make than all else in a line.
type second struct {
	unix   int64
	common []byte // of Apache's logs, in the local time
	iso    []byte // ISO 8601 in UTC, up to the second and without a zone
}

// set makes s the second of t.
func (s *second) set(t time.Time) {
	if s.unix == t.Unix() && s.common != nil {
		return
	}
	s.unix = t.Unix()
	s.common = t.AppendFormat(s.common[:0], "02/Jan/2006:15:04:05 -0700")
	s.iso = t.UTC().AppendFormat(s.iso[:0], "2006-01-02T15:04:05")
}
