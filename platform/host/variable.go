package host

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"maitred/fault"
	"maitred/platform"
)

// variableArgs name a variable and, to set it, where its value is.
type variableArgs struct {
	Name   string `json:"name"`
	Handle string `json:"handle,omitempty"`
}

// Variables implements platform.Configurer.
func (p *Provider) Variables(_ context.Context, t platform.Target) ([]platform.Variable, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	own, err := p.variables()
	if err != nil {
		return nil, err
	}
	all := map[string]platform.Variable{}
	for name := range p.config.Env {
		all[name] = platform.Variable{Name: name, Set: true, Help: "from maitred.yml"}
	}
	for name := range own {
		all[name] = platform.Variable{Name: name, Set: true}
	}
	for _, name := range p.config.Required {
		v := all[name]
		v.Name, v.Required = name, true
		all[name] = v
	}
	list := make([]platform.Variable, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list, nil
}

// SecretValues implements platform.Discreet.
func (p *Provider) SecretValues(_ context.Context, t platform.Target) ([]string, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	own, err := p.variables()
	if err != nil {
		return nil, err
	}
	return slices.Collect(maps.Values(own)), nil
}

// PlanSet implements platform.Configurer.
func (p *Provider) PlanSet(_ context.Context, t platform.Target, name, handle string) (platform.Plan, error) {
	return p.planVariable(t, "set", variableArgs{Name: name, Handle: handle})
}

// PlanUnset implements platform.Configurer.
func (p *Provider) PlanUnset(_ context.Context, t platform.Target, name string) (platform.Plan, error) {
	return p.planVariable(t, "unset", variableArgs{Name: name})
}

// planVariable changes the file and, when the app runs, brings it up with the
// new environment in the other slot.
func (p *Provider) planVariable(t platform.Target, action string, args variableArgs) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	if err := checkName(args.Name); err != nil {
		return platform.Plan{}, err
	}
	plan := platform.Plan{Steps: []platform.Step{{Name: action, Action: action, Args: raw(args), Undo: "reset", Always: true}}}
	active, err := p.active()
	if err != nil {
		return platform.Plan{}, err
	}
	if p.runs(active, "") {
		plan.Steps = append(plan.Steps, swapSteps(launchArgs{Live: true})...)
	}
	return plan, nil
}

// variableNote is what a variable was before. It stays on the machine, in a file
// of mode 0600, until the next change ends.
type variableNote struct {
	Had   bool   `json:"had"`
	Value string `json:"value,omitempty"`
}

func (p *Provider) set(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args variableArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	value, err := r.Secret(ctx, args.Handle)
	if err != nil {
		return platform.Result{}, err
	}
	if slices.Contains([]byte(value), 0) {
		return platform.Result{}, fault.New(fault.Invalid, "host.set", "", "The value of %s holds a NUL character, which no environment can.", args.Name)
	}
	return platform.Result{Say: args.Name + " is set"}, p.alter(ctx, r, args.Name, &value)
}

func (p *Provider) unset(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args variableArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: args.Name + " is not set"}, p.alter(ctx, r, args.Name, nil)
}

// alter notes what name was and gives it a value; nil takes it out.
func (p *Provider) alter(ctx context.Context, r platform.Run, name string, value *string) error {
	return p.locked(ctx, func() error {
		if err := p.clearHalves(); err != nil {
			return err
		}
		values, err := p.variables()
		if err != nil {
			return err
		}
		var was variableNote
		was.Value, was.Had = values[name]
		if err := p.remember(noteOf(r, "variable"), &was); err != nil {
			return err
		}
		if delete(values, name); value != nil {
			values[name] = *value
		}
		return p.putVariables(values)
	})
}

// clearHalves removes what a kill in the middle of an earlier change has left:
// files that were written and not yet named, with values in them.
func (p *Provider) clearHalves() error {
	for dir, part := range map[string]string{p.path("shared"): ".env-", p.inState("notes"): "-variable.json-"} {
		names, err := p.box.List(dir)
		if err != nil {
			return p.fail("host.env", err)
		}
		for _, name := range names {
			if strings.HasPrefix(name, ".") && strings.Contains(name, part) {
				if err := p.box.Remove(filepath.Join(dir, name)); err != nil {
					return p.fail("host.env", err)
				}
			}
		}
	}
	return nil
}

// reset gives the variable the value that it had, and the app too: a process
// that was started on the way back from the change has seen the new value.
func (p *Provider) reset(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args variableArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	var was variableNote
	found, err := p.recall(noteOf(r, "variable"), &was)
	if err != nil || !found {
		return platform.Result{Say: "nothing had changed"}, err
	}
	value := &was.Value
	if !was.Had {
		value = nil
	}
	if err := p.alter(ctx, r, args.Name, value); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: args.Name + " is as it was"}, p.renew(ctx, r)
}

// renew replaces the process that serves, when this operation started it.
func (p *Provider) renew(ctx context.Context, r platform.Run) error {
	active, err := p.active()
	if err != nil {
		return err
	}
	live, err := p.live()
	if err != nil || live == nil || !p.runs(active, live.ID) {
		return err
	}
	next, key := other(active), noteOf(r, "renew")
	switch t, _ := p.tenant(active); t.Key {
	case noteOf(r, "undo"):
	case key:
		return p.halt(ctx, next) // a crash came between the swap and this
	default:
		return nil // it runs since before the change
	}
	if err := p.launch(ctx, next, key, *live); err != nil {
		return err
	}
	if _, err := p.probe(ctx, r.Log, next, *live); err != nil {
		return err
	}
	if err := p.turn(next, *live); err != nil {
		return err
	}
	return p.halt(ctx, active)
}
