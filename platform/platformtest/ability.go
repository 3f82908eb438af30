package platformtest

import (
	"context"
	"slices"
	"strings"

	"maitred/fault"
	"maitred/platform"
)

// The capabilities of a Fake. Each plans or reads, like those of any provider.
var (
	_ platform.Provider   = (*Fake)(nil)
	_ platform.Maintainer = (*Fake)(nil)
	_ platform.Rollbacker = (*Fake)(nil)
	_ platform.Archivist  = (*Fake)(nil)
	_ platform.Starter    = (*Fake)(nil)
	_ platform.Restarter  = (*Fake)(nil)
	_ platform.Scaler     = (*Fake)(nil)
	_ platform.Runner     = (*Fake)(nil)
	_ platform.LogReader  = (*Fake)(nil)
	_ platform.Configurer = (*Fake)(nil)
	_ platform.Discreet   = (*Fake)(nil)
	_ platform.Inspector  = (*Fake)(nil)
)

// one is a plan of one step, named like its action.
func one(action, undo string, in args) platform.Plan {
	return platform.Plan{Steps: []platform.Step{{Name: action, Action: action, Args: in.raw(), Undo: undo, Always: undo != ""}}}
}

// PlanMaintenance implements platform.Maintainer.
func (f *Fake) PlanMaintenance(_ context.Context, _ platform.Target, on bool, why string) (platform.Plan, error) {
	return one("maintenance", "undo maintenance", args{On: on, Why: why}), nil
}

// Maintenance implements platform.Maintainer.
func (f *Fake) Maintenance(ctx context.Context, t platform.Target) (m platform.Maintenance, err error) {
	err = f.look(ctx, t, func(a app) { m = a.Maintenance })
	return m, err
}

// Releases implements platform.Historian.
func (f *Fake) Releases(ctx context.Context, t platform.Target, limit int) ([]platform.Release, error) {
	var list []platform.Release
	err := f.look(ctx, t, func(a app) { list = slices.Clone(a.Releases) })
	slices.Reverse(list)
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list, err
}

// PlanRollback implements platform.Rollbacker.
func (f *Fake) PlanRollback(ctx context.Context, t platform.Target, to platform.Release) (platform.Plan, error) {
	var known *platform.Release
	var live, migrated string
	if err := f.look(ctx, t, func(a app) { known, live, migrated = a.release(to.ID), a.Live, a.Migrated }); err != nil {
		return platform.Plan{}, err
	}
	switch {
	case known == nil:
		return platform.Plan{}, fault.New(fault.Missing, "fake.rollback", "/releases "+t.App, "%s has no release %s.", t, to.ID)
	case known.ID == live:
		return platform.Plan{}, fault.New(fault.Refused, "fake.rollback", "", "%s is live already.", to.ID)
	case known.State != platform.ReleaseSuperseded:
		return platform.Plan{}, fault.New(fault.Refused, "fake.rollback", "/releases "+t.App, "%s was never live.", to.ID)
	}
	in := args{Release: known.ID}
	plan := platform.Plan{Steps: []platform.Step{
		{Name: "switch", Action: "switch", Args: in.raw(), Undo: "undo switch", Always: true},
		{Name: "verify", Action: "verify", Args: in.raw()},
	}}
	if migrated > known.Version {
		plan.Warnings = append(plan.Warnings, "The database has migrations of "+migrated+" that "+known.Version+" does not know.")
	}
	return plan, nil
}

// PlanCapture implements platform.Archivist.
func (f *Fake) PlanCapture(_ context.Context, _ platform.Target, database string) (platform.Plan, error) {
	return one("capture", "", args{Database: database}), nil
}

// PlanRestore implements platform.Archivist.
func (f *Fake) PlanRestore(ctx context.Context, t platform.Target, b platform.Backup, database string) (platform.Plan, error) {
	known := false
	err := f.look(ctx, t, func(a app) { _, known = a.backup(b.ID) })
	if err != nil {
		return platform.Plan{}, err
	}
	if !known {
		return platform.Plan{}, fault.New(fault.Missing, "fake.restore", "/backup list "+t.App, "%s has no backup %s.", t, b.ID)
	}
	safety := args{Database: database, Why: "safety backup before the restore of " + b.ID}
	return platform.Plan{Steps: []platform.Step{
		{Name: "safety", Action: "capture", Args: safety.raw()},
		{Name: "restore", Action: "restore", Args: args{Backup: b.ID, Database: database}.raw(), Undo: "undo restore", Always: true},
	}}, nil
}

