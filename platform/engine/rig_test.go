package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store"
	"maitred/store/storetest"
)

var _ commands.Operations = (*engine.Engine)(nil)

var (
	dev    = person("dev", "developer")
	lead   = person("lead", "lead")
	lead2  = person("lead2", "lead")
	shop   = platform.Target{App: "ocpizza", Environment: "production"}
	place  = chat.Place{Chat: "webchat", Channel: "deploys"}
	people = map[string][]string{"dev": {"developer"}, "lead": {"lead"}, "lead2": {"lead"}, "bot": {"developer", "lead"}}
)

func person(who string, _ ...string) chat.Person {
	return chat.Person{Chat: "webchat", ID: who, Who: who}
}

// crew is a policy: everybody of people may everything.
type crew struct{}

func (crew) May(who chat.Person, verb string, t platform.Target) error {
	if _, ok := people[who.Who]; ok {
		return nil
	}
	return fault.New(fault.Forbidden, "crew.may", "ask lead", "%s needs the role developer: dev.", verb)
}
func (crew) Roles(who chat.Person) []string { return people[who.Who] }
func (crew) Holders(_ string, roles ...string) []chat.Person {
	var all []chat.Person
	for _, who := range []string{"dev", "lead", "lead2"} {
		if slices.ContainsFunc(people[who], func(r string) bool { return slices.Contains(roles, r) }) {
			all = append(all, person(who))
		}
	}
	return all
}

// rig is an engine on a store with a fake platform.
type rig struct {
	*engine.Engine
	t     testing.TB
	store *store.Store
	fake  *platformtest.Fake
	stop  func() error
}

// ruled are the rules under which deploys need a lead.
func ruled() engine.Rules {
	return engine.Rules{Approvals: []engine.ApprovalRule{{
		Verbs: []string{"deploy", "rollback"}, Roles: []string{"lead"}, Unless: []string{"nobody"},
	}}}
}

// open returns a working engine on p. It is stopped when the test ends.
func open(t testing.TB, p storetest.Place, fake *platformtest.Fake, change ...func(*engine.Config)) *rig {
	t.Helper()
	s := p.Open(t)
	r := &rig{t: t, store: s, fake: fake}
	c := engine.Config{
		Store: s, SQLite: s.SQLite(), Pool: s.Pool(), Replica: "one", Policy: crew{},
		Providers: func(platform.Target) (platform.Provider, error) { return fake, nil },
		Grace:     2 * time.Second, Retry: 50 * time.Millisecond, Log: zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel)),
	}
	if s.Pool() != nil {
		c.SQLite = nil
	}
	for _, f := range change {
		f(&c)
	}
	e, err := engine.New(c)
	if err != nil {
		t.Fatalf("new engine: %v", err)
	}
	r.Engine = e
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-ended, e.Close(), s.Close())
	})
	t.Cleanup(func() { r.stop() })
	return r
}

// each runs test on both stores, beside others: they mostly wait.
func each(t *testing.T, test func(t *testing.T, p storetest.Place)) {
	t.Helper()
	t.Parallel()
	for name, place := range map[string]func(testing.TB) storetest.Place{"sqlite": storetest.SQLite, "postgres": storetest.PostgreSQL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, place(t))
		})
	}
}

func source(version string) *platform.Source {
	return &platform.Source{Ref: version, SHA: "sha-of-" + version, Version: version}
}

func request(kind platform.Kind, args []byte) engine.Request {
	return engine.Request{Kind: kind, Target: shop, Args: args, Requester: dev, Place: place}
}

func deployOf(version string) engine.Request {
	r := request(platform.Deploy, nil)
	r.Source = source(version)
	return r
}

func (r *rig) submit(q engine.Request) platform.Operation {
	r.t.Helper()
	op, err := r.Submit(context.Background(), q)
	if err != nil {
		r.t.Fatalf("submit %s: %v", q.Kind, err)
	}
	return op
}

// until waits for an operation to be as wanted.
func (r *rig) until(id int64, what string, wanted func(platform.Operation) bool) platform.Operation {
	r.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		op, err := r.Operation(context.Background(), id)
		if err != nil {
			r.t.Fatalf("operation %d: %v", id, err)
		}
		if wanted(op) {
			return op
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("#%d is not %s but %s (%s %s)\n%s", id, what, op.State, op.Reason, op.Message, r.history(id))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (r *rig) untilState(id int64, s platform.State) platform.Operation {
	r.t.Helper()
	return r.until(id, string(s), func(op platform.Operation) bool { return op.State == s })
}

func (r *rig) untilStep(id int64, name string, s chat.StepState) {
	r.t.Helper()
	r.until(id, fmt.Sprintf("in step %s %s", name, s), func(platform.Operation) bool {
		for _, rec := range r.steps(id) {
			if rec.Name == name && rec.State == s {
				return true
			}
		}
		return false
	})
}

func (r *rig) steps(id int64) []platform.StepRecord {
	r.t.Helper()
	all, err := r.Steps(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

func (r *rig) history(id int64) string {
	events, err := r.Events(context.Background(), id)
	if err != nil {
		return err.Error()
	}
	text := ""
	for _, ev := range events {
		text += fmt.Sprintf("  %s: %s\n", ev.Kind, ev.Say)
	}
	for _, rec := range r.steps(id) {
		text += fmt.Sprintf("  step %d %s undo=%v %s attempt=%d %s\n", rec.Index, rec.Name, rec.Undo, rec.State, rec.Attempt, rec.Error)
	}
	return text
}

func (r *rig) said(id int64) map[engine.EventKind]int {
	r.t.Helper()
	events, err := r.Events(context.Background(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	count := map[engine.EventKind]int{}
	for _, ev := range events {
		count[ev.Kind]++
	}
	return count
}

// times counts journal entries of an event for a step of an operation.
func (r *rig) times(event platformtest.Event, id int64, step string) int {
	n := 0
	for _, entry := range r.fake.Journal() {
		if entry.Event == event && entry.Operation == id && entry.Step == step && !entry.Undo {
			n++
		}
	}
	return n
}
