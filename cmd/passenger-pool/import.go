package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/natefinch/atomic"

	"passenger/lib/cli"
	"passenger/lib/migrate"
	"passenger/lib/protocol"
	"passenger/lib/spelling"
	"passenger/lib/visible"
)

type importCommand struct {
	Files   []string `arg:"" name:"file" help:"Settings of another server."`
	From    string   `placeholder:"FORMAT" help:"What the files are: unit, uwsgi, puma, gunicorn, pm2, procfile, nginx, apache or passenger. Default: found by name and text."`
	AppRoot string   `name:"app-root" placeholder:"DIR" help:"Where the app lies, if not beside its file. What the file says wins."`
	Output  string   `placeholder:"DIR" help:"Write a file NAME.json for each app here. Default: print them."`
	Force   bool     `help:"Write over files that exist."`
}

func usageError(format string, args ...any) error {
	return &cli.Error{Err: fmt.Errorf(format, args...), Status: cli.Usage}
}

// Run reads all files before it writes any.
func (c *importCommand) Run() error {
	if c.From != "" && !slices.Contains(migrate.Formats, c.From) {
		return usageError("--from=%s: unknown format%s", c.From, spelling.DidYouMean(c.From, migrate.Formats))
	}
	if c.Force && c.Output == "" {
		return usageError("--force means nothing without --output")
	}
	made := map[string][]byte{}
	from := map[string]string{}
	names := []string{}
	for _, file := range c.Files {
		report, err := c.read(file)
		if err != nil {
			return err
		}
		if err := report.WriteNotes(os.Stderr, file); err != nil {
			return err
		}
		for _, a := range report.Apps {
			if from[a.Name] != "" {
				err := fmt.Errorf("cannot import: %s and %s both describe an app %q", from[a.Name], file, a.Name)
				return cli.Hint(err, "import one of the two, and look into the other for what is missing")
			}
			tellWhereabouts(a)
			if made[a.Name], err = migrate.JSON(a); err != nil {
				return fmt.Errorf("internal error: %w", err)
			}
			from[a.Name] = file
			names = append(names, a.Name)
		}
	}
	if len(names) == 0 {
		return cli.Hint(errors.New("cannot import: no app is described there"), "see passenger-migration(7) for what is read")
	}
	return c.write(names, made)
}

// read reads one file.
func (c *importCommand) read(file string) (*migrate.Report, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", file, err)
	}
	text, err := migrate.Load(path)
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", file, err)
	}
	in := migrate.Input{Path: path, Format: c.From, Text: text, Exists: exists}
	if c.AppRoot != "" {
		if in.Root, err = filepath.Abs(c.AppRoot); err != nil {
			return nil, fmt.Errorf("cannot import %s: %w", file, err)
		}
	}
	report, err := migrate.Read(in)
	if errors.Is(err, migrate.ErrFormat) {
		err = fmt.Errorf("cannot import %s: %w", file, err)
		return nil, cli.Hint(err, "name its format: --from=%s", strings.Join(migrate.Formats, "|"))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", file, err)
	}
	return report, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// tellWhereabouts says of an app whose directory is not here that nobody looked
// into it.
func tellWhereabouts(a protocol.AppConfig) {
	if !exists(a.AppRoot) {
		fmt.Fprintf(os.Stderr, "App %q: there is no %s on this machine; passenger-pool takes the settings where there is one.\n", a.Name, visible.Line(a.AppRoot))
	}
}

// write prints the settings, or writes them to files: all, or none where one of
// them is there already.
func (c *importCommand) write(names []string, made map[string][]byte) error {
	if c.Output == "" {
		for _, name := range names {
			if _, err := os.Stdout.Write(made[name]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := os.MkdirAll(c.Output, 0o755); err != nil {
		return fmt.Errorf("cannot write settings: %w", err)
	}
	for _, name := range names {
		path := filepath.Join(c.Output, name+".json")
		if _, err := os.Lstat(path); !c.Force && !errors.Is(err, fs.ErrNotExist) {
			err := fmt.Errorf("cannot write settings: %s exists", path)
			return cli.Hint(err, "compare it with what is printed without --output, or write over it with --force")
		}
	}
	for _, name := range names {
		path := filepath.Join(c.Output, name+".json")
		if err := writeSettings(path, made[name]); err != nil {
			return fmt.Errorf("cannot write settings: %w", err)
		}
		if _, err := fmt.Println(path); err != nil {
			return err
		}
	}
	return nil
}

// writeSettings writes a file that its owner alone reads: settings have secrets.
func writeSettings(path string, b []byte) error {
	return atomic.WriteFile(path, strings.NewReader(string(b)))
}
