package output

import (
	"bytes"
	"strconv"

	"passenger/lib/visible"
)

// maxEntry is the longest message of one entry of a journal, in bytes: systemd
// splits longer lines of a service there, too.
const maxEntry = 48 << 10

// Priorities of syslog(3).
const (
	priorityWarning = '4'
	priorityInfo    = '6'
)

// entries are what a line of an app is in a journal, each in systemd's native
// protocol. A priority as services write it, "<4>", is taken off the line.
func entries(from *Source, stream Stream, line []byte) (list [][]byte) {
	priority := byte(priorityInfo)
	if len(line) > 3 && line[0] == '<' && '0' <= line[1] && line[1] <= '7' && line[2] == '>' {
		priority, line = line[1], line[3:]
	}
	message := visible.AppendLine(nil, line)
	for {
		part := message[:min(len(message), maxEntry)]
		message = message[len(part):]
		list = append(list, entry(from, stream, priority, part))
		if len(message) == 0 {
			return list
		}
	}
}

// entry has only values that visible made, names and numbers: none of them has a
// newline, which would begin another field.
func entry(from *Source, stream Stream, priority byte, message []byte) []byte {
	var b bytes.Buffer
	field := func(name string, value []byte) {
		b.WriteString(name)
		b.WriteByte('=')
		b.Write(value)
		b.WriteByte('\n')
	}
	text := func(s string) []byte { return visible.AppendLine(nil, []byte(s)) }
	field("MESSAGE", message)
	field("PRIORITY", []byte{priority})
	field("SYSLOG_IDENTIFIER", text(from.App))
	field("PASSENGER_APP", text(from.App))
	field("PASSENGER_PID", strconv.AppendInt(nil, int64(from.PID), 10))
	field("PASSENGER_STREAM", text(string(stream)))
	field("PASSENGER_PROCESS", text(from.ID))
	field("PASSENGER_GENERATION", strconv.AppendInt(nil, int64(from.Generation), 10))
	if from.ProcessType != "" {
		field("PASSENGER_PROCESS_TYPE", text(from.ProcessType))
	}
	if from.Environment != "" {
		field("PASSENGER_ENVIRONMENT", text(from.Environment))
	}
	return b.Bytes()
}
