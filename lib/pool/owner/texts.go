package owner

import (
	"encoding/json"
	"fmt"

	"passenger/lib/protocol"
)

// texts are the routes of the last table as they stand in its file. Nearly all of
// them are in the next table, too, and are not made again. Nil texts are those of no
// table.
type texts map[*protocol.Route]json.RawMessage

// of is the content of a table's file: what [statedir.WriteJSON] would write.
func (t *texts) of(table *protocol.Routes) ([]byte, error) {
	const indent = "  "
	next, size := make(texts, len(table.Apps)), 0
	for _, r := range table.Apps {
		text, ok := (*t)[r]
		if !ok {
			var err error
			if text, err = json.MarshalIndent(r, indent+indent, indent); err != nil {
				return nil, fmt.Errorf("route of app %q: %w", r.App, err)
			}
		}
		next[r] = text
		size += len(text) + len(indent+indent+",\n")
	}
	*t = next
	b := make([]byte, 0, size+100)
	b = fmt.Appendf(b, "{\n%s\"version\": %d,\n%s\"apps\": [", indent, table.Version, indent)
	for i, r := range table.Apps {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, "\n"+indent+indent...), next[r]...)
	}
	if len(table.Apps) > 0 {
		b = append(b, "\n"+indent...)
	}
	return append(b, "]\n}\n"...), nil
}
