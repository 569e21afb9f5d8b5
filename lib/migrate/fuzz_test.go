package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"passenger/lib/app"
)

// fuzz tries whatever comes as a file of a format. It is read in a time that
// nobody notices, each line of it is told of, and what is made of it passes the
// check of the program that it is for.
func fuzz(f *testing.F, format string, names ...string) {
	files, err := filepath.Glob("testdata/files/" + format + "/*")
	if err != nil || len(files) == 0 {
		f.Fatal("no files to begin with", err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range names {
			began := time.Now()
			r, err := Read(Input{Path: "/srv/app/" + name, Format: format, Text: b})
			if took := time.Since(began); took > time.Minute {
				t.Fatalf("it took %v", took)
			}
			if err != nil {
				continue
			}
			complete(t, string(b), r)
			seen := map[string]bool{}
			for _, c := range r.Apps {
				if seen[c.Name] {
					t.Errorf("two apps are %q", c.Name)
				}
				seen[c.Name] = true
				out, err := JSON(c)
				if err != nil {
					t.Fatal(err)
				}
				if read, err := app.Parse(out); err != nil {
					t.Errorf("%v in\n%s", err, out)
				} else if err := check(read); err != nil {
					t.Errorf("%v in\n%s", err, out)
				}
			}
		}
	})
}

func FuzzUnit(f *testing.F)      { fuzz(f, "unit", "unit.json") }
func FuzzUWSGI(f *testing.F)     { fuzz(f, "uwsgi", "uwsgi.ini") }
func FuzzPuma(f *testing.F)      { fuzz(f, "puma", "puma.rb") }
func FuzzGunicorn(f *testing.F)  { fuzz(f, "gunicorn", "gunicorn.conf.py") }
func FuzzPM2(f *testing.F)       { fuzz(f, "pm2", "ecosystem.config.js", "pm2.json", "pm2.yml") }
func FuzzProcfile(f *testing.F)  { fuzz(f, "procfile", "Procfile") }
func FuzzNginx(f *testing.F)     { fuzz(f, "nginx", "nginx.conf") }
func FuzzApache(f *testing.F)    { fuzz(f, "apache", "httpd.conf") }
func FuzzPassenger(f *testing.F) { fuzz(f, "passenger", "Passengerfile.json") }

// unknown are lines that no server knows, by formats of lines.
var unknown = map[string]string{
	"uwsgi": "zz-unknown = 1", "puma": "zz_unknown 1", "gunicorn": "zz_unknown = 1", "procfile": "zz_unknown x", "nginx": "zz_unknown 1;", "apache": "zz_unknown 1",
}

// TestUnknownLines puts a line that no server knows at each place of each file: it
// is told of by its name, unless it is inside of something that is told of whole.
func TestUnknownLines(t *testing.T) {
	t.Parallel()
	for format, line := range unknown {
		files, _ := filepath.Glob("testdata/files/" + format + "/*")
		for _, file := range files {
			if strings.HasSuffix(file, ".golden") {
				continue
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitAfter(string(b), "\n")
			for i := range lines {
				text := strings.Join(lines[:i], "") + line + "\n" + strings.Join(lines[i:], "")
				r, err := Read(Input{Path: "/srv/app/x", Format: format, Text: []byte(text)})
				if err != nil {
					t.Errorf("%s, line %d: %v", file, i+1, err)
					continue
				}
				complete(t, text, r)
				for _, n := range r.Notes {
					if n.Line == i+1 && n.End == i+1 && (n.Fate != ByHand || !strings.Contains(n.Name, line[:2])) {
						t.Errorf("%s, line %d: got the note %+v", file, i+1, n)
					}
				}
			}
		}
	}
}

// Files that are large or deep are refused, or read in time.
func TestBounds(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"brackets":   strings.Repeat("[", maxText),
		"braces":     strings.Repeat("{a:", maxText/3),
		"blocks":     strings.Repeat("a {", maxText/3),
		"quotes":     strings.Repeat(`'\`, maxText/2),
		"comments":   strings.Repeat("/*", maxText/2),
		"comments2":  strings.Repeat("/*\n", maxLines-10),
		"backticks":  strings.Repeat("`\\", maxText/2),
		"a list":     "x = [" + strings.Repeat("1,", maxText/2-10) + "]",
		"nginx":      strings.Repeat("server{passenger_enabled on;root /a/b;}", maxText/39),
		"lines":      strings.Repeat("a\n", maxText/2),
		"variables":  "a = [1,1,1,1,1,1,1,1]\nb = [a,a,a,a,a,a,a,a]\nc = [b,b,b,b,b,b,b,b]\nd = [c,c,c,c,c,c,c,c]\nwsgi_app = [d,d,d,d,d,d,d,d]\n",
		"env":        strings.Repeat("env = A=1\n", maxLines-10),
		"continued":  strings.Repeat("a \\\n", maxLines-10),
		"yaml":       "a: &a [x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\napps: [*c,*c,*c]\n",
		"conditions": strings.Repeat("if x\n", maxLines-10),
		"hosts":      "server { passenger_enabled on; root /a/b; " + strings.Repeat("server_name a b c;", maxText/30) + "}",
	} {
		for _, format := range Formats {
			names := []string{"x"}
			if format == "pm2" {
				names = append(names, "x.yml")
			}
			for _, name := range names {
				began := time.Now()
				_, _ = Read(Input{Path: "/srv/app/" + name, Format: format, Text: []byte(text)}) // it may be refused
				if took := time.Since(began); took > time.Minute {
					t.Errorf("%s as %s took %v", what, format, took)
				}
			}
		}
	}
}
