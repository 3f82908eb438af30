package engine

import (
	"context"

	"maitred/fault"
	"maitred/platform"
)

// run runs a one-off command in the release that is live.
func run(ctx context.Context, p platform.Provider, r Request) (cooked, error) {
	able, err := platform.Need[platform.Runner](p, "run a command")
	if err != nil {
		return cooked{}, err
	}
	args, err := arguments[RunArgs](r)
	if err != nil {
		return cooked{}, err
	}
	if len(args.Command) == 0 {
		return cooked{}, fault.New(fault.Invalid, "engine.run", "/run "+r.Target.App+" COMMAND", "Say which command to run.")
	}
	plan, err := able.PlanRun(ctx, r.Target, args.Command)
	return cooked{plan: plan}, err
}
