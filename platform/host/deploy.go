package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/source"
)

// fetchArgs say what to fetch.
type fetchArgs struct {
	Source platform.Source `json:"source"`
}

// PlanDeploy implements platform.Provider.
func (p *Provider) PlanDeploy(_ context.Context, t platform.Target, src platform.Source) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	if len(src.SHA) < 7 || src.Repository == "" && src.Archive == "" {
		return platform.Plan{}, fault.New(fault.Invalid, "host.deploy", "Name a branch, a tag or a commit.", "There is no commit to deploy on %s.", t)
	}
	steps := []platform.Step{{Name: "fetch", Action: "fetch", Args: raw(fetchArgs{src}), Undo: "discard", Always: true}}
	if len(p.config.Build) > 0 {
		steps = append(steps, platform.Step{Name: "build", Action: "build"})
	}
	if p.config.Migrate != "" {
		steps = append(steps, platform.Step{Name: "migrate", Action: "migrate"})
	}
	return platform.Plan{Steps: append(steps, swapSteps(launchArgs{})...)}, nil
}

// fetch exports the source into the directory of a new release.
func (p *Provider) fetch(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args fetchArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	e, err := p.allot(ctx, r, args.Source)
	if err != nil {
		return platform.Result{}, err
	}
	result := platform.Result{Say: fmt.Sprintf("%s as %s", e.Version, e.ID)}
	dir := p.path("releases", e.Dir)
	if _, err := p.box.List(dir); err == nil {
		return result, nil // exported before a crash
	}
	part := p.path("releases", "."+e.Dir)
	if err := p.box.Remove(part); err != nil {
		return platform.Result{}, p.fail("host.fetch", err)
	}
	sum, err := p.mirrors.Export(ctx, args.Source, part, p.room)
	if err != nil {
		return platform.Result{}, p.fail("host.fetch", err)
	}
	fmt.Fprintf(r.Log, "%d entries, %s.\n", sum.Entries, size(sum.Bytes))
	return result, p.fail("host.fetch", p.box.Rename(part, dir))
}

// room refuses a release that would fill the disk: building it may take as much
// again, and a backup of the database should still fit.
func (p *Provider) room(s source.Summary) error {
	free, err := p.box.Free(p.config.Dir)
	if err != nil {
		return p.fail("host.fetch", err)
	}
	need := 2*s.Bytes + int64(s.Entries)*4096 + 16<<20
	if free < need {
		return fault.New(fault.Refused, "host.fetch", fmt.Sprintf("Free some space below %s and deploy again.", p.config.Dir),
			"The disk of %s has %s free; this release needs %s.", p.target, size(free), size(need))
	}
	return nil
}

// discard marks the release of a deploy that did not succeed. Its files stay
// for a look, until the next prune.
func (p *Provider) discard(ctx context.Context, r platform.Run) (platform.Result, error) {
	e, ok, err := p.made(r)
	if err != nil || !ok {
		return platform.Result{Say: "nothing was fetched"}, err
	}
	if err := p.box.Remove(p.path("releases", "."+e.Dir)); err != nil {
		return platform.Result{}, p.fail("host.discard", err)
	}
	if e.State != platform.ReleasePrepared {
		return platform.Result{Say: e.ID + " is " + string(e.State)}, nil
	}
	return platform.Result{Say: e.ID + " is marked as failed"}, p.mark(ctx, map[string]platform.ReleaseState{e.ID: platform.ReleaseFailed}, comeback{})
}

func (p *Provider) buildStep(_ context.Context, r platform.Run) (work, error) {
	e, err := p.subject(r)
	return work{
		entry: e, command: []string{"/bin/sh", "-ec", strings.Join(p.config.Build, "\n")}, again: true,
		failed: "The build of " + e.Version + " failed", cut: "The build of " + e.Version + " was cut short.",
	}, err
}

// migrateStep runs the app's own migrations with the code of the release that
// is to be live. One that was cut short is not repeated by itself.
func (p *Provider) migrateStep(ctx context.Context, r platform.Run) (work, error) {
	e, err := p.subject(r)
	if err != nil {
		return work{}, err
	}
	before := p.applied(ctx)
	return work{
		entry: e, command: shell(p.config.Migrate),
		failed: "The migration to " + e.Version + " failed",
		cut:    "The migration to " + e.Version + " was cut short. Nobody knows how far it came: look at the database.",
		before: strconv.Itoa(len(before)),
		say: func(before string) string {
			n, err := strconv.Atoi(before)
			if added := len(p.applied(context.WithoutCancel(ctx))) - n; err == nil && p.config.Database.Migrations.Dir != "" {
				return plural(added, "migration")
			}
			return "done"
		},
	}, nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// finish removes what nobody needs any more. It never fails a good deploy.
func (p *Provider) finish(ctx context.Context, r platform.Run) (platform.Result, error) {
	removed, err := p.prune(ctx, r)
	result := platform.Result{Say: "done"}
	if len(removed) > 0 {
		result.Say = "removed " + strings.Join(removed, ", ")
	}
	if err != nil {
		result.Warnings = []string{"Old releases could not be removed. They take up disk space only."}
		fmt.Fprintf(r.Log, "prune: %v\n", err)
	}
	return result, nil
}

// prune removes the files of releases beyond those that are kept: never what
// runs, what is live, or what a rollback may want; of the failed ones the last
// is kept for a look.
func (p *Provider) prune(ctx context.Context, r platform.Run) (removed []string, err error) {
	list, err := p.ledger()
	if err != nil {
		return nil, err
	}
	kept := map[platform.ReleaseState]int{}
	room := map[platform.ReleaseState]int{
		platform.ReleaseSuperseded: p.config.Keep, platform.ReleaseFailed: 1, platform.ReleasePrepared: 1,
	}
	for _, e := range list {
		if e.State == platform.ReleaseLive || e.State == platform.ReleasePruned || e.Operation == r.Operation ||
			slices.ContainsFunc(slots, func(slot string) bool { return p.runs(slot, e.ID) }) {
			continue
		}
		if kept[e.State]++; kept[e.State] <= room[e.State] {
			continue
		}
		if _, gone := p.box.List(p.path("releases", e.Dir)); errors.Is(gone, fs.ErrNotExist) && e.State != platform.ReleaseSuperseded {
			continue
		}
		if e.State == platform.ReleaseSuperseded {
			err = errors.Join(err, p.mark(ctx, map[string]platform.ReleaseState{e.ID: platform.ReleasePruned}, comeback{}))
		}
		if gone := p.box.Remove(p.path("releases", e.Dir)); gone != nil {
			err = errors.Join(err, gone)
			continue
		}
		removed = append(removed, e.ID)
	}
	return removed, errors.Join(err, p.forget(r))
}

// forget removes notes and step directories of operations long over, and what
// variables were before changes that can no longer be undone.
func (p *Provider) forget(r platform.Run) error {
	var err error
	for _, dir := range []string{"notes", "steps"} {
		names, listed := p.box.List(p.inState(dir))
		err = errors.Join(err, listed)
		for _, name := range names {
			op, rest, _ := strings.Cut(name, "-")
			n, bad := strconv.ParseInt(op, 10, 64)
			secret := dir == "notes" && strings.HasPrefix(rest, "variable")
			if bad == nil && n != r.Operation && (secret || n < r.Operation-keptNotes) {
				err = errors.Join(err, p.box.Remove(p.inState(dir, name)))
			}
		}
	}
	return err
}

const keptNotes = 500 // operations
