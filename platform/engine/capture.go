package engine

import (
	"context"

	"maitred/platform"
)

// capture takes a backup of a database.
func capture(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Archivist](p, "back up a database")
	if err != nil {
		return cooked{}, err
	}
	args, err := arguments[BackupArgs](r)
	if err != nil {
		return cooked{}, err
	}
	plan, err := able.PlanCapture(ctx, r.Target, args.Database)
	return cooked{plan: plan}, err
}
