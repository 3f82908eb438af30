package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"maitred/fault"
	"maitred/platform"
)

// PlanRollback implements platform.Rollbacker: an earlier release takes over
// from its own files, which were kept.
func (p *Provider) PlanRollback(ctx context.Context, t platform.Target, to platform.Release) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	e, err := p.entry(to.ID)
	if err != nil {
		return platform.Plan{}, err
	}
	refuse := func(why string) (platform.Plan, error) {
		return platform.Plan{}, fault.New(fault.Refused, "host.rollback", "/releases "+t.App, "%s cannot go back to %s (%s): %s.", t, e.ID, e.Version, why)
	}
	switch e.State {
	case platform.ReleaseLive:
		return refuse("it is live already")
	case platform.ReleasePruned:
		return refuse("its files were removed")
	case platform.ReleaseSuperseded:
	default:
		return refuse("it was never live")
	}
	if _, err := p.box.List(p.path("releases", e.Dir)); errors.Is(err, fs.ErrNotExist) {
		return refuse("its files are gone")
	}
	plan := platform.Plan{Steps: swapSteps(launchArgs{Release: e.ID})}
	ahead, err := p.ahead(ctx, e)
	if err != nil {
		return platform.Plan{}, err
	}
	if n := len(ahead); n > 0 {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("The database is ahead of %s by %s that it does not know: %s. They stay.",
			e.Version, plural(n, "migration"), strings.Join(ahead[:min(n, 5)], ", ")))
	}
	return plan, nil
}

// ahead are the migrations in the database that the files of e do not have.
func (p *Provider) ahead(ctx context.Context, e entry) ([]string, error) {
	dir := p.config.Database.Migrations.Dir
	if dir == "" {
		return nil, nil
	}
	names, err := p.box.List(p.path("releases", e.Dir, dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, p.fail("host.rollback", err)
	}
	knows := map[string]bool{}
	for _, name := range names {
		knows[stem(name)] = true
	}
	return slices.DeleteFunc(p.applied(ctx), func(name string) bool { return knows[stem(name)] }), nil
}

// stem is the name of a migration, whether or not its extension is on record.
func stem(name string) string { return strings.TrimSuffix(name, path.Ext(name)) }
