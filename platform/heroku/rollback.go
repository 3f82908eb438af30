package heroku

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/fault"
	"maitred/platform"
)

// rollbackArgs say where to go back to.
type rollbackArgs struct {
	To int `json:"to"`
}

// PlanRollback implements platform.Rollbacker.
func (p *Provider) PlanRollback(ctx context.Context, t platform.Target, to platform.Release) (platform.Plan, error) {
	list, err := p.Releases(ctx, t, 0)
	if err != nil {
		return platform.Plan{}, err
	}
	hint := "/releases " + t.App
	i := slices.IndexFunc(list, func(r platform.Release) bool { return r.ID == to.ID })
	if i < 0 {
		return platform.Plan{}, fault.New(fault.Missing, "heroku.rollback", hint, "%s has no release %s.", t, to.ID)
	}
	switch list[i].State {
	case platform.ReleaseLive:
		return platform.Plan{}, fault.New(fault.Refused, "heroku.rollback", hint, "%s is live on %s already.", to.ID, t)
	case platform.ReleaseSuperseded:
	default:
		return platform.Plan{}, fault.New(fault.Refused, "heroku.rollback", hint, "%s of %s is %s, and Heroku cannot go back to it.", to.ID, t, list[i].State)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(to.ID, "v"))
	if err != nil {
		return platform.Plan{}, fault.New(fault.Missing, "heroku.rollback", hint, "%s has no release %s.", t, to.ID)
	}
	return platform.Plan{
		Steps: []platform.Step{
			{Name: "roll back", Action: "rollback", Args: raw(rollbackArgs{n}), Undo: "unrollback", Always: true},
		},
		Warnings: []string{fmt.Sprintf("The variables of %s come back with its code. The database stays as it is, also when it is ahead of %s.", to.ID, to.ID)},
	}, nil
}

func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types
	}
	return data
}

func readArgs(r platform.Run, v any) error {
	if err := json.Unmarshal(r.Step.Args, v); err != nil {
		return &fault.Error{Kind: fault.Internal, Op: "heroku.args", Say: "The plan of this step cannot be read.", Err: err}
	}
	return nil
}

func (p *Provider) rollback(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args rollbackArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	h, err := p.history(ctx, 20)
	if err != nil {
		return platform.Result{}, err
	}
	now, ok := h.current()
	if ok {
		if _, err := before(ctx, p, r, r.Key, h.origin(now).Version); err != nil {
			return platform.Result{}, err
		}
	}
	return p.goBack(ctx, r, args.To)
}

func (p *Provider) unrollback(ctx context.Context, r platform.Run) (platform.Result, error) {
	to, ok, err := was[int](ctx, p, r.Key)
	if err != nil || !ok {
		return platform.Result{Say: "nothing was changed"}, err
	}
	return p.goBack(ctx, r, to)
}

// goBack makes release number to live. What a lost call may have done is looked
// for first: the newest release, live or on its way, tells.
func (p *Provider) goBack(ctx context.Context, r platform.Run, to int) (platform.Result, error) {
	h, err := p.history(ctx, 20)
	if err != nil {
		return platform.Result{}, err
	}
	var last heroku.Release
	if len(h.raw) > 0 {
		last = h.raw[0]
	}
	if now, ok := h.current(); ok && h.leads(now, to) && last.Status != "pending" {
		last = now
	} else if last.Status == "failed" || last.Status == "expired" || !h.leads(last, to) {
		made, err := p.client.ReleaseRollback(ctx, p.config.App, heroku.ReleaseRollbackOpts{Release: strconv.Itoa(to)})
		if err != nil {
			return platform.Result{}, p.fail("heroku.rollback", err)
		}
		last = *made
	}
	if err := p.follow(ctx, r, last.ID, fmt.Sprintf("v%d", to)); err != nil {
		return platform.Result{}, err
	}
	if _, err := p.settle(ctx, last.Version); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: fmt.Sprintf("v%d is live as %s", to, name(last)), Release: fmt.Sprintf("v%d", to)}, nil
}
