package testscripts

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// registries are hosts that packages come from, written so that this file
	// names none. What a Gemfile has to begin with is not among them.
	registries = []string{
		"registry." + "npmjs.org", "registry." + "yarnpkg.com", "npm." + "pkg.github.com",
		"proxy." + "golang.org", "sum." + "golang.org", "vuln." + "go.dev",
		"pypi." + "org", "files." + "pythonhosted.org",
		"deb." + "debian.org", "docker." + "io", "ghcr." + "io",
	}

	// outside are places of one machine: where a checkout stands, and what stands
	// beside it. Tests may speak of a home, which is an example.
	outside = regexp.MustCompile(`(^|[^\w./}$-])(/work|/mnt|/Users)/\w|file:///[a-z]+/`)

	lockfile = regexp.MustCompile(`(^|/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml)$`)
	resolved = regexp.MustCompile(`(?m)^\s*"?resolved"?:? `)
)

// TestFilesNameNoPlaceOfTheirOrigin: a clone builds from whatever mirror its
// machine is set to, and knows nothing of the machine that it was made on.
func TestFilesNameNoPlaceOfTheirOrigin(t *testing.T) {
	t.Parallel()
	for _, file := range lines(t, "git", "-C", "..", "ls-files") {
		info, err := os.Lstat(filepath.Join("..", file))
		if err != nil || !info.Mode().IsRegular() {
			continue // removed, and not committed yet; or a link
		}
		b, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		for _, host := range registries {
			if strings.Contains(text, host) {
				t.Errorf("%s names the registry %s", file, host)
			}
		}
		if m := outside.FindString(text); m != "" && path.Ext(file) != ".sum" {
			t.Errorf("%s names a place outside of the repository: %q", file, m)
		}
		if lockfile.MatchString(file) && resolved.MatchString(text) {
			t.Errorf("%s says where its packages were found; make it with omit-lockfile-registry-resolved=true in .npmrc, and no file: dependency", file)
		}
	}
}

func TestPlacesOutsideAreKnown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"see /wo" + "rk/x":                true, // this file is looked at, too
		"-db file:" + "///srv/db":         true,
		"$WORK/home/shop":                 false,
		"a/work/b":                        false,
		`"/srv/shop"`:                     false,
		"/proc/self/exe of /usr/bin/ruby": false,
	} {
		if got := outside.MatchString(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	if !resolved.MatchString("    \"resolved\": \"x\",\n") || !resolved.MatchString("  resolved \"https://x\"\n") || resolved.MatchString("  \"unresolved\": 1\n") {
		t.Error("a resolved line is not told from others")
	}
}
