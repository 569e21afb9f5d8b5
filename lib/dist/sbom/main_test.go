package main

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestDescribe describes the program that runs it.
func TestDescribe(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := describe("1.2.3", []string{self, self})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range doc.Components {
		names = append(names, c.Name)
	}
	if !slices.Contains(names, "sbom.test") || !slices.Contains(names, "std") || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("got %v, want this test and the standard library, each once", names)
	}
	i := slices.IndexFunc(doc.Components, func(c component) bool { return c.Name == "std" })
	if got := doc.Components[i]; !strings.Contains(runtime.Version(), got.Version) || got.PURL != "pkg:golang/std@"+got.Version {
		t.Errorf("the standard library: got %+v", got)
	}
	if _, err := describe("1", []string{"/etc/passwd"}); err == nil {
		t.Error("a file that is no program is described")
	}
}
