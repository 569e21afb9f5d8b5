package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"passenger/lib/app"
	"passenger/lib/cli"
	"passenger/lib/protocol"
)

type addCommand struct {
	App  string   `arg:"" name:"appdir" help:"The app's directory, or a JSON file that describes it."`
	Name string   `placeholder:"NAME" help:"The app's name. Default: made from the directory."`
	Set  []string `name:"set" sep:"none" placeholder:"KEY=VALUE" help:"Set a key of Passengerfile.json. May be repeated."`
}

func (c *addCommand) Run(ctx context.Context, cmd *command) error {
	config, err := c.config()
	if err != nil {
		return fmt.Errorf("cannot add app: %w", err)
	}
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	return pool.call(ctx, "PUT", protocol.PathApps+"/"+config.Name, config, nil)
}

// config is what was said here of the app. What its own Passengerfile.json
// says is left to the pool, which reads it again at each restart.
func (c *addCommand) config() (protocol.AppConfig, error) {
	config, err := c.described()
	if err != nil {
		return config, err
	}
	for _, setting := range c.Set {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return config, &cli.Error{Err: fmt.Errorf("--set %q has not the form KEY=VALUE", setting), Status: cli.Usage}
		}
		if err := app.Set(&config, key, value); err != nil {
			return config, fmt.Errorf("--set: %w", err)
		}
	}
	if c.Name != "" {
		if err := app.CheckName(c.Name); err != nil {
			return config, &cli.Error{Err: fmt.Errorf("--name=%s: %w", c.Name, err), Status: cli.Usage}
		}
		config.Name = c.Name
	}
	own, err := app.Load(config.AppRoot)
	if err != nil {
		return config, err
	}
	if config.Name == "" {
		own.AppRoot = config.AppRoot
		config.Name = app.WithDefaults(own).Name
	}
	return config, nil
}

func (c *addCommand) described() (protocol.AppConfig, error) {
	path, err := filepath.Abs(c.App)
	if err != nil {
		return protocol.AppConfig{}, err
	}
	if fi, err := os.Stat(path); err == nil && fi.Mode().IsRegular() && filepath.Base(path) == app.File {
		path = filepath.Dir(path)
	} else if err == nil && fi.Mode().IsRegular() {
		config, err := app.Read(path)
		if err == nil && !filepath.IsAbs(config.AppRoot) {
			err = fmt.Errorf("%s: app_root %q is not an absolute path", path, config.AppRoot)
		}
		return config, err
	}
	return protocol.AppConfig{AppRoot: path}, nil
}

type removeCommand struct {
	App string `arg:"" name:"app" help:"The app's name, or its directory."`
}

func (c *removeCommand) Run(ctx context.Context, cmd *command) error {
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	a, err := pool.find(ctx, c.App)
	if err != nil {
		return err
	}
	return pool.call(ctx, "DELETE", protocol.PathApps+"/"+a.Name, nil, nil)
}

type listCommand struct {
	JSON  bool   `name:"json" help:"Print what the pool knows of the apps as JSON; see passenger-protocol(7)."`
	Under string `placeholder:"DIR" help:"Only the apps in this directory, in any depth."`
}

func (c *listCommand) Run(ctx context.Context, cmd *command) error {
	pool, err := cmd.dial()
	if err != nil {
		return err
	}
	list, err := pool.apps(ctx)
	if err != nil {
		return err
	}
	if c.Under != "" {
		list.Apps = inDirectory(c.Under, list.Apps)
	}
	if c.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	}
	for _, a := range list.Apps {
		if _, err := fmt.Println(a.Name); err != nil {
			return err
		}
	}
	return nil
}
