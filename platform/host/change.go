package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"maitred/fault"
	"maitred/platform"
)

// change is how an operation moves an app from one slot to the other. It is
// worked out when the candidate is launched and then noted, because later, and
// on the way back, the world looks different.
type change struct {
	Release  string                `json:"release"` // that is to be live
	Was      platform.ReleaseState `json:"was"`     // what it was before
	Slot     string                `json:"slot"`    // where it is tried
	From     string                `json:"from"`    // the release that was live, "" before the first
	FromSlot string                `json:"from_slot"`
	Stopped  bool                  `json:"stopped"` // somebody had stopped the app
}

// launchArgs say what to launch: a release by id, the one that is live, or when
// both are empty the one that this operation fetched.
type launchArgs struct {
	Release string `json:"release,omitempty"`
	Live    bool   `json:"live,omitempty"`
}

func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain structs always encode
	}
	return data
}

func readArgs(r platform.Run, v any) error {
	if len(r.Step.Args) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Step.Args, v); err != nil {
		return fmt.Errorf("arguments of step %s: %w", r.Step.Name, err)
	}
	return nil
}

func noteOf(r platform.Run, what string) string { return fmt.Sprintf("%d-%s", r.Operation, what) }

// begin works the change of r out, or reads what was noted.
func (p *Provider) begin(r platform.Run) (change, entry, error) {
	e, err := p.subject(r)
	if err != nil {
		return change{}, entry{}, err
	}
	active, err := p.active()
	if err != nil {
		return change{}, entry{}, err
	}
	c := change{Release: e.ID, Was: e.State, Slot: other(active), FromSlot: active, Stopped: p.stopped()}
	live, err := p.live()
	if err != nil {
		return change{}, entry{}, err
	}
	if live != nil {
		c.From = live.ID
	}
	if active == "" {
		c.Slot = slots[0]
	}
	if err := p.remember(noteOf(r, "change"), &c); err != nil {
		return change{}, entry{}, err
	}
	return c, e, nil
}

// subject is the release that r is about.
func (p *Provider) subject(r platform.Run) (entry, error) {
	var args launchArgs
	if err := readArgs(r, &args); err != nil {
		return entry{}, err
	}
	if args.Release != "" {
		return p.entry(args.Release)
	}
	if args.Live {
		live, err := p.live()
		if err != nil || live == nil {
			return entry{}, fault.New(fault.Refused, "host.launch", "/deploy "+p.target.App, "%s was never deployed.", p.target)
		}
		return *live, nil
	}
	e, ok, err := p.made(r)
	if err == nil && !ok {
		err = fmt.Errorf("operation %d has fetched no release", r.Operation)
	}
	return e, err
}

// made is the release that the operation of r fetched.
func (p *Provider) made(r platform.Run) (entry, bool, error) {
	list, err := p.ledger()
	if err != nil {
		return entry{}, false, err
	}
	for _, e := range list {
		if e.Operation == r.Operation {
			return e, true, nil
		}
	}
	return entry{}, false, nil
}

// begun is the change that r's operation has noted; false when it has not got
// that far.
func (p *Provider) begun(r platform.Run) (change, entry, bool, error) {
	var c change
	found, err := p.recall(noteOf(r, "change"), &c)
	if !found || err != nil {
		return c, entry{}, false, err
	}
	e, err := p.entry(c.Release)
	return c, e, err == nil, err
}

// must is begun for steps that come after the launch.
func (p *Provider) must(r platform.Run) (change, entry, error) {
	c, e, ok, err := p.begun(r)
	if err == nil && !ok {
		err = fmt.Errorf("operation %d has launched nothing", r.Operation)
	}
	return c, e, err
}

// swapSteps bring a release into the other slot and let it take over.
func swapSteps(args launchArgs) []platform.Step {
	in := raw(args)
	return []platform.Step{
		{Name: "start", Action: "launch", Args: in, Undo: "unlaunch", Always: true},
		{Name: "probe", Action: "probe", Args: in},
		{Name: "switch", Action: "switch", Args: in, Undo: "unswitch", Always: true},
		{Name: "verify", Action: "verify", Args: in},
		{Name: "drain", Action: "drain", Args: in},
		{Name: "finish", Action: "finish", Args: in},
	}
}

func (p *Provider) launchStep(ctx context.Context, r platform.Run) (platform.Result, error) {
	c, e, err := p.begin(r)
	if err != nil {
		return platform.Result{}, err
	}
	if err := p.EnsureFront(ctx); err != nil {
		return platform.Result{}, err
	}
	if err := p.launch(ctx, c.Slot, r.Key, e); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: fmt.Sprintf("%s in %s", e.Version, c.Slot)}, nil
}

