package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"passenger/lib/cgroup"
	"passenger/lib/cli"
	"passenger/lib/spawn"
)

// cgroupArgs say where processes get cgroups of their own.
type cgroupArgs struct {
	CgroupRoot string `name:"cgroup-root" placeholder:"DIR" help:"Give each process a cgroup (v2) below this one. Default: the spawner's own, if it is delegated."`
}

// use tells the spawner which cgroup to divide. A directory that the flag names
// has to be one; in the cgroup file system it may come later, as that of a unit
// which starts after the spawner's.
func (a cgroupArgs) use(spawner *spawn.Spawner) error {
	if a.CgroupRoot != "" {
		open := func() (*cgroup.Tree, error) { return cgroup.Open(a.CgroupRoot) }
		tree, err := open()
		if errors.Is(err, fs.ErrNotExist) && cgroup.Within(a.CgroupRoot) {
			slog.Info("cgroup not there yet; it is opened when a process starts", "cgroup", a.CgroupRoot)
			spawner.UseCgroupsOnce(open, fmt.Errorf("--cgroup-root: %w", err))
			return nil
		}
		if err != nil {
			return cli.Hint(fmt.Errorf("--cgroup-root: %w", err), "make a directory in the cgroup file system, or leave it out")
		}
		spawner.UseCgroups(tree, nil)
		return nil
	}
	tree, err := cgroup.Delegated()
	if err != nil && !errors.Is(err, cgroup.ErrNotDelegated) {
		return fmt.Errorf("divide the delegated cgroup: %w", err)
	}
	spawner.UseCgroups(tree, err)
	return nil
}
