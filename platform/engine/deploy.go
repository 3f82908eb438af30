package engine

import (
	"context"

	"maitred/fault"
	"maitred/platform"
)

// deploy puts a resolved source live, as its platform plans it.
func deploy(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	if err := resolved(r); err != nil {
		return cooked{}, err
	}
	before, err := live(ctx, p, r.Target)
	if err != nil {
		return cooked{}, err
	}
	plan, err := p.PlanDeploy(ctx, r.Target, *r.Source)
	return cooked{plan: plan, previous: before}, err
}

// resolved wants the exact version of what is put live.
func resolved(r Request) error {
	if r.Source == nil || r.Source.SHA == "" {
		return fault.New(fault.Invalid, "engine.deploy", "/deploy "+r.Target.App+"@REF", "Say which version of %s is meant.", r.Target.App)
	}
	return nil
}
