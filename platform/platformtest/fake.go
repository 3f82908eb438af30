package platformtest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// Way is how an action is carried out; see platform.Action.
type Way string

const (
	Do     Way = "do"
	Attach Way = "attach"
	Once   Way = "once"
)

// Options say what a Fake is like. The zero Options are a fast platform called
// "fake" whose world is in memory.
type Options struct {
	Name string // what Kind answers; "fake" when empty
	// Dir keeps the world and the journal in files that survive kill -9 and are
	// shared by all Fakes with the same Dir, in other processes too. It must
	// exist. Empty keeps them in memory.
	Dir     string
	Slow    time.Duration  // every action takes this long, unless a Script says otherwise
	Ways    map[string]Way // of actions by name ("migrate", "undo switch"), where the usual way is not wanted
	Scripts []Script
}

// Fake is a platform that keeps its apps in a world of its own. It has every
// capability, keeps state, and can be told to misbehave; see Script.
type Fake struct {
	options Options
	world   *world
	mu      sync.Mutex
	scripts []Script
}

// New returns a Fake. Fakes with the same Options.Dir share one world.
func New(o Options) *Fake {
	if o.Name == "" {
		o.Name = "fake"
	}
	return &Fake{
		options: o, scripts: slices.Clone(o.Scripts),
		world: &world{dir: o.Dir, targets: map[string]*app{}},
	}
}

// Bare is f without any capability: a name, a status and a deploy plan.
func (f *Fake) Bare() platform.Provider { return bare{f} }

type bare struct{ fake *Fake }

func (b bare) Kind() string { return b.fake.Kind() }
func (b bare) Status(ctx context.Context, t platform.Target) (platform.Status, error) {
	status, err := b.fake.Status(ctx, t)
	status.Maintenance = nil
	return status, err
}
func (b bare) PlanDeploy(ctx context.Context, t platform.Target, src platform.Source) (platform.Plan, error) {
	return b.fake.PlanDeploy(ctx, t, src)
}
func (b bare) Actions() map[string]platform.Action { return b.fake.Actions() }

// Kind implements platform.Provider.
func (f *Fake) Kind() string { return f.options.Name }

// Status implements platform.Provider.
func (f *Fake) Status(ctx context.Context, t platform.Target) (platform.Status, error) {
	var s platform.Status
	err := f.look(ctx, t, func(a app) {
		s.URL = "https://" + t.App + ".example"
		s.Maintenance = &a.Maintenance
		if a.Live == "" {
			s.Evidence = "nothing was deployed yet"
			return
		}
		s.Release = a.release(a.Live)
		s.Running, s.Healthy = !a.Stopped, !a.Stopped
		s.Evidence = "GET /healthz answered 200 in 1 ms"
		if a.Stopped {
			s.Evidence = "it is stopped"
			return
		}
		for name, count := range a.Processes {
			for n := range count {
				s.Processes = append(s.Processes, platform.Process{
					Name: fmt.Sprintf("%s.%d", name, n+1), Type: name, State: "up", Release: a.Live,
				})
			}
		}
	})
	return s, err
}

// PlanDeploy implements platform.Provider.
func (f *Fake) PlanDeploy(_ context.Context, _ platform.Target, src platform.Source) (platform.Plan, error) {
	if src.SHA == "" {
		return platform.Plan{}, fault.New(fault.Invalid, "fake.deploy", "", "The source names no commit.")
	}
	a := args{Source: &src}
	return platform.Plan{Steps: []platform.Step{
		{Name: "build", Action: "build", Args: a.raw(), Undo: "undo build", Always: true},
		{Name: "migrate", Action: "migrate", Args: a.raw()},
		{Name: "probe", Action: "probe", Args: a.raw()},
		{Name: "switch", Action: "switch", Args: a.raw(), Undo: "undo switch", Always: true},
		{Name: "verify", Action: "verify", Args: a.raw()},
	}}, nil
}

// Actions implements platform.Provider.
func (f *Fake) Actions() map[string]platform.Action {
	actions := map[string]platform.Action{}
	for _, v := range verbs {
		way := v.way
		if w, ok := f.options.Ways[v.name]; ok {
			way = w
		}
		switch way {
		case Attach:
			actions[v.name] = platform.Action{Start: f.start(v), Find: f.find(v), Wait: f.wait(v)}
		case Once:
			actions[v.name] = platform.Action{Once: f.do(v)}
		default:
			actions[v.name] = platform.Action{Do: f.do(v), Retries: 2}
		}
	}
	return actions
}

// Answer is the version that visitors of t see: "" when nobody answers.
func (f *Fake) Answer(t platform.Target) string {
	var version string
	f.must(f.world.look(t, func(a app) {
		if live := a.release(a.Live); live != nil && !a.Stopped {
			version = live.Version
		}
	}))
	return version
}

// Write puts data into the database of t, as a visitor would.
func (f *Fake) Write(t platform.Target, data string) {
	f.must(f.world.change(t, func(a *app) error { a.Data = data; return nil }))
}

// Read is what is in the database of t.
func (f *Fake) Read(t platform.Target) (data string) {
	f.must(f.world.look(t, func(a app) { data = a.Data }))
	return data
}

// Journal is what was done so far, oldest first, by all Fakes of the world.
func (f *Fake) Journal() []Entry {
	if f.options.Dir != "" {
		entries, err := ReadJournal(f.options.Dir)
		f.must(err)
		return entries
	}
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	return slices.Clone(f.world.journal)
}

// must ends a test whose own files cannot be used: there is nothing to assert.
func (f *Fake) must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "platformtest: the world of the fake is gone:", err)
		panic(err)
	}
}

func (f *Fake) look(ctx context.Context, t platform.Target, fn func(a app)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.world.look(t, fn)
}
