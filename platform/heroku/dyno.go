package heroku

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/fault"
	"maitred/platform"
)

// dynos are those of the formation; one-off dynos come and go by themselves.
func (p *Provider) dynos(ctx context.Context) ([]heroku.Dyno, error) {
	list, err := p.client.DynoList(pages(ctx, 0), p.config.App, nil)
	if err != nil {
		return nil, p.fail("heroku.dynos", err)
	}
	return slices.DeleteFunc(list, func(d heroku.Dyno) bool {
		return d.Type == "run" || d.Type == "release" || d.Type == "scheduler"
	}), nil
}

func processes(dynos []heroku.Dyno) []platform.Process {
	var list []platform.Process
	for _, d := range dynos {
		list = append(list, platform.Process{
			Name: d.Name, Type: d.Type, State: d.State, Since: d.UpdatedAt, Release: fmt.Sprintf("v%d", d.Release.Version), Command: d.Command,
		})
	}
	return list
}

// quantity is how many dynos of which size a process type has.
type quantity struct {
	Count int    `json:"count"`
	Size  string `json:"size,omitempty"`
}

// formation is the quantity of each process type.
func (p *Provider) formation(ctx context.Context) (map[string]quantity, error) {
	list, err := p.client.FormationList(pages(ctx, 0), p.config.App, nil)
	if err != nil {
		return nil, p.fail("heroku.formation", err)
	}
	found := map[string]quantity{}
	for _, f := range list {
		size := f.DynoSize.Name
		if size == "" {
			size = f.Size
		}
		found[f.Type] = quantity{f.Quantity, size}
	}
	return found, nil
}

// known refuses a process type that the app does not have.
func (p *Provider) known(found map[string]quantity, process string) error {
	if _, ok := found[process]; ok || process == "" {
		return nil
	}
	say := fmt.Sprintf("%s has no process type %s", p.target, process)
	if len(found) > 0 {
		say += "; it has " + strings.Join(slices.Sorted(maps.Keys(found)), ", ")
	}
	return fault.New(fault.Missing, "heroku.formation", "/ps "+p.target.App, "%s.", say)
}

// scaleArgs say what is to run.
type scaleArgs struct {
	To []platform.Quantity `json:"to"`
}

// processArgs name a process type, a dyno, or with nothing the whole app.
type processArgs struct {
	Process string `json:"process,omitempty"`
}

// PlanScale implements platform.Scaler.
func (p *Provider) PlanScale(ctx context.Context, t platform.Target, to []platform.Quantity) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	found, err := p.formation(ctx)
	if err != nil {
		return platform.Plan{}, err
	}
	if len(to) == 0 {
		return platform.Plan{}, fault.New(fault.Invalid, "heroku.scale", "/scale "+t.App+" web=2", "Say how many of which process %s is to have.", t)
	}
	for _, q := range to {
		if err := p.known(found, q.Process); err != nil {
			return platform.Plan{}, err
		}
		if _, err := wanted(q, found[q.Process]); err != nil {
			return platform.Plan{}, err
		}
	}
	return platform.Plan{Steps: []platform.Step{{Name: "scale", Action: "scale", Args: raw(scaleArgs{to}), Undo: "as-before", Always: true}}}, nil
}

// wanted is what is to run, when now runs.
func wanted(q platform.Quantity, now quantity) (quantity, error) {
	next := quantity{q.Count, now.Size}
	if q.Delta {
		next.Count += now.Count
	}
	if q.Size != "" {
		next.Size = q.Size
	}
	if next.Count < 0 || next.Count > 100 {
		return next, fault.New(fault.Invalid, "heroku.scale", "", "%s cannot have %s.", q.Process, plural(next.Count, "dyno"))
	}
	return next, nil
}

func (p *Provider) scale(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args scaleArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	found, err := p.formation(ctx)
	if err != nil {
		return platform.Result{}, err
	}
	first, err := before(ctx, p, r, r.Key, found)
	if err != nil {
		return platform.Result{}, err
	}
	next := map[string]quantity{}
	for _, q := range args.To {
		if next[q.Process], err = wanted(q, first[q.Process]); err != nil {
			return platform.Result{}, err
		}
	}
	return p.have(ctx, next)
}

func (p *Provider) asBefore(ctx context.Context, r platform.Run) (platform.Result, error) {
	first, ok, err := was[map[string]quantity](ctx, p, r.Key)
	if err != nil || !ok {
		return platform.Result{Say: "nothing was changed"}, err
	}
	return p.have(ctx, first)
}

// have makes the formation as it is to be, and waits until its dynos are up.
func (p *Provider) have(ctx context.Context, next map[string]quantity) (platform.Result, error) {
	var in heroku.FormationBatchUpdateOpts
	var said []string
	for _, process := range slices.Sorted(maps.Keys(next)) {
		q := next[process]
		in.Updates = slices.Grow(in.Updates, 1)[:len(in.Updates)+1]
		u := &in.Updates[len(in.Updates)-1]
		u.Type, u.Quantity = process, &q.Count
		if q.Size != "" {
			u.DynoSize = &struct {
				ID   *string `json:"id,omitempty" url:"id,omitempty,key"`
				Name *string `json:"name,omitempty" url:"name,omitempty,key"`
			}{Name: &q.Size}
		}
		said = append(said, fmt.Sprintf("%s=%d", process, q.Count))
	}
	if len(said) == 0 {
		return platform.Result{Say: "there is nothing to run"}, nil
	}
	if _, err := p.client.FormationBatchUpdate(ctx, p.config.App, in); err != nil {
		return platform.Result{}, p.fail("heroku.scale", err)
	}
	if _, err := p.settle(ctx, 0); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: strings.Join(said, " ")}, nil
}

