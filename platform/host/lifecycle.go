package host

import (
	"context"
	"errors"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// stopped reports that somebody stopped the app on purpose.
func (p *Provider) stopped() bool {
	_, err := p.box.Read(p.inState("stopped"))
	return err == nil
}

func (p *Provider) setStopped(stopped bool) error {
	if !stopped {
		return p.fail("host.stop", p.box.Remove(p.inState("stopped")))
	}
	return p.fail("host.stop", p.box.Put(p.inState("stopped"), []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o640))
}

// EnsureRunning starts the front and the live release where they do not run,
// and returns when the app answers. An app that was never deployed, that somebody
// stopped, or that a restore holds is left as it is. An operation that a start of
// maitred finds half done may go on meanwhile: what it did to the slots stays.
func (p *Provider) EnsureRunning(ctx context.Context, t platform.Target) error {
	if err := p.mine(t); err != nil {
		return err
	}
	live, err := p.live()
	if err != nil || live == nil {
		return err
	}
	if err := p.EnsureFront(ctx); err != nil {
		return err
	}
	for {
		slot, err := p.active()
		if err != nil || p.stopped() || p.held() {
			return err
		}
		err = p.ensure(ctx, slot, *live)
		if err == nil || p.wanted(slot) {
			return err
		}
	}
}

// wanted reports that the app is meant to run, and in slot.
func (p *Provider) wanted(slot string) bool {
	active, err := p.active()
	return err != nil || active == slot && !p.stopped() && !p.held()
}

// errUnwanted says that the app is no longer meant to run there.
var errUnwanted = errors.New("the app is not meant to run here any more")

// ensure keeps what visitors see in slot running: the release that is in it,
// which between a switch and its note in the ledger is not yet live. The link of
// the front stays where it is.
func (p *Provider) ensure(ctx context.Context, slot string, live entry) error {
	if slot == "" {
		return p.revive(ctx, "ensure", live)
	}
	e := live
	if t, ok := p.tenant(slot); ok {
		if in, err := p.entry(t.Release); err == nil {
			e = in
		}
	}
	if !p.runs(slot, e.ID) {
		if err := p.launchWhile(ctx, slot, "ensure", e, func() bool { return p.wanted(slot) }); err != nil {
			return err
		}
	}
	_, err := p.probe(ctx, discard{}, slot, e)
	return err
}

// revive starts e in the active slot unless it runs there.
func (p *Provider) revive(ctx context.Context, key string, e entry) error {
	slot, err := p.active()
	if err != nil {
		return err
	}
	if slot == "" {
		slot = slots[0]
	}
	if !p.runs(slot, e.ID) {
		if err := p.launch(ctx, slot, key, e); err != nil {
			return err
		}
	}
	if _, err := p.probe(ctx, discard{}, slot, e); err != nil {
		return err
	}
	return p.turn(slot, e)
}

// discard is a log that nobody reads.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// Leave stops everything that runs here, the front included: what the demo does
// with a home that it removes.
func (p *Provider) Leave(ctx context.Context) error {
	err := p.frontJob().stop(ctx, time.Second)
	for _, slot := range slots {
		if t, ok := p.tenant(slot); ok {
			err = errors.Join(err, p.job(t).stop(ctx, p.config.Stop))
		}
	}
	names, listed := p.box.List(p.inState("steps"))
	if listed != nil {
		names = nil
	}
	for _, name := range names {
		err = errors.Join(err, job{box: p.box, dir: p.inState("steps", name)}.stop(ctx, time.Second))
	}
	return err
}

// web refuses processes that there are none of.
func (p *Provider) web(process string) error {
	if process != "" && process != "web" {
		return fault.New(fault.Missing, "host.process", "/ps "+p.target.App, "%s has no process %s; it has web.", p.target, fault.Quote(process))
	}
	return nil
}

// deployed is the live release, or a refusal.
func (p *Provider) deployed(t platform.Target) (entry, error) {
	if err := p.mine(t); err != nil {
		return entry{}, err
	}
	live, err := p.live()
	if err != nil {
		return entry{}, err
	}
	if live == nil {
		return entry{}, fault.New(fault.Refused, "host.process", "/deploy "+t.App, "%s was never deployed.", t)
	}
	return *live, nil
}

func (p *Provider) planOne(t platform.Target, process string, s platform.Step) (platform.Plan, error) {
	if _, err := p.deployed(t); err != nil {
		return platform.Plan{}, err
	}
	return platform.Plan{Steps: []platform.Step{s}}, p.web(process)
}

// PlanStart implements platform.Starter.
func (p *Provider) PlanStart(_ context.Context, t platform.Target, process string) (platform.Plan, error) {
	return p.planOne(t, process, platform.Step{Name: "start", Action: "start", Undo: "as-before", Always: true})
}

// PlanStop implements platform.Starter.
func (p *Provider) PlanStop(_ context.Context, t platform.Target, process string) (platform.Plan, error) {
	return p.planOne(t, process, platform.Step{Name: "stop", Action: "stop", Undo: "as-before", Always: true})
}

// PlanRestart implements platform.Restarter: the live release in the other slot,
// so that visitors do not notice.
func (p *Provider) PlanRestart(_ context.Context, t platform.Target, process string) (platform.Plan, error) {
	if _, err := p.deployed(t); err != nil {
		return platform.Plan{}, err
	}
	if err := p.web(process); err != nil {
		return platform.Plan{}, err
	}
	return platform.Plan{Steps: swapSteps(launchArgs{Live: true})}, nil
}

// ran is what start and stop note: whether the app ran before.
type ran struct {
	Running bool `json:"running"`
}

func (p *Provider) ranBefore(r platform.Run) (ran, error) {
	active, err := p.active()
	if err != nil {
		return ran{}, err
	}
	was := ran{Running: p.runs(active, "")}
	return was, p.remember(noteOf(r, "ran"), &was)
}

func (p *Provider) startStep(ctx context.Context, r platform.Run) (platform.Result, error) {
	if _, err := p.ranBefore(r); err != nil {
		return platform.Result{}, err
	}
	e, err := p.deployed(r.Target)
	if err != nil {
		return platform.Result{}, err
	}
	if err := p.setStopped(false); err != nil {
		return platform.Result{}, err
	}
	if err := p.EnsureFront(ctx); err != nil {
		return platform.Result{}, err
	}
	if err := p.revive(ctx, r.Key, e); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: e.Version + " answers"}, p.holdRequests(0)
}

func (p *Provider) stopStep(ctx context.Context, r platform.Run) (platform.Result, error) {
	if _, err := p.ranBefore(r); err != nil {
		return platform.Result{}, err
	}
	if err := p.setStopped(true); err != nil {
		return platform.Result{}, err
	}
	for _, slot := range slots {
		if err := p.halt(ctx, slot); err != nil {
			return platform.Result{}, err
		}
	}
	return platform.Result{Say: "stopped; visitors are told so"}, nil
}

func (p *Provider) asBefore(ctx context.Context, r platform.Run) (platform.Result, error) {
	var was ran
	found, err := p.recall(noteOf(r, "ran"), &was)
	if err != nil || !found {
		return platform.Result{Say: "nothing had changed"}, err
	}
	if was.Running {
		_, err := p.startStep(ctx, r)
		return platform.Result{Say: "it runs, as before"}, err
	}
	_, err = p.stopStep(ctx, r)
	return platform.Result{Say: "it is stopped, as before"}, err
}
