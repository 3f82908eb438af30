package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
)

// noon is now in these tests.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

var (
	ann        = chat.Person{Chat: "webchat", ID: "U1", Name: "Ann", Who: "ann", Zone: "UTC"}
	bob        = chat.Person{Chat: "webchat", ID: "U2", Name: "Bob", Who: "bob"}
	production = platform.Target{App: "ocpizza", Environment: "production"}
)

// house is a small team: its Services keep state, and people in it talk.
type house struct {
	Services
	t        *testing.T
	registry *Registry
	desk     *desk
	fake     *platformtest.Fake
	apps     *shelf
	policy   *doorman
}

func newHouse(t *testing.T) *house {
	fake := platformtest.New(platformtest.Options{})
	shelf := &shelf{fake: fake, apps: []App{{Name: "ocpizza", Help: "The pizza shop.", Environments: []string{"production"}, Providers: map[string]string{"production": "fake"}}}}
	h := &house{t: t, desk: &desk{}, fake: fake, apps: shelf, policy: &doorman{}}
	h.Services = Services{Apps: shelf, Policy: h.policy, Operations: h.desk, Sources: repository{}, Schedules: &clocks{}, Audit: ledger{}}
	h.registry = New(h.Services)
	return h
}

// two adds a second app with two environments.
func (h *house) two() *house {
	h.apps.apps = append(h.apps.apps, App{Name: "menu", Environments: []string{"staging", "production"}})
	return h
}

func (h *house) call() Call {
	h.desk.keys++
	return Call{Person: ann, Place: chat.Place{Chat: "webchat", Channel: "deploys"}, Key: fmt.Sprint("key-", h.desk.keys), Source: chat.Typed, Now: noon}
}

// say carries a line out as the bot does.
func (h *house) say(line string, with ...func(*Call)) (Answer, error) {
	c := h.call()
	for _, w := range with {
		w(&c)
	}
	o, err := h.registry.Parse(line)
	if err != nil {
		return Answer{}, err
	}
	if _, err := h.registry.Aim(context.Background(), c, o); err != nil {
		return Answer{}, err
	}
	return h.registry.Run(context.Background(), c, o)
}

// must is say of a line that works.
func (h *house) must(line string, with ...func(*Call)) Answer {
	h.t.Helper()
	a, err := h.say(line, with...)
	if err != nil {
		h.t.Fatalf("%s: %v", line, err)
	}
	return a
}

// refused is say of a line that does not, and its fault.
func (h *house) refused(line string, with ...func(*Call)) *fault.Error {
	h.t.Helper()
	a, err := h.say(line, with...)
	if err == nil {
		h.t.Fatalf("%s was accepted: %+v", line, a)
	}
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		h.t.Fatalf("%s: %v", line, err)
	}
	return f
}

// deployed makes versions live, one after the other.
func (h *house) deployed(versions ...string) {
	h.t.Helper()
	for i, v := range versions {
		plan, err := h.fake.PlanDeploy(context.Background(), production, platform.Source{SHA: strings.Repeat(fmt.Sprint(i+1), 40), Ref: v, Version: v})
		h.carry(plan, err)
	}
}

func (h *house) captured(n int) {
	h.t.Helper()
	for range n {
		plan, err := h.fake.PlanCapture(context.Background(), production, "main")
		h.carry(plan, err)
	}
}

// carry walks a plan as the engine would.
func (h *house) carry(plan platform.Plan, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
	h.desk.carried++
	for _, step := range plan.Steps {
		a, r := h.fake.Actions()[step.Action], platform.Run{
			Operation: int64(h.desk.carried), Requester: "ann", Target: production, Step: step, Key: fmt.Sprintf("%d/%s", h.desk.carried, step.Name),
			Log: &bytes.Buffer{}, Secret: func(context.Context, string) (string, error) { return "hunter2-the-secret", nil },
		}
		if err := act(a, r); err != nil {
			h.t.Fatalf("%s: %v", step.Name, err)
		}
	}
}

func act(a platform.Action, r platform.Run) error {
	ctx := context.Background()
	switch {
	case a.Do != nil:
		_, err := a.Do(ctx, r)
		return err
	case a.Once != nil:
		_, err := a.Once(ctx, r)
		return err
	}
	handle, err := a.Start(ctx, r)
	if err != nil {
		return err
	}
	_, err = a.Wait(ctx, r, handle)
	return err
}

// on puts a call into an operation's thread; clicked and filled say how the line
// came.
func on(id int64) func(*Call) {
	return func(c *Call) { c.Subject, c.Place.Thread = id, "thread" }
}
func by(p chat.Person) func(*Call) { return func(c *Call) { c.Person = p } }
func clicked(c *Call)              { c.Source = chat.Clicked }
func filled(pairs ...string) func(*Call) {
	return func(c *Call) {
		c.Source, c.Fields = chat.Submitted, map[string]string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			c.Fields[pairs[i]] = pairs[i+1]
		}
	}
}

