package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"maitred/fault"
	"maitred/platform"
)

// cooked is what a recipe makes of a request.
type cooked struct {
	plan     platform.Plan
	args     json.RawMessage // when the recipe made them exact: "the last backup" is b7 from now on
	previous string          // the release that is live
}

// recipe turns a request into a plan, through the capabilities of the platform.
// It reads and changes nothing. It is asked again right before the start of an
// operation that has waited, with the arguments that it made exact itself.
type recipe func(ctx context.Context, p platform.Provider, r Request) (cooked, error)

// recipes has one recipe per kind of operation.
var recipes = map[platform.Kind]recipe{
	platform.Deploy:      deploy,
	platform.Rollback:    rollback,
	platform.Update:      update,
	platform.Restore:     restore,
	platform.Capture:     capture,
	platform.Maintain:    maintenance,
	platform.Start:       start,
	platform.Stop:        stopProcess,
	platform.Restart:     restart,
	platform.Scale:       scale,
	platform.RunCommand:  run,
	platform.SetConfig:   setConfig,
	platform.UnsetConfig: unsetConfig,
}

// arguments reads the arguments of a request.
func arguments[A any](r Request) (A, error) {
	var a A
	if len(r.Args) == 0 {
		return a, nil
	}
	if err := json.Unmarshal(r.Args, &a); err != nil {
		return a, &fault.Error{Kind: fault.Invalid, Op: "engine.arguments", Err: err, Hint: "/help " + r.Kind.Verb(),
			Say: fmt.Sprintf("The arguments of %s cannot be read.", r.Kind.Verb())}
	}
	return a, nil
}

// exact is args as they are stored.
func exact(args any) (json.RawMessage, error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, fmt.Errorf("arguments: %w", err)
	}
	return raw, nil
}

// live is the id of the release that is live; empty before the first deploy.
func live(ctx context.Context, p platform.Provider, t platform.Target) (string, error) {
	s, err := p.Status(ctx, t)
	if err != nil {
		return "", err
	}
	if s.Release == nil {
		return "", nil
	}
	return s.Release.ID, nil
}

// unique gives steps names of their own: a second "check" is "check 2".
func unique(steps []platform.Step) []platform.Step {
	seen := map[string]int{}
	for i := range steps {
		name := steps[i].Name
		seen[name]++
		for n := seen[name]; n > 1; n++ {
			next := fmt.Sprintf("%s %d", name, n)
			if seen[next] == 0 {
				seen[next], seen[name], steps[i].Name = 1, n, next
				break
			}
		}
	}
	return steps
}
