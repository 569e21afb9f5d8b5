package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"passenger/lib/acme"
	"passenger/lib/cli"
)

type acmeFlags struct {
	Domains  []string `name:"acme-domain" placeholder:"NAME" help:"Get a certificate for this name by ACME, and renew it. May be repeated."`
	AgreeTOS bool     `name:"acme-agree-tos" help:"Agree to the terms of service of the authority that issues them."`
	CA       string   `name:"acme-ca" placeholder:"URL" help:"Its directory. Default: that of Let's Encrypt."`
	Email    string   `name:"acme-email" placeholder:"ADDRESS" help:"Where it may write to."`
	ACMEDir  string   `name:"acme-dir" placeholder:"DIR" help:"Where certificates and the account's key are kept. Default: acme in systemd's state directory, else below /var/lib/passenger for root, else below the user's directory for state."`
}

// config is what the flags say, nil if no certificates are wanted. Its directory
// is as given.
func (f *acmeFlags) config() (*acme.Config, error) {
	if len(f.Domains) == 0 {
		if f.AgreeTOS || f.CA+f.Email+f.ACMEDir != "" {
			return nil, usage("the --acme flags mean nothing without --acme-domain")
		}
		return nil, nil
	}
	if !f.AgreeTOS {
		return nil, &cli.Error{
			Err:    errors.New("--acme-domain needs --acme-agree-tos"),
			Hint:   "read the terms of service of the authority, and agree to them with that flag",
			Status: cli.Usage,
		}
	}
	c := &acme.Config{Directory: f.CA, Email: f.Email, Dir: f.ACMEDir}
	if c.Directory == "" {
		c.Directory = acme.LetsEncrypt
	}
	if err := acme.CheckDirectory(c.Directory); err != nil {
		return nil, usage("--acme-ca: %w", err)
	}
	for _, text := range f.Domains {
		name, err := acme.Domain(text)
		if err != nil {
			return nil, usage("--acme-domain: %w", err)
		}
		c.Names = append(c.Names, name)
	}
	return c, nil
}

// keeper returns what gets the certificates, nil if none are wanted.
func (f *acmeFlags) keeper(challenges []acme.Challenge) (*acme.Keeper, error) {
	c, err := f.config()
	if err != nil || c == nil {
		return nil, err
	}
	c.Challenges = challenges
	if c.Dir == "" {
		if c.Dir, err = defaultACMEDir(); err != nil {
			return nil, cli.Hint(fmt.Errorf("cannot choose a directory for certificates: %w", err), "name one with --acme-dir")
		}
	}
	k, err := acme.New(*c)
	if err != nil {
		err = fmt.Errorf("cannot keep certificates: %w", err)
		if errors.Is(err, fs.ErrPermission) {
			return nil, cli.Hint(err, "pass an --acme-dir that this user may write to")
		}
		return nil, err
	}
	return k, nil
}

// defaultACMEDir is a directory that outlives a boot, as the state directory
// does not: authorities count how often they are asked.
func defaultACMEDir() (string, error) {
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" { // systemd.exec(5)
		return filepath.Join(dir, "acme"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/passenger/acme", nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "passenger", "acme"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "passenger", "acme"), nil
}
