package engine

import (
	"context"

	"maitred/platform"
)

// maintenance puts the maintenance page up or takes it down.
func maintenance(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Maintainer](p, "show a maintenance page")
	if err != nil {
		return cooked{}, err
	}
	args, err := arguments[MaintenanceArgs](r)
	if err != nil {
		return cooked{}, err
	}
	plan, err := able.PlanMaintenance(ctx, r.Target, args.On, args.Why)
	return cooked{plan: plan}, err
}