// UndoCapture implements platform.Archivist.
func (f *Fake) UndoCapture() string { return "put back" }

// Backups implements platform.Archivist.
func (f *Fake) Backups(ctx context.Context, t platform.Target) (list []platform.Backup, err error) {
	err = f.look(ctx, t, func(a app) {
		for _, b := range slices.Backward(a.Backups) {
			list = append(list, b.Backup)
		}
	})
	return list, err
}

// PlanStart implements platform.Starter.
func (f *Fake) PlanStart(_ context.Context, _ platform.Target, process string) (platform.Plan, error) {
	return one("start", "undo stop", args{Name: process}), nil
}

// PlanStop implements platform.Starter.
func (f *Fake) PlanStop(_ context.Context, _ platform.Target, process string) (platform.Plan, error) {
	return one("stop", "undo stop", args{Name: process}), nil
}

// PlanRestart implements platform.Restarter.
func (f *Fake) PlanRestart(_ context.Context, _ platform.Target, process string) (platform.Plan, error) {
	return one("restart", "", args{Name: process}), nil
}

// PlanScale implements platform.Scaler.
func (f *Fake) PlanScale(_ context.Context, _ platform.Target, to []platform.Quantity) (platform.Plan, error) {
	return one("scale", "undo scale", args{Scale: to}), nil
}

// PlanRun implements platform.Runner.
func (f *Fake) PlanRun(_ context.Context, _ platform.Target, command []string) (platform.Plan, error) {
	if len(command) == 0 {
		return platform.Plan{}, fault.New(fault.Invalid, "fake.run", "", "There is no command to run.")
	}
	return one("run", "", args{Command: command}), nil
}

// Logs implements platform.LogReader.
func (f *Fake) Logs(ctx context.Context, t platform.Target, q platform.LogQuery) ([]platform.LogLine, error) {
	var lines []platform.LogLine
	err := f.look(ctx, t, func(a app) {
		for _, l := range a.Printed {
			if (q.Process == "" || q.Process == l.Process) && strings.Contains(l.Text, q.Grep) && !l.At.Before(q.Since) {
				lines = append(lines, l)
			}
		}
	})
	if q.Lines == 0 {
		q.Lines = 100
	}
	return lines[max(0, len(lines)-q.Lines):], err
}

// Variables implements platform.Configurer.
func (f *Fake) Variables(ctx context.Context, t platform.Target) (list []platform.Variable, err error) {
	err = f.look(ctx, t, func(a app) {
		for name := range a.Variables {
			list = append(list, platform.Variable{Name: name, Set: true})
		}
	})
	slices.SortFunc(list, func(v, w platform.Variable) int { return strings.Compare(v.Name, w.Name) })
	return list, err
}

// PlanSet implements platform.Configurer.
func (f *Fake) PlanSet(_ context.Context, _ platform.Target, name, handle string) (platform.Plan, error) {
	return one("set", "undo set", args{Name: name, Handle: handle}), nil
}

// PlanUnset implements platform.Configurer.
func (f *Fake) PlanUnset(_ context.Context, _ platform.Target, name string) (platform.Plan, error) {
	return one("unset", "undo set", args{Name: name}), nil
}

// SecretValues implements platform.Discreet.
func (f *Fake) SecretValues(ctx context.Context, t platform.Target) (values []string, err error) {
	err = f.look(ctx, t, func(a app) {
		for _, v := range a.Variables {
			values = append(values, v)
		}
	})
	return values, err
}

// Inspect implements platform.Inspector.
func (f *Fake) Inspect(context.Context, platform.Target, platform.Source) (platform.Inspection, error) {
	return platform.Inspection{Processes: map[string]string{"web": "serve"}}, nil
}
