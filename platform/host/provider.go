// Package host deploys apps onto a machine: release directories, two process
// slots behind a socket link that is swapped in one move, a front that honours
// the link, and backups of the app's database. What it starts is detached and
// outlives maitred; what it knows lies in files beside the app, so that a
// restart finds everything again.
package host

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/source"
)

// Options are what a Provider needs besides its Config.
type Options struct {
	Target   platform.Target // the one app and environment that it serves
	Mirrors  *source.Mirrors
	Log      *zap.Logger
	Replicas bool // several maitreds share the store: refused, this machine is not shared
}

// Provider keeps one target on a machine.
type Provider struct {
	config  Config
	target  platform.Target
	mirrors *source.Mirrors
	log     *zap.Logger
	box     transport
	mu      sync.Mutex // held while files of the app are changed
}

var (
	_ platform.Provider   = (*Provider)(nil)
	_ platform.Maintainer = (*Provider)(nil)
	_ platform.Rollbacker = (*Provider)(nil)
	_ platform.Archivist  = (*Provider)(nil)
	_ platform.Starter    = (*Provider)(nil)
	_ platform.Restarter  = (*Provider)(nil)
	_ platform.Runner     = (*Provider)(nil)
	_ platform.LogReader  = (*Provider)(nil)
	_ platform.Configurer = (*Provider)(nil)
	_ platform.Discreet   = (*Provider)(nil)
	_ platform.Inspector  = (*Provider)(nil)
)

// New checks the configuration and touches nothing. Faults: Invalid.
func New(c Config, o Options) (*Provider, error) {
	c, err := c.withDefaults(o.Target)
	if err != nil {
		return nil, err
	}
	if o.Replicas {
		return nil, fault.New(fault.Invalid, "host.new", "Run one maitred, or use another transport for this app.",
			"%s lives on this machine (transport: local), which replicas of maitred cannot share.", o.Target)
	}
	if c.Executable == "" {
		if c.Executable, err = os.Executable(); err != nil {
			return nil, &fault.Error{Kind: fault.Internal, Op: "host.new", Say: "maitred cannot find its own program file.", Err: err}
		}
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return &Provider{config: c, target: o.Target, mirrors: o.Mirrors, log: o.Log, box: local{}}, nil
}

// Kind is "host".
func (p *Provider) Kind() string { return "host" }

// Actions are what the plans of this package are made of.
func (p *Provider) Actions() map[string]platform.Action {
	do := func(fn func(context.Context, platform.Run) (platform.Result, error)) platform.Action {
		return platform.Action{Do: fn, Timeout: p.config.Health.Deadline + p.config.Drain + p.config.Stop + time.Minute}
	}
	fetch := do(p.fetch)
	fetch.Timeout, fetch.Retries = 10*time.Minute, 2
	long := func(fn func(context.Context, platform.Run) (platform.Result, error)) platform.Action {
		return platform.Action{Do: fn, Timeout: time.Hour}
	}
	return map[string]platform.Action{
		"fetch": fetch, "discard": do(p.discard),
		"build":   p.attach(time.Hour, p.buildStep),
		"migrate": p.attach(time.Hour, p.migrateStep),
		"launch":  do(p.launchStep), "unlaunch": do(p.unlaunch),
		"probe":  do(p.probeStep),
		"switch": do(p.switchStep), "unswitch": do(p.unswitch),
		"verify": do(p.verify), "drain": do(p.drain), "finish": do(p.finish),

		"maintenance": do(p.maintain), "unmaintenance": do(p.unmaintain),
		"start": do(p.startStep), "stop": do(p.stopStep), "as-before": do(p.asBefore),
		"set": do(p.set), "unset": do(p.unset), "reset": do(p.reset),
		"run": p.attach(24*time.Hour, p.runStep),

		"capture": long(p.capture), "put-back": do(p.putBack),
		"rehearse": long(p.rehearse), "unrehearse": do(p.unrehearse),
		"hold": do(p.hold), "resume": do(p.resume),
		"safety": long(p.safety),
		"swap":   do(p.swap), "unswap": do(p.unswap),
		"restored": do(p.restored),
	}
}

// mine refuses targets that are somebody else's.
func (p *Provider) mine(t platform.Target) error {
	if t != p.target {
		return fault.New(fault.Missing, "host.target", "", "This host keeps %s and not %s.", p.target, t)
	}
	return nil
}

// Status implements platform.Provider.
func (p *Provider) Status(ctx context.Context, t platform.Target) (platform.Status, error) {
	if err := p.mine(t); err != nil {
		return platform.Status{}, err
	}
	live, err := p.live()
	if err != nil {
		return platform.Status{}, err
	}
	maintenance, err := p.Maintenance(ctx, t)
	if err != nil {
		return platform.Status{}, err
	}
	s := platform.Status{URL: p.config.URL, Maintenance: &maintenance, Processes: p.processes(), Evidence: "It was never deployed."}
	if free, err := p.box.Free(p.config.Dir); err == nil && free < littleSpace {
		s.Notes = append(s.Notes, fmt.Sprintf("Only %s are free on its disk.", size(free)))
	}
	if live == nil {
		return s, nil
	}
	s.Release = &live.Release
	active, err := p.active()
	if err != nil {
		return s, err
	}
	tenant, _ := p.tenant(active)
	if s.Running = p.runs(active, ""); !s.Running {
		s.Evidence = "Its web process has crashed."
		if p.stopped() {
			s.Evidence = "It is stopped."
		}
		return s, nil
	}
	if tenant.Release != live.ID {
		s.Notes = append(s.Notes, fmt.Sprintf("%s serves, but %s is on record as live.", tenant.Release, live.ID))
	}
	if _, ok := p.front(); !ok {
		s.Evidence = fmt.Sprintf("Its front does not listen at %s.", p.config.Listen)
		return s, nil
	}
	s.Healthy, s.Evidence = p.ask(ctx, p.frontClient(), *live)
	return s, nil
}

const littleSpace = 512 << 20

// size is n bytes as people say it.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}
