package heroku

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/fault"
	"maitred/platform"
)

// variableArgs name a variable and, to set it, the handle of its value.
type variableArgs struct {
	Name   string `json:"name"`
	Handle string `json:"handle,omitempty"`
}

// Variables implements platform.Configurer.
func (p *Provider) Variables(ctx context.Context, t platform.Target) ([]platform.Variable, error) {
	values, err := p.values(ctx, t)
	if err != nil {
		return nil, err
	}
	names := slices.Collect(maps.Keys(values))
	for _, name := range p.config.Required {
		if _, ok := values[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var list []platform.Variable
	for _, name := range slices.Compact(names) {
		_, set := values[name]
		list = append(list, platform.Variable{Name: name, Set: set, Required: slices.Contains(p.config.Required, name)})
	}
	return list, nil
}

// SecretValues implements platform.Discreet: every value may be a secret.
func (p *Provider) SecretValues(ctx context.Context, t platform.Target) ([]string, error) {
	values, err := p.values(ctx, t)
	if err != nil {
		return nil, err
	}
	list := []string{p.config.APIKey}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if v := value(values[name]); v != "" {
			list = append(list, v)
		}
	}
	return list, nil
}

func (p *Provider) values(ctx context.Context, t platform.Target) (map[string]*string, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	values, err := p.client.ConfigVarInfoForApp(ctx, p.config.App)
	return values, p.fail("heroku.config", err)
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// PlanSet implements platform.Configurer.
func (p *Provider) PlanSet(_ context.Context, t platform.Target, name, handle string) (platform.Plan, error) {
	return p.planVariable(t, "set", variableArgs{Name: name, Handle: handle})
}

// PlanUnset implements platform.Configurer.
func (p *Provider) PlanUnset(_ context.Context, t platform.Target, name string) (platform.Plan, error) {
	return p.planVariable(t, "unset", variableArgs{Name: name})
}

func (p *Provider) planVariable(t platform.Target, verb string, args variableArgs) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	if !variableName.MatchString(args.Name) {
		return platform.Plan{}, fault.New(fault.Invalid, "heroku.config", "/config list "+t.App, "%q is no name of a variable.", clip(args.Name, 60))
	}
	return platform.Plan{
		Steps:    []platform.Step{{Name: verb + " " + args.Name, Action: verb, Args: raw(args), Undo: "reset", Always: true}},
		Warnings: []string{"Heroku makes a release of it and restarts all dynos."},
	}, nil
}

func (p *Provider) set(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args variableArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	v, err := r.Secret(ctx, args.Handle)
	if err != nil {
		return platform.Result{}, err
	}
	return p.change(ctx, r, args.Name, &v)
}

func (p *Provider) unset(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args variableArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	return p.change(ctx, r, args.Name, nil)
}

// change gives a variable a value, or none. Which release was newest before is
// noted first: it still knows the old value, so nobody else has to.
func (p *Provider) change(ctx context.Context, r platform.Run, name string, v *string) (platform.Result, error) {
	newest, err := p.newest(ctx)
	if err != nil {
		return platform.Result{}, err
	}
	if _, err := before(ctx, p, r, r.Key, newest); err != nil {
		return platform.Result{}, err
	}
	return p.assign(ctx, name, v)
}

// reset gives a variable the value that it had in the release before.
func (p *Provider) reset(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args variableArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	version, ok, err := was[int](ctx, p, r.Key)
	if err != nil || !ok {
		return platform.Result{Say: "nothing was changed"}, err
	}
	values, err := p.client.ConfigVarInfoForAppRelease(ctx, p.config.App, strconv.Itoa(version))
	if err != nil {
		return platform.Result{}, p.fail("heroku.config", err)
	}
	return p.assign(ctx, args.Name, values[args.Name])
}

// assign makes no release where there is nothing to change.
func (p *Provider) assign(ctx context.Context, name string, v *string) (platform.Result, error) {
	values, err := p.values(ctx, p.target)
	if err != nil {
		return platform.Result{}, err
	}
	now, set := values[name]
	if v == nil && (!set || now == nil) || v != nil && now != nil && *now == *v {
		version, err := p.newest(ctx)
		return platform.Result{Say: fmt.Sprintf("as it is to be, in v%d", version)}, err
	}
	if _, err := p.client.ConfigVarUpdate(ctx, p.config.App, map[string]*string{name: v}); err != nil {
		return platform.Result{}, p.fail("heroku.config", err)
	}
	version, err := p.newest(ctx)
	if err != nil {
		return platform.Result{}, err
	}
	if _, err := p.settle(ctx, 0); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: fmt.Sprintf("v%d", version)}, nil
}

// newest is the number of the newest release.
func (p *Provider) newest(ctx context.Context) (int, error) {
	list, err := p.client.ReleaseList(ctx, p.config.App, &heroku.ListRange{Field: "version", Max: 1, Descending: true})
	if err != nil {
		return 0, p.fail("heroku.releases", err)
	}
	if len(list) == 0 {
		return 0, nil
	}
	return list[0].Version, nil
}
