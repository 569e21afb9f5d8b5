package output

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"passenger/lib/visible"
)

// A Format is how a log writes lines.
type Format int

const (
	// Text is for people: "[shop 1234] " before each line, which is made
	// visible; "[shop/worker 1234] " for a side process.
	Text Format = iota

	// JSON is an object a line, with the names of the Elastic Common Schema.
	JSON

	// Raw is the lines as they are.
	Raw
)

// ECSVersion is the version of the Elastic Common Schema whose names are used.
const ECSVersion = "9.4.0"

// An ecsLine is a line of an app in the words of the Elastic Common Schema;
// what it has no word for is below "passenger.".
type ecsLine struct {
	Timestamp   string `json:"@timestamp"`
	Message     string `json:"message"`
	ECS         string `json:"ecs.version"`
	Dataset     string `json:"event.dataset"`
	Service     string `json:"service.name"`
	Environment string `json:"service.environment,omitempty"`
	Node        string `json:"service.node.name,omitempty"`
	PID         int    `json:"process.pid,omitempty"`
	Stream      Stream `json:"passenger.stream,omitempty"`
	ProcessType string `json:"passenger.process_type,omitempty"`
	Generation  int    `json:"passenger.generation,omitempty"`
	Level       string `json:"log.level,omitempty"`

	// Own is what an app wrote as an object, which keeps its names there. It is
	// last: what reads a line by its first "event.dataset" reads ours.
	Own json.RawMessage `json:"passenger.json,omitempty"`
}

// line appends one line of an app to dst.
func (f Format) line(dst []byte, from *Source, stream Stream, at time.Time, text []byte) []byte {
	switch f {
	case Raw:
		return append(append(dst, text...), '\n')
	case JSON:
		return appendJSON(dst, ecsLine{
			Timestamp: stamp(at), Message: string(text), ECS: ECSVersion, Dataset: "passenger.app", Service: from.App,
			Environment: from.Environment, Node: from.ID, PID: from.PID, Stream: stream, ProcessType: from.ProcessType, Generation: from.Generation, Own: object(text),
		})
	}
	dst = append(append(dst, '['), from.App...)
	if from.ProcessType != "" {
		dst = append(append(dst, '/'), from.ProcessType...)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, int64(from.PID), 10)
	return append(visible.AppendLine(append(dst, "] "...), text), '\n')
}

// object is text if it is a JSON object, else nil.
func object(text []byte) json.RawMessage {
	if text = bytes.TrimSpace(text); len(text) > 0 && text[0] == '{' && json.Valid(text) {
		return text
	}
	return nil
}

// own appends a line of the log itself.
func (f Format) own(dst []byte, at time.Time, text string) []byte {
	if f == JSON {
		return appendJSON(dst, ecsLine{Timestamp: stamp(at), Message: text, ECS: ECSVersion, Dataset: "passenger.log", Service: "passenger", Level: "warn"})
	}
	return append(append(append(dst, "[passenger] "...), text...), '\n')
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func appendJSON(dst []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // strings and numbers always have a JSON form
		return dst
	}
	return append(append(dst, b...), '\n')
}