// PlanStop implements platform.Starter. Without a process all of them stop.
func (p *Provider) PlanStop(ctx context.Context, t platform.Target, process string) (platform.Plan, error) {
	return p.planTurn(ctx, t, process, "stop")
}

// PlanStart implements platform.Starter.
func (p *Provider) PlanStart(ctx context.Context, t platform.Target, process string) (platform.Plan, error) {
	return p.planTurn(ctx, t, process, "start")
}

func (p *Provider) planTurn(ctx context.Context, t platform.Target, process, verb string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	found, err := p.formation(ctx)
	if err != nil {
		return platform.Plan{}, err
	}
	if len(found) == 0 {
		return platform.Plan{}, fault.New(fault.Refused, "heroku."+verb, "/deploy "+t.App, "%s was never deployed, so there is nothing to %s.", t, verb)
	}
	if err := p.known(found, process); err != nil {
		return platform.Plan{}, err
	}
	return platform.Plan{Steps: []platform.Step{{Name: verb, Action: verb, Args: raw(processArgs{process}), Undo: "as-before", Always: true}}}, nil
}

// stop takes the dynos away and remembers how many there were.
func (p *Provider) stop(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args processArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	found, err := p.formation(ctx)
	if err != nil {
		return platform.Result{}, err
	}
	if _, err := before(ctx, p, r, r.Key, found); err != nil {
		return platform.Result{}, err
	}
	next := map[string]quantity{}
	err = p.keep(ctx, func(n *note) {
		if n.Running == nil {
			n.Running = map[string]int{}
		}
		for process, q := range found {
			if args.Process != "" && process != args.Process {
				continue
			}
			next[process] = quantity{Count: 0}
			if q.Count > 0 {
				n.Running[process] = q.Count
			}
		}
	})
	if err != nil {
		return platform.Result{}, err
	}
	return p.have(ctx, next)
}

// start brings the dynos back that a stop took, and one web dyno where nobody
// remembers any. What runs already stays as it is.
func (p *Provider) start(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args processArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	found, err := p.formation(ctx)
	if err != nil {
		return platform.Result{}, err
	}
	if _, err := before(ctx, p, r, r.Key, found); err != nil {
		return platform.Result{}, err
	}
	n, err := p.noted(ctx)
	if err != nil {
		return platform.Result{}, err
	}
	next, running := map[string]quantity{}, 0
	for process, q := range found {
		running += q.Count
		if args.Process != "" && process != args.Process || q.Count > 0 {
			continue
		}
		if count := n.Running[process]; count > 0 {
			next[process] = quantity{Count: count}
		} else if process == args.Process {
			next[process] = quantity{Count: 1}
		}
	}
	if _, web := found["web"]; web && args.Process == "" && len(next) == 0 && running == 0 {
		next["web"] = quantity{Count: 1}
	}
	if len(next) == 0 {
		return platform.Result{Say: "it runs already"}, nil
	}
	return p.have(ctx, next)
}

// PlanRestart implements platform.Restarter. A process is a type (web) or one
// dyno (web.1).
func (p *Provider) PlanRestart(ctx context.Context, t platform.Target, process string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	found, err := p.formation(ctx)
	if err != nil {
		return platform.Plan{}, err
	}
	kind, _, _ := strings.Cut(process, ".")
	if err := p.known(found, kind); err != nil {
		return platform.Plan{}, err
	}
	if process != "" && !processName.MatchString(process) {
		return platform.Plan{}, fault.New(fault.Missing, "heroku.restart", "/ps "+t.App, "%s has no dyno %q.", t, clip(process, 60))
	}
	return platform.Plan{Steps: []platform.Step{{Name: "restart", Action: "restart", Args: raw(processArgs{process})}}}, nil
}

var processName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9-]+)?$`)

// restart may be repeated: the dynos start once more, and run the same.
func (p *Provider) restart(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args processArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	var err error
	switch {
	case args.Process == "":
		_, err = p.client.DynoRestartAll(ctx, p.config.App)
	case strings.Contains(args.Process, "."):
		_, err = p.client.DynoRestart(ctx, p.config.App, args.Process)
		if gone(err) {
			err = fault.New(fault.Missing, "heroku.restart", "/ps "+r.Target.App, "%s has no dyno %s.", r.Target, args.Process)
		}
	default:
		_, err = p.client.DynoRestartFormation(ctx, p.config.App, args.Process)
	}
	if err != nil {
		return platform.Result{}, p.fail("heroku.restart", err)
	}
	n, err := p.settle(ctx, 0)
	if err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: plural(n, "dyno") + " up"}, nil
}

// stopDyno ends a one-off dyno that nobody waits for any more.
func (p *Provider) stopDyno(ctx context.Context, name string) error {
	late, cancel := after(ctx)
	defer cancel()
	if _, err := p.client.DynoStop(late, p.config.App, name); err != nil && !gone(err) {
		return errors.Join(ctx.Err(), err)
	}
	return ctx.Err()
}
