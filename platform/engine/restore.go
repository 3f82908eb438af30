package engine

import (
	"context"
	"slices"

	"maitred/fault"
	"maitred/platform"
)

// restore puts a backup back: the named one, else the newest.
func restore(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Archivist](p, "restore a backup")
	if err != nil {
		return cooked{}, err
	}
	args, err := arguments[BackupArgs](r)
	if err != nil {
		return cooked{}, err
	}
	backups, err := able.Backups(ctx, r.Target)
	if err != nil {
		return cooked{}, err
	}
	i := slices.IndexFunc(backups, func(b platform.Backup) bool {
		return b.ID == args.Backup || args.Backup == "" && (args.Database == "" || b.Database == args.Database)
	})
	if i < 0 && args.Backup == "" {
		return cooked{}, fault.New(fault.Missing, "engine.restore", "/backup capture "+r.Target.App, "%s has no backup to restore.", r.Target)
	}
	if i < 0 {
		return cooked{}, fault.New(fault.Missing, "engine.restore", "/backup list "+r.Target.App, "%s has no backup %s.", r.Target, args.Backup)
	}
	args.Backup = backups[i].ID
	raw, err := exact(args)
	if err != nil {
		return cooked{}, err
	}
	before, err := live(ctx, p, r.Target)
	if err != nil {
		return cooked{}, err
	}
	plan, err := able.PlanRestore(ctx, r.Target, backups[i], args.Database)
	return cooked{plan: plan, args: raw, previous: before}, err
}
