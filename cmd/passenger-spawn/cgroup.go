package main

import (
	"errors"
	"fmt"

	"passenger/lib/cgroup"
	"passenger/lib/cli"
	"passenger/lib/spawn"
)

// cgroupArgs say where processes get cgroups of their own.
type cgroupArgs struct {
	CgroupRoot string `name:"cgroup-root" placeholder:"DIR" help:"Give each process a cgroup (v2) below this one. Default: the spawner's own, if it is delegated."`
}

// use tells the spawner. A directory that was asked for must do.
func (a cgroupArgs) use(spawner *spawn.Spawner) error {
	if a.CgroupRoot != "" {
		tree, err := cgroup.Open(a.CgroupRoot)
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