// shelf is the configured apps. The channel "ocpizza" is ocpizza's.
type shelf struct {
	fake *platformtest.Fake
	bare bool
	apps []App
}

func (s *shelf) Apps() []App { return s.apps }
func (s *shelf) Provider(platform.Target) (platform.Provider, error) {
	if s.bare {
		return s.fake.Bare(), nil
	}
	return s.fake, nil
}
func (s *shelf) Channel(p chat.Place) platform.Target {
	switch p.Channel {
	case "ocpizza":
		return platform.Target{App: "ocpizza"}
	case "menu-staging":
		return platform.Target{App: "menu", Environment: "staging"}
	}
	return platform.Target{}
}
func (s *shelf) Home(platform.Target) chat.Place {
	return chat.Place{Chat: "webchat", Channel: "home"}
}

// doorman lets everybody do what is not forbidden.
type doorman struct{ forbidden []string }

func (d *doorman) May(who chat.Person, verb string, t platform.Target) error {
	if slices.Contains(d.forbidden, verb) {
		return fault.New(fault.Forbidden, "doorman", "", "%s may not %s.", who.Label(), verb)
	}
	return nil
}
func (d *doorman) Roles(chat.Person) []string { return []string{"developer"} }
func (d *doorman) Holders(inChat string, roles ...string) []chat.Person {
	return []chat.Person{ann, bob}
}

// desk is an engine that only takes notes.
type desk struct {
	keys, carried int
	requests      []engine.Request
	operations    []platform.Operation
	decisions     []platform.Decision
	steps         []platform.StepRecord
	events        []engine.Event
	locks         []engine.Lock
	freezes       []engine.Freeze
	settled       []platform.Settlement
	refuse        error
}

func (d *desk) last() engine.Request { return d.requests[len(d.requests)-1] }

func (d *desk) Submit(_ context.Context, r engine.Request) (platform.Operation, error) {
	if d.refuse != nil {
		return platform.Operation{}, d.refuse
	}
	d.requests = append(d.requests, r)
	op := platform.Operation{ID: int64(len(d.operations) + 1), Key: r.Key, Kind: r.Kind, Target: r.Target, Args: r.Args,
		Source: r.Source, Requester: r.Requester, Place: r.Place, State: platform.Queued, Version: 1, Created: noon}
	d.operations = append(d.operations, op)
	return op, nil
}

func (d *desk) find(id int64) (*platform.Operation, error) {
	for i := range d.operations {
		if d.operations[i].ID == id {
			return &d.operations[i], nil
		}
	}
	return &platform.Operation{}, fault.New(fault.Missing, "desk", "", "There is no operation %d.", id)
}

func (d *desk) Decide(_ context.Context, id int64, decision platform.Decision) (platform.Operation, error) {
	op, err := d.find(id)
	if err == nil {
		d.decisions = append(d.decisions, decision)
	}
	return *op, err
}
func (d *desk) BreakGlass(_ context.Context, id int64, by chat.Person, why string) (platform.Operation, error) {
	op, err := d.find(id)
	d.decisions = append(d.decisions, platform.Decision{Operation: id, Person: by, Approve: true, Broke: true, Why: why})
	return *op, err
}
func (d *desk) Settle(_ context.Context, id int64, s platform.Settlement) (platform.Operation, error) {
	op, err := d.find(id)
	d.settled = append(d.settled, s)
	return *op, err
}
func (d *desk) Cancel(_ context.Context, id int64, by chat.Person) (platform.Operation, error) {
	op, err := d.find(id)
	op.Cancel = &platform.Cancellation{Person: by}
	return *op, err
}
func (d *desk) Operation(_ context.Context, id int64) (platform.Operation, error) {
	op, err := d.find(id)
	return *op, err
}
func (d *desk) List(_ context.Context, f engine.Filter) ([]platform.Operation, error) {
	return slices.DeleteFunc(slices.Clone(d.operations), func(op platform.Operation) bool {
		return len(f.States) > 0 && !slices.Contains(f.States, op.State) || f.App != "" && f.App != op.Target.App
	}), nil
}
func (d *desk) Live(context.Context) ([]platform.Operation, error) {
	return slices.DeleteFunc(slices.Clone(d.operations), func(op platform.Operation) bool { return op.State.Ended() }), nil
}
func (d *desk) Steps(context.Context, int64) ([]platform.StepRecord, error) { return d.steps, nil }
func (d *desk) Decisions(context.Context, int64) ([]platform.Decision, error) {
	return d.decisions, nil
}
func (d *desk) Events(context.Context, int64) ([]engine.Event, error) { return d.events, nil }
func (d *desk) Event(_ context.Context, id int64) (engine.Event, error) {
	for _, e := range d.events {
		if e.ID == id {
			return e, nil
		}
	}
	return engine.Event{}, fault.New(fault.Missing, "desk", "", "There is no event %d.", id)
}
func (d *desk) Lock(_ context.Context, l engine.Lock) error { d.locks = append(d.locks, l); return nil }
func (d *desk) Unlock(_ context.Context, t platform.Target, _ chat.Person) (engine.Lock, error) {
	for i, l := range d.locks {
		if l.Target == t {
			d.locks = slices.Delete(d.locks, i, i+1)
			return l, nil
		}
	}
	return engine.Lock{}, fault.New(fault.Missing, "desk", "", "%s is not locked.", t)
}
func (d *desk) Locks(context.Context) ([]engine.Lock, error) { return d.locks, nil }
func (d *desk) Freeze(_ context.Context, f engine.Freeze) error {
	d.freezes = append(d.freezes, f)
	return nil
}
func (d *desk) Unfreeze(_ context.Context, app string, _ chat.Person) (engine.Freeze, error) {
	for i, f := range d.freezes {
		if f.App == app {
			d.freezes = slices.Delete(d.freezes, i, i+1)
			return f, nil
		}
	}
	return engine.Freeze{}, fault.New(fault.Missing, "desk", "", "%s is not frozen.", app)
}
func (d *desk) Freezes(context.Context) ([]engine.Freeze, error) { return d.freezes, nil }

