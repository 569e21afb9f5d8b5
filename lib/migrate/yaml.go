package migrate

import (
	"errors"
	"strings"

	yaml "go.yaml.in/yaml/v3"
)

// yaml reads a file in YAML as one value. Of aliases it knows the names only.
func (r *reading) yaml() (*value, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(r.text), &document); err != nil {
		return nil, err
	}
	if len(document.Content) != 1 {
		return nil, errors.New("it is not one object")
	}
	leaves := 0
	root, err := yamlValue(document.Content[0], 0, &leaves)
	if err != nil {
		return nil, err
	}
	for i, line := range r.lines {
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "#") || trimmed == "---" || trimmed == "-" {
			r.skip(i+1, i+1)
		}
	}
	return root, nil
}

// yamlKinds are the kinds of single values by their tags.
var yamlKinds = map[string]kind{"!!str": text, "!!int": number, "!!float": number, "!!bool": truth, "!!null": null, "!!timestamp": text}

func yamlValue(n *yaml.Node, depth int, leaves *int) (*value, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	if *leaves++; *leaves > maxLeaves {
		return nil, errLeaves
	}
	v := &value{line: max(n.Line, 1), end: max(n.Line, 1)}
	switch n.Kind {
	case yaml.MappingNode:
		v.kind = object
		for i := 0; i+1 < len(n.Content); i += 2 {
			f, err := yamlValue(n.Content[i+1], depth+1, leaves)
			if err != nil {
				return nil, err
			}
			v.fields = append(v.fields, field{shortened(n.Content[i].Value), max(n.Content[i].Line, 1), f})
			v.end = max(v.end, f.end)
		}
	case yaml.SequenceNode:
		v.kind = list
		for _, c := range n.Content {
			i, err := yamlValue(c, depth+1, leaves)
			if err != nil {
				return nil, err
			}
			v.items = append(v.items, i)
			v.end = max(v.end, i.end)
		}
	case yaml.ScalarNode:
		k, ok := yamlKinds[n.Tag]
		v.kind, v.text = k, n.Value
		if !ok {
			v.kind = code
		}
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			v.end += strings.Count(n.Value, "\n") + 1
		}
	default:
		v.kind, v.text = code, "*"+n.Value
	}
	return v, nil
}
