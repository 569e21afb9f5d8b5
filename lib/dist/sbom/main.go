// Command sbom prints what programs are made of, as a CycloneDX document: the
// modules that the Go compiler noted in them.
//
//	go run ./lib/dist/sbom VERSION PROGRAM...
package main

import (
	"cmp"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A document is CycloneDX 1.5, so much of it as is known.
type document struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl,omitempty"`
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: sbom VERSION PROGRAM...")
		os.Exit(2)
	}
	doc, err := describe(os.Args[1], os.Args[2:])
	if err == nil {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(doc)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// describe reads what the programs are made of. The document has no time and no
// number of its own, so that the same programs make the same one.
func describe(version string, programs []string) (document, error) {
	whole := component{Type: "application", Ref: "passenger-toolkit", Name: "passenger-toolkit", Version: version}
	parts := map[string]component{}
	for _, path := range programs {
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return document{}, err
		}
		name := filepath.Base(path)
		parts[name] = component{Type: "application", Ref: name, Name: name, Version: version}
		add(parts, "std", strings.TrimPrefix(info.GoVersion, "go"))
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			add(parts, m.Path, m.Version)
		}
	}
	list := slices.SortedFunc(maps.Values(parts), func(a, b component) int { return cmp.Compare(a.Ref, b.Ref) })
	return document{"CycloneDX", "1.5", 1, metadata{whole}, list}, nil
}

func add(parts map[string]component, module, version string) {
	purl := "pkg:golang/" + module + "@" + version
	parts[purl] = component{Type: "library", Ref: purl, Name: module, Version: version, PURL: purl}
}
