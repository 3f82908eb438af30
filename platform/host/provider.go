// Package host deploys apps onto a machine: release directories, two process
// slots behind a socket link that is swapped in one move, a front that honours
// the link, and backups of the app's database. What it starts is detached and
// outlives maitred; what it knows lies in files beside the app, so that a
// restart finds everything again.
package host

import (
	"os"

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
}

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
	return &Provider{config: c, target: o.Target, mirrors: o.Mirrors, log: o.Log}, nil
}

// Kind is "host".
func (p *Provider) Kind() string { return "host" }
