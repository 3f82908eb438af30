package engine

import (
	"context"

	"maitred/fault"
	"maitred/platform"
)

// setConfig writes a variable; its value travels as a handle.
func setConfig(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, args, err := variable(p, r)
	if err != nil {
		return cooked{}, err
	}
	if args.Handle == "" {
		return cooked{}, fault.New(fault.Invalid, "engine.config", "/config set "+r.Target.App+" "+args.Name, "The value of %s is missing.", args.Name)
	}
	plan, err := able.PlanSet(ctx, r.Target, args.Name, args.Handle)
	return cooked{plan: plan}, err
}

// unsetConfig removes a variable.
func unsetConfig(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, args, err := variable(p, r)
	if err != nil {
		return cooked{}, err
	}
	plan, err := able.PlanUnset(ctx, r.Target, args.Name)
	return cooked{plan: plan}, err
}

func variable(p platform.Provider, r Request) (platform.Configurer, ConfigArgs, error) {
	able, err := platform.Need[platform.Configurer](p, "change config variables")
	if err != nil {
		return nil, ConfigArgs{}, err
	}
	args, err := arguments[ConfigArgs](r)
	if err == nil && args.Name == "" {
		err = fault.New(fault.Invalid, "engine.config", "/config list "+r.Target.App, "Say which variable is meant.")
	}
	return able, args, err
}
