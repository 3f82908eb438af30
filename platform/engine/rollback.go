package engine

import (
	"context"
	"fmt"
	"slices"

	"maitred/fault"
	"maitred/platform"
)

// rollback goes back to an earlier release: the named one, else the last that
// was live before the one that is. The plan warns when the database is ahead.
func rollback(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Rollbacker](p, "go back to an earlier release")
	if err != nil {
		return cooked{}, err
	}
	args, err := arguments[RollbackArgs](r)
	if err != nil {
		return cooked{}, err
	}
	now, err := live(ctx, p, r.Target)
	if err != nil {
		return cooked{}, err
	}
	releases, err := able.Releases(ctx, r.Target, 0)
	if err != nil {
		return cooked{}, err
	}
	if args.If != "" && args.If != now {
		return cooked{}, fault.New(fault.Refused, "engine.rollback", "/releases "+r.Target.App+in(r.Target.Environment),
			"This was meant for the time when %s was live on %s; %s is live now.", args.If, r.Target, named(releases, now))
	}
	to, err := destination(r, releases, args.To, now)
	if err != nil {
		return cooked{}, err
	}
	args.To = to.ID
	raw, err := exact(args)
	if err != nil {
		return cooked{}, err
	}
	plan, err := able.PlanRollback(ctx, r.Target, to)
	return cooked{plan: plan, args: raw, previous: now}, err
}

// destination is the release to go back to. A person may name it by its id or
// its version.
func destination(r Request, releases []platform.Release, to, now string) (platform.Release, error) {
	hint := "/releases " + r.Target.App + in(r.Target.Environment)
	if to != "" {
		i := slices.IndexFunc(releases, func(rel platform.Release) bool { return rel.ID == to })
		if i < 0 {
			i = slices.IndexFunc(releases, func(rel platform.Release) bool {
				return rel.Version == to && rel.State == platform.ReleaseSuperseded
			})
		}
		if i < 0 {
			return platform.Release{}, fault.New(fault.Missing, "engine.rollback", hint, "%s has no release %s.", r.Target, to)
		}
		return releases[i], nil
	}
	passed := now == ""
	for _, rel := range releases { // newest first
		if rel.ID == now {
			passed = true
			continue
		}
		if passed && rel.State == platform.ReleaseSuperseded {
			return rel, nil
		}
	}
	for _, rel := range releases { // after a rollback the last one lies ahead
		if rel.ID != now && rel.State == platform.ReleaseSuperseded {
			return rel, nil
		}
	}
	return platform.Release{}, fault.New(fault.Missing, "engine.rollback", hint,
		"%s has no earlier release that was live.", r.Target)
}

// named is a release as a sentence names it: "r4 (v1.1.0)".
func named(releases []platform.Release, id string) string {
	for _, rel := range releases {
		if rel.ID == id && rel.Version != "" {
			return fmt.Sprintf("%s (%s)", id, rel.Version)
		}
	}
	if id == "" {
		return "nothing"
	}
	return id
}
