package engine

import (
	"context"

	"maitred/fault"
	"maitred/platform"
)

// start starts what was stopped.
func start(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Starter](p, "start and stop an app")
	if err != nil {
		return cooked{}, err
	}
	return processes(r, func(process string) (platform.Plan, error) { return able.PlanStart(ctx, r.Target, process) })
}

// stopProcess stops an app, or one process of it.
func stopProcess(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Starter](p, "start and stop an app")
	if err != nil {
		return cooked{}, err
	}
	return processes(r, func(process string) (platform.Plan, error) { return able.PlanStop(ctx, r.Target, process) })
}

// restart restarts an app, or one process of it.
func restart(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Restarter](p, "restart an app")
	if err != nil {
		return cooked{}, err
	}
	return processes(r, func(process string) (platform.Plan, error) { return able.PlanRestart(ctx, r.Target, process) })
}

func processes(r Request, plan func(process string) (platform.Plan, error)) (cooked, error) {
	args, err := arguments[ProcessArgs](r)
	if err != nil {
		return cooked{}, err
	}
	made, err := plan(args.Process)
	return cooked{plan: made}, err
}

// scale changes the number and size of processes.
func scale(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Scaler](p, "change the number of processes")
	if err != nil {
		return cooked{}, err
	}
	args, err := arguments[ScaleArgs](r)
	if err != nil {
		return cooked{}, err
	}
	if len(args.To) == 0 {
		return cooked{}, fault.New(fault.Invalid, "engine.scale", "/scale "+r.Target.App+" web=2", "Say what to scale, and to how many.")
	}
	plan, err := able.PlanScale(ctx, r.Target, args.To)
	return cooked{plan: plan}, err
}