// repository knows three tags and a branch.
type repository struct{}

var refs = []string{"v1.2.0", "v1.1.0", "v1.0.0", "main", "feature/tips"}

func (repository) Resolve(_ context.Context, t platform.Target, ref string) (platform.Source, error) {
	if ref == "" {
		ref = "main"
	}
	if !slices.Contains(refs, ref) {
		return platform.Source{}, fault.New(fault.Missing, "repository", "", "%s has no branch, tag or commit “%s”.", t.App, ref)
	}
	return platform.Source{Repository: "repo", Ref: ref, SHA: strings.Repeat("a", 40), Version: ref}, nil
}
func (repository) Refs(context.Context, platform.Target) ([]string, error) { return refs, nil }
func (repository) Between(_ context.Context, _ platform.Target, from, to string, _ int) ([]platform.Commit, error) {
	return []platform.Commit{{SHA: to, Author: "cleo", Subject: "Tips for the waiters"}}, nil
}

// clocks keeps schedules.
type clocks struct{ all []Schedule }

func (c *clocks) Schedules(context.Context) ([]Schedule, error) { return c.all, nil }
func (c *clocks) AddSchedule(_ context.Context, s Schedule) (Schedule, error) {
	s.ID = int64(len(c.all) + 1)
	c.all = append(c.all, s)
	return s, nil
}
func (c *clocks) RemoveSchedule(_ context.Context, id int64) (Schedule, error) {
	for i, s := range c.all {
		if s.ID == id {
			c.all = slices.Delete(c.all, i, i+1)
			return s, nil
		}
	}
	return Schedule{}, fault.New(fault.Missing, "clocks", "", "gone")
}

// ledger has three rows.
type ledger struct{}

func (ledger) Audit(_ context.Context, f AuditFilter) ([]AuditRow, error) {
	all := []AuditRow{
		{Seq: 3, At: noon, Person: bob, Verb: "approve", Subject: "#1", Line: "/approve 1", Outcome: "ok"},
		{Seq: 2, At: noon.Add(-time.Hour), Person: ann, Verb: "deploy", Subject: "ocpizza/production", Line: "/deploy ocpizza", Outcome: "ok", Detail: "#1"},
		{Seq: 1, At: noon.Add(-48 * time.Hour), Person: ann, Verb: "stop", Subject: "ocpizza/production", Line: "/stop ocpizza", Outcome: "refused", Detail: "It is locked."},
	}
	all = slices.DeleteFunc(all, func(r AuditRow) bool {
		return f.Who != "" && r.Person.Who != f.Who || f.Verb != "" && r.Verb != f.Verb || f.Outcome != "" && r.Outcome != f.Outcome ||
			f.App != "" && !strings.HasPrefix(r.Subject, f.App) || r.At.Before(f.Since) || f.Before > 0 && r.Seq >= f.Before
	})
	return all[:min(len(all), f.Limit)], nil
}

func argsOf[A any](t *testing.T, r engine.Request) A {
	t.Helper()
	var a A
	if err := json.Unmarshal(r.Args, &a); err != nil {
		t.Fatal(err)
	}
	return a
}