func (p *Provider) unlaunch(ctx context.Context, r platform.Run) (platform.Result, error) {
	c, e, ok, err := p.begun(r)
	if err != nil || !ok {
		return platform.Result{Say: "nothing was started"}, err
	}
	active, err := p.active()
	if err != nil {
		return platform.Result{}, err
	}
	if t, _ := p.tenant(c.Slot); active != c.Slot && t.Release == c.Release {
		err = p.halt(ctx, c.Slot)
	}
	return platform.Result{Say: e.Version + " stopped"}, err
}

func (p *Provider) probeStep(ctx context.Context, r platform.Run) (platform.Result, error) {
	c, e, err := p.must(r)
	if err != nil {
		return platform.Result{}, err
	}
	evidence, err := p.probe(ctx, r.Log, c.Slot, e)
	return platform.Result{Say: evidence}, err
}

func (p *Provider) switchStep(ctx context.Context, r platform.Run) (platform.Result, error) {
	c, e, err := p.must(r)
	if err != nil {
		return platform.Result{}, err
	}
	if !p.runs(c.Slot, c.Release) {
		return platform.Result{}, p.died(r.Log, c.Slot, e)
	}
	if err := p.turn(c.Slot, e); err != nil {
		return platform.Result{}, err
	}
	states := map[string]platform.ReleaseState{c.Release: platform.ReleaseLive}
	if c.From != "" && c.From != c.Release {
		states[c.From] = platform.ReleaseSuperseded
	}
	var back comeback
	if c.Was == platform.ReleaseSuperseded {
		back = comeback{fmt.Sprintf("rollback from %s by #%d", c.From, r.Operation), r.Requester}
	}
	if err := p.mark(ctx, states, back); err != nil {
		return platform.Result{}, err
	}
	// What a restore that was given up left behind is over as well.
	return platform.Result{Say: fmt.Sprintf("%s is live", e.Version), Release: e.ID}, errors.Join(p.setStopped(false), p.holdRequests(0))
}

// unswitch makes the release before live again. It runs before it gets a
// request: when it has stopped meanwhile, it is started and probed first.
func (p *Provider) unswitch(ctx context.Context, r platform.Run) (platform.Result, error) {
	c, e, ok, err := p.begun(r)
	if err != nil || !ok {
		return platform.Result{Say: "nothing was switched"}, err
	}
	active, err := p.active()
	if err != nil {
		return platform.Result{}, err
	}
	failed := c.Was
	if failed == platform.ReleasePrepared {
		failed = platform.ReleaseFailed
	}
	states := map[string]platform.ReleaseState{c.Release: failed}
	if c.From != "" {
		states[c.From] = platform.ReleaseLive
	}
	if active != c.Slot || active == c.FromSlot {
		return platform.Result{Say: "nothing was switched", Release: c.From}, p.mark(ctx, states, comeback{})
	}
	say := "nothing is live, as before"
	if c.From == "" {
		err = p.turn("", entry{})
	} else {
		var from entry
		if from, err = p.entry(c.From); err == nil {
			say, err = p.goBack(ctx, r, c, from)
		}
	}
	if err != nil {
		return platform.Result{}, err
	}
	fmt.Fprintf(r.Log, "%s no longer serves.\n", e.Version)
	return platform.Result{Say: say, Release: c.From}, p.mark(ctx, states, comeback{})
}

func (p *Provider) goBack(ctx context.Context, r platform.Run, c change, from entry) (string, error) {
	if c.Stopped {
		if err := p.setStopped(true); err != nil {
			return "", err
		}
	} else if !p.runs(c.FromSlot, c.From) {
		if err := p.launch(ctx, c.FromSlot, noteOf(r, "undo"), from); err != nil {
			return "", err
		}
		if _, err := p.probe(ctx, r.Log, c.FromSlot, from); err != nil {
			return "", err
		}
	}
	return "back to " + from.Version, p.turn(c.FromSlot, from)
}

func (p *Provider) verify(ctx context.Context, r platform.Run) (platform.Result, error) {
	c, e, err := p.must(r)
	if err != nil {
		return platform.Result{}, err
	}
	if err := p.EnsureFront(ctx); err != nil {
		return platform.Result{}, err
	}
	evidence, err := p.watch(ctx, r.Log, p.frontClient(), c.Slot, e)
	return platform.Result{Say: evidence}, err
}

func (p *Provider) drain(ctx context.Context, r platform.Run) (platform.Result, error) {
	c, _, err := p.must(r)
	if err != nil {
		return platform.Result{}, err
	}
	active, err := p.active()
	if err != nil {
		return platform.Result{}, err
	}
	if c.FromSlot == "" || c.FromSlot == active {
		return platform.Result{Say: "nothing to stop"}, nil
	}
	return platform.Result{Say: "the requests of " + c.FromSlot + " ended"}, p.halt(ctx, c.FromSlot)
}
