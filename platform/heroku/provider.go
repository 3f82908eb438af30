// Package heroku keeps apps on Heroku: it builds and releases what git holds,
// follows the release phase, and makes and restores backups of Heroku Postgres.
// Heroku knows no idempotency keys, so whatever starts something reads the state
// first and finds again what it started. What Heroku has no place for lies in
// Notes.
package heroku

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	heroku "github.com/heroku/heroku-go/v6"
	"go.uber.org/zap"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/source"
)

// Options are what a Provider needs besides its Config.
type Options struct {
	Target  platform.Target // the one app and environment that it serves
	Mirrors *source.Mirrors
	Notes   Notes
	Log     *zap.Logger
	Own     string         // the Heroku app that maitred itself runs as: never a target
	Roots   *x509.CertPool // who may vouch for the server of one-off dynos; nil is the system's
	Pace    time.Duration  // between looks at what takes its time; a second when zero
}

// Provider keeps one target on Heroku.
type Provider struct {
	config  Config
	target  platform.Target
	mirrors *source.Mirrors
	notes   Notes
	log     *zap.Logger
	roots   *x509.CertPool
	pace    time.Duration
	client  *client

	mu    sync.Mutex
	slugs map[string]heroku.Build // by the slug they made; an empty one when nobody knows
}

var (
	_ platform.Provider   = (*Provider)(nil)
	_ platform.Maintainer = (*Provider)(nil)
	_ platform.Rollbacker = (*Provider)(nil)
	_ platform.Archivist  = (*Provider)(nil)
	_ platform.Starter    = (*Provider)(nil)
	_ platform.Restarter  = (*Provider)(nil)
	_ platform.Scaler     = (*Provider)(nil)
	_ platform.Runner     = (*Provider)(nil)
	_ platform.LogReader  = (*Provider)(nil)
	_ platform.Configurer = (*Provider)(nil)
	_ platform.Discreet   = (*Provider)(nil)
	_ platform.Inspector  = (*Provider)(nil)
)

// New checks the configuration and asks Heroku nothing. Faults: Invalid.
func New(c Config, o Options) (*Provider, error) {
	c, err := c.withDefaults(o.Target, o.Own)
	if err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Pace == 0 {
		o.Pace = time.Second
	}
	k, err := newClient(c, o.Pace/4, o.Log)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "heroku.new", Say: "The addresses of Heroku's APIs cannot be used.", Err: err}
	}
	return &Provider{config: c, target: o.Target, mirrors: o.Mirrors, notes: o.Notes, log: o.Log, roots: o.Roots, pace: o.Pace, client: k, slugs: map[string]heroku.Build{}}, nil
}

// Kind is "heroku".
func (p *Provider) Kind() string { return "heroku" }

// Actions are what the plans of this package are made of.
func (p *Provider) Actions() map[string]platform.Action {
	do := func(fn func(context.Context, platform.Run) (platform.Result, error)) platform.Action {
		return platform.Action{Do: fn, Timeout: 15 * time.Minute, Retries: 5}
	}
	probe := do(p.probe)
	probe.Timeout = p.config.Health.Deadline + time.Minute
	check := do(p.check)
	check.Timeout = time.Hour
	return map[string]platform.Action{
		"build":   {Start: p.startBuild, Find: p.findBuild, Wait: p.waitBuild, Timeout: time.Hour},
		"unbuild": do(p.unbuild),
		"release": {Do: p.releaseStep, Timeout: 2 * time.Hour, Retries: 5},
		"settle":  do(p.settleStep), "probe": probe, "check": check,
		"rollback": do(p.rollback), "unrollback": do(p.unrollback),

		"maintenance": do(p.maintain), "unmaintenance": do(p.unmaintain),
		"scale": do(p.scale), "stop": do(p.stop), "start": do(p.start), "as-before": do(p.asBefore),
		"restart": do(p.restart),
		"run":     {Once: p.run, Timeout: 24 * time.Hour},
		"set":     do(p.set), "unset": do(p.unset), "reset": do(p.reset),

		"capture":  {Start: p.startCapture, Find: p.findCapture, Wait: p.waitCapture, Timeout: 6 * time.Hour},
		"restore":  {Start: p.startRestore, Find: p.findRestore, Wait: p.waitRestore, Timeout: 6 * time.Hour},
		"put-back": {Start: p.startPutBack, Find: p.findPutBack, Wait: p.waitRestore, Timeout: 6 * time.Hour},
	}
}

// mine refuses targets that are somebody else's.
func (p *Provider) mine(t platform.Target) error {
	if t != p.target {
		return fault.New(fault.Missing, "heroku.target", "", "This Heroku app keeps %s and not %s.", p.target, t)
	}
	return nil
}

// scarce is how few requests are worth a word.
const scarce = 500

// Status implements platform.Provider.
func (p *Provider) Status(ctx context.Context, t platform.Target) (platform.Status, error) {
	if err := p.mine(t); err != nil {
		return platform.Status{}, err
	}
	app, err := p.client.AppInfo(ctx, p.config.App)
	if err != nil {
		return platform.Status{}, p.fail("heroku.status", err)
	}
	list, err := p.history(ctx, 1)
	if err != nil {
		return platform.Status{}, err
	}
	dynos, err := p.dynos(ctx)
	if err != nil {
		return platform.Status{}, err
	}
	maintenance, err := p.page(ctx, app.Maintenance)
	if err != nil {
		return platform.Status{}, err
	}
	s := platform.Status{Maintenance: &maintenance, Processes: processes(dynos), Evidence: "It was never deployed."}
	if app.WebURL != nil {
		s.URL = *app.WebURL
	}
	if left := p.client.left.Load(); left >= 0 && left < scarce {
		s.Notes = append(s.Notes, fmt.Sprintf("The account has %d requests to Heroku left for now.", left))
	}
	if s.Release = list.live(); s.Release == nil {
		return s, nil
	}
	up, all := 0, 0
	for _, d := range dynos {
		if all++; d.State == "up" || d.State == "idle" {
			up++
		}
	}
	s.Running, s.Healthy = up > 0, up > 0 && up == all
	s.Evidence = fmt.Sprintf("%d of %s up.", up, plural(all, "dyno"))
	if all == 0 {
		s.Evidence = "It is stopped: it has no dynos."
	}
	return s, nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// pause waits until it is time for the next look, or ctx ends.
func (p *Provider) pause(ctx context.Context) error {
	t := time.NewTimer(p.pace)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// after is a context for cleaning up after ctx ended.
func after(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
}
