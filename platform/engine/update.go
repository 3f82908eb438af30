package engine

import (
	"context"
	"fmt"

	"maitred/platform"
)

// update is the careful deploy: the maintenance page goes up, a backup is taken,
// the version is put live with its migrations and checks, the page comes down.
// When it fails, the release and the backup are put back, in that order, before
// the page comes down. A page that was up before stays up.
func update(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	if err := resolved(r); err != nil {
		return cooked{}, err
	}
	archivist, err := platform.Need[platform.Archivist](p, "back up a database, which an update does first")
	if err != nil {
		return cooked{}, err
	}
	before, err := live(ctx, p, r.Target)
	if err != nil {
		return cooked{}, err
	}
	up, down, err := page(ctx, p, r)
	if err != nil {
		return cooked{}, err
	}
	backup, err := archivist.PlanCapture(ctx, r.Target, "")
	if err != nil {
		return cooked{}, err
	}
	if n := len(backup.Steps); n > 0 {
		backup.Steps[n-1].Undo = archivist.UndoCapture()
	}
	version, err := p.PlanDeploy(ctx, r.Target, *r.Source)
	if err != nil {
		return cooked{}, err
	}
	var whole platform.Plan
	for _, part := range []platform.Plan{up, backup, version, down} {
		whole.Steps = append(whole.Steps, part.Steps...)
		whole.Warnings = append(whole.Warnings, part.Warnings...)
	}
	return cooked{plan: whole, previous: before}, nil
}

// page plans the maintenance page around an update: up, with its taking down as
// the undo, and down. Both are empty, with a warning, where there is no page or
// where it is up already.
func page(ctx context.Context, p platform.Provider, r Request) (up, down platform.Plan, err error) {
	able, ok := p.(platform.Maintainer)
	if !ok {
		up.Warnings = []string{fmt.Sprintf("The %s platform cannot show a maintenance page; visitors may meet the update half-way.", p.Kind())}
		return up, down, nil
	}
	now, err := able.Maintenance(ctx, r.Target)
	if err != nil {
		return up, down, err
	}
	if now.On {
		up.Warnings = []string{fmt.Sprintf("%s shows its maintenance page already; it stays up afterwards.", r.Target)}
		return up, down, nil
	}
	up, err = able.PlanMaintenance(ctx, r.Target, true, "update to "+r.Source.Version)
	if err != nil {
		return up, down, err
	}
	down, err = able.PlanMaintenance(ctx, r.Target, false, "")
	return called(up, "maintenance on"), called(down, "maintenance off"), err
}

// called names the step of a plan that has only one.
func called(p platform.Plan, name string) platform.Plan {
	if len(p.Steps) == 1 {
		p.Steps[0].Name = name
	}
	return p
}
