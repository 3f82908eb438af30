package heroku

import (
	"context"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/platform"
)

// pageArgs say whether the maintenance page is to be up.
type pageArgs struct {
	On  bool   `json:"on"`
	Why string `json:"why,omitempty"`
}

// PlanMaintenance implements platform.Maintainer.
func (p *Provider) PlanMaintenance(_ context.Context, t platform.Target, on bool, why string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	name := "maintenance off"
	if on {
		name = "maintenance on"
	}
	return platform.Plan{Steps: []platform.Step{
		{Name: name, Action: "maintenance", Args: raw(pageArgs{on, why}), Undo: "unmaintenance", Always: true},
	}}, nil
}

// Maintenance implements platform.Maintainer.
func (p *Provider) Maintenance(ctx context.Context, t platform.Target) (platform.Maintenance, error) {
	if err := p.mine(t); err != nil {
		return platform.Maintenance{}, err
	}
	app, err := p.client.AppInfo(ctx, p.config.App)
	if err != nil {
		return platform.Maintenance{}, p.fail("heroku.maintenance", err)
	}
	return p.page(ctx, app.Maintenance)
}

// page is what is known of a page that Heroku says is up or not.
func (p *Provider) page(ctx context.Context, on bool) (platform.Maintenance, error) {
	if !on {
		return platform.Maintenance{}, nil
	}
	n, err := p.noted(ctx)
	if err != nil || !n.Maintenance.On {
		return platform.Maintenance{On: true}, err // put up elsewhere
	}
	return n.Maintenance, nil
}

func (p *Provider) maintain(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args pageArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	found, err := p.Maintenance(ctx, r.Target)
	if err != nil {
		return platform.Result{}, err
	}
	if _, err := before(ctx, p, r, r.Key, found); err != nil {
		return platform.Result{}, err
	}
	want := platform.Maintenance{}
	if args.On {
		want = upSince(r, args.Why)
		if found.On && !found.Since.IsZero() {
			want.Since = found.Since
		}
	}
	return p.turn(ctx, want)
}

func (p *Provider) unmaintain(ctx context.Context, r platform.Run) (platform.Result, error) {
	found, ok, err := was[platform.Maintenance](ctx, p, r.Key)
	if err != nil || !ok {
		return platform.Result{Say: "nothing was changed"}, err
	}
	return p.turn(ctx, found)
}

// turn makes the page as it is to be.
func (p *Provider) turn(ctx context.Context, want platform.Maintenance) (platform.Result, error) {
	if err := p.keep(ctx, func(n *note) { n.Maintenance = want }); err != nil {
		return platform.Result{}, err
	}
	if _, err := p.client.AppUpdate(ctx, p.config.App, heroku.AppUpdateOpts{Maintenance: &want.On}); err != nil {
		return platform.Result{}, p.fail("heroku.maintenance", err)
	}
	if want.On {
		return platform.Result{Say: "the page is up"}, nil
	}
	return platform.Result{Say: "the page is down"}, nil
}
