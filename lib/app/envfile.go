package app

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxEnvFile is the largest environment file, in bytes.
const maxEnvFile = 1 << 20

// ReadEnvFile reads a file of NAME=VALUE lines; see ParseEnv. Below /dev, where
// descriptors have names, it may be a pipe; elsewhere it would wait for a writer
// that never comes, and is refused.
func ReadEnvFile(path string) ([]string, error) {
	flags := os.O_RDONLY
	if !strings.HasPrefix(path, "/dev/") {
		flags |= unix.O_NONBLOCK
	}
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil {
		return nil, err
	} else if flags != os.O_RDONLY && !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	env, err := ParseEnv(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return env, nil
}

// ParseEnv reads NAME=VALUE lines. Empty lines and those that begin with #
// count for nothing, "export " may stand before a name, and a value may stand
// in single or double quotes, which mean nothing else. An error names the line
// but not what stands there, which may be a secret.
func ParseEnv(r io.Reader) ([]string, error) {
	var env []string
	limited := &io.LimitedReader{R: r, N: maxEnvFile + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxEnvFile)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimPrefix(strings.TrimSpace(strings.TrimPrefix(lines.Text(), byteOrderMark)), "export ")
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsRune(line, 0) {
			return nil, fmt.Errorf("line %d has not the form NAME=VALUE", n)
		}
		if len(value) > 1 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		env = append(env, name+"="+value)
	}
	if limited.N == 0 || errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fmt.Errorf("larger than %d bytes", maxEnvFile)
	}
	return env, lines.Err()
}
