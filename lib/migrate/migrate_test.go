package migrate

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"passenger/lib/app"
)

var update = flag.Bool("update", false, "write golden files anew")

// TestFiles reads configurations as public projects have them, and compares the
// settings and the notes with golden files. What is made passes the check of the
// program that it is for.
func TestFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/files/*/*")
	if err != nil || len(files) < 30 {
		t.Fatalf("got %d files, %v; want 30", len(files), err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		t.Run(strings.TrimPrefix(file, "testdata/files/"), func(t *testing.T) {
			t.Parallel()
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Read(Input{Path: "/srv/app/" + filepath.Base(file), Text: b})
			if err != nil {
				t.Fatal(err)
			}
			if folder := filepath.Base(filepath.Dir(file)); !strings.HasPrefix(folder, r.Format) {
				t.Errorf("got format %s, want that of %s", r.Format, folder)
			}
			got := reportText(t, r, filepath.Base(file))
			golden := file + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			complete(t, string(b), r)
		})
	}
}

// reportText is a report as the golden files have it.
func reportText(t *testing.T, r *Report, name string) string {
	t.Helper()
	var b bytes.Buffer
	for _, c := range r.Apps {
		out, err := JSON(c)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(out)
		read, err := app.Parse(out)
		if err != nil {
			t.Errorf("what was made for %s cannot be read: %v", c.Name, err)
		}
		if err := check(read); err != nil {
			t.Errorf("what was made for %s is wrong: %v", c.Name, err)
		}
	}
	if err := r.WriteNotes(&b, name); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// complete checks that a note tells of each line that has more than a comment, or
// than what closes others.
func complete(t *testing.T, text string, r *Report) {
	t.Helper()
	told := map[int]bool{}
	for _, n := range r.Notes {
		for i := n.Line; i <= n.End; i++ {
			told[i] = true
		}
	}
	comment, continued := false, false
	for i, line := range strings.Split(strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff"), "\n") {
		opens := strings.LastIndex(line, "/*")
		begins := opens >= 0 && strings.LastIndex(line, "*/") < opens+2
		if !told[i+1] && !comment && !continued && !strings.Contains(line, "*/") && !begins && says(r.Format, strings.TrimSpace(line)) {
			t.Errorf("nothing tells of line %d: %q\n%s", i+1, line, text)
		}
		if strings.Contains(line, "*/") {
			comment = false
		}
		comment = comment || begins
		continued = r.Format == "apache" && strings.HasSuffix(strings.TrimSpace(line), `\`) // also a comment
	}
}

// says says that a line is not blank, no comment, and opens or closes more than a
// block of others.
func says(format, line string) bool {
	switch format {
	case "unit", "pm2", "passenger":
		open := strings.TrimRight(line, ", \t")
		if before, _, ok := strings.Cut(line, "#"); ok && strings.Trim(before, "{}[](), \t") == "" {
			return false // a comment in YAML
		}
		if strings.HasPrefix(line, "//") || strings.TrimRight(open, "{[(") != open || strings.HasPrefix(line, "#") || line == "---" || strings.HasSuffix(line, ":") || strings.HasPrefix(line, "- ") || line == "-" {
			return false // what is inside is told of
		}
	case "uwsgi":
		if strings.HasPrefix(line, ";") {
			return false
		}
	case "nginx":
		if strings.HasSuffix(strings.TrimRight(line, "; \t"), "{") {
			return false
		}
	case "apache":
		if strings.HasPrefix(line, "<") {
			return false
		}
	}
	return strings.Trim(line, "{}[]();, \t\r") != "" && (!strings.HasPrefix(line, "#") || format == "unit")
}

// A module may be a file or a package, which only the app's directory tells.
func TestModulesMayBePackages(t *testing.T) {
	t.Parallel()
	for there, want := range map[string]string{"": "shop.py:app", "/srv/app/shop/__init__.py": "shop/__init__.py:app"} {
		exists := func(path string) bool { return path == there }
		r, err := Read(Input{Path: "/srv/app/gunicorn.conf.py", Text: []byte("wsgi_app = \"shop:app\"\n"), Exists: exists})
		if err != nil || len(r.Apps) != 1 || r.Apps[0].StartupFile != want {
			t.Errorf("with %q: got %+v, %v; want %s", there, r, err, want)
		}
	}
}

// What is no value of a setting is not taken over as if it was.
func TestDefaultsAreNotTakenForValues(t *testing.T) {
	t.Parallel()
	r, err := Read(Input{Path: "/srv/app/gunicorn.conf.py", Text: []byte("graceful_timeout = 0\nthreads = 5000\nmax_requests = 0\n")})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Fate{ByHand, ByHand, Became} {
		if got := r.Notes[i]; got.Fate != want {
			t.Errorf("got %+v, want fate %d", got, want)
		}
	}
}
