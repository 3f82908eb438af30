package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
)

func operationRoundTrip(t *testing.T, p Place) {
	s := p.Open(t)
	op := deploy("k", platform.Waiting)
	op.Approval = &platform.Approval{Needed: 2, Roles: []string{"lead"}, Deadline: noon.Add(time.Hour), Remind: noon.Add(time.Minute), Digest: "d"}
	op.Warnings = []string{"The database is ahead."}
	op = insert(t, s, op)
	if op.ID == 0 || op.Version != 1 {
		t.Fatalf("inserted as #%d version %d", op.ID, op.Version)
	}
	same(t, "the operation", got[platform.Operation](t)(s.Operation(ctx, op.ID)), op)
	same(t, "the operation by its key", got[platform.Operation](t)(s.ByKey(ctx, "k")), op)

	op.State, op.Queued, op.Cancel = platform.Queued, noon.Add(time.Second), &platform.Cancellation{Person: bob, At: noon}
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error { return tx.Save(ctx, &op) }))
	if op.Version != 2 {
		t.Fatalf("version is %d after a save, want 2", op.Version)
	}
	same(t, "the saved operation", got[platform.Operation](t)(s.Operation(ctx, op.ID)), op)

	_, err := s.Operation(ctx, 4711)
	wants(t, err, fault.Missing)
	_, err = s.ByKey(ctx, "another")
	wants(t, err, fault.Missing)
}

func operationKey(t *testing.T, p Place) {
	s := p.Open(t)
	first := insert(t, s, deploy("k", platform.Waiting))
	again := deploy("k", platform.Waiting)
	err := s.Update(ctx, pizza, func(tx engine.Tx) error {
		known, found, err := tx.ByKey(ctx, "k")
		if err != nil || !found || known.ID != first.ID {
			return fmt.Errorf("by key: %v %v %v", known.ID, found, err)
		}
		if _, found, err := tx.ByKey(ctx, "nobody's"); found || err != nil {
			return fmt.Errorf("by another key: %v %v", found, err)
		}
		return tx.Insert(ctx, &again, "")
	})
	is(t, err, engine.ErrChanged)
	if n := count(t, s, "SELECT COUNT(*) FROM operations"); n != 1 {
		t.Fatalf("%d operations, want 1", n)
	}
}

func operationVersion(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	older := op
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error { return tx.Save(ctx, &op) }))
	is(t, s.Update(ctx, pizza, func(tx engine.Tx) error { return tx.Save(ctx, &older) }), engine.ErrChanged)
	gone := op
	gone.ID = 4711
	wants(t, s.Update(ctx, pizza, func(tx engine.Tx) error { return tx.Save(ctx, &gone) }), fault.Missing)
}

// operationLife forces every pair of states on the database, the engine's own
// checks out of the way.
func operationLife(t *testing.T, p Place) {
	s := p.Open(t)
	for i, was := range platform.States {
		for j, becomes := range platform.States {
			op := deploy(fmt.Sprintf("%d-%d", i, j), was)
			op.Kind = platform.RunCommand // not exclusive: only the life is in the way
			op = insert(t, s, op)
			err := move(s, op.ID, becomes)
			if allowed := was == becomes || was.CanBecome(becomes); allowed != (err == nil) {
				t.Errorf("%s to %s: the table says %v, the database %v", was, becomes, allowed, err)
			}
		}
	}
	if err := force(s, "UPDATE operations SET state = 'resting'"); err == nil {
		t.Error("the database took a state that does not exist")
	}
}

func operationWalk(t *testing.T, p Place) {
	s := p.Open(t)
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		start := rapid.SampledFrom([]platform.State{platform.Waiting, platform.Queued}).Draw(r, "start")
		op := deploy(numbered("walk", n), start)
		op.Kind = rapid.SampledFrom([]platform.Kind{platform.Capture, platform.RunCommand, platform.Restart}).Draw(r, "kind")
		op = insert(t, s, op)
		state, version := start, int64(1)
		for range rapid.IntRange(1, 8).Draw(r, "changes") {
			to := rapid.SampledFrom(platform.States).Draw(r, "to")
			err := move(s, op.ID, to)
			if allowed := state == to || state.CanBecome(to); allowed != (err == nil) {
				r.Fatalf("%s to %s: %v", state, to, err)
			}
			if err == nil {
				state = to
				version++
			}
			stored := got[platform.Operation](t)(s.Operation(ctx, op.ID))
			if stored.State != state || stored.Version != version {
				r.Fatalf("stored as %s version %d, want %s version %d", stored.State, stored.Version, state, version)
			}
			live := slices.ContainsFunc(got[[]platform.Operation](t)(s.Live(ctx)), func(o platform.Operation) bool { return o.ID == op.ID })
			if live == state.Ended() {
				r.Fatalf("an operation in %s is live: %v", state, live)
			}
		}
	})
}

func operationExclusive(t *testing.T, p Place) {
	s := p.Open(t)
	a := insert(t, s, deploy("a", platform.Queued))
	b := insert(t, s, deploy("b", platform.Queued))
	elsewhere := deploy("c", platform.Queued)
	elsewhere.Target.Environment = "staging"
	elsewhere = insert(t, s, elsewhere)
	walk(t, s, a.ID, platform.Running)
	for _, holds := range []platform.State{platform.Undoing, platform.Unknown} {
		wants(t, move(s, b.ID, platform.Running), fault.Busy)
		must(t, move(s, a.ID, holds))
	}
	wants(t, move(s, b.ID, platform.Running), fault.Busy)
	must(t, s.Update(ctx, elsewhere.Target, func(tx engine.Tx) error {
		elsewhere.State = platform.Running
		return tx.Save(ctx, &elsewhere)
	}))
	must(t, move(s, a.ID, platform.Failed))
	must(t, move(s, b.ID, platform.Running))
}

func operationRollback(t *testing.T, p Place) {
	s := p.Open(t)
	op := deploy("k", platform.Queued)
	no := errors.New("no")
	is(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
		if err := tx.Insert(ctx, &op, ""); err != nil {
			return err
		}
		if err := tx.AddEvent(ctx, &engine.Event{Operation: op.ID, Kind: engine.Finished, At: noon}); err != nil {
			return err
		}
		if err := tx.Audit(ctx, square, "deploy", "#1", "ok", ""); err != nil {
			return err
		}
		return no
	}), no)
	for _, table := range []string{"operations", "events", "outbox", "audit"} {
		if n := count(t, s, "SELECT COUNT(*) FROM "+table); n != 0 {
			t.Errorf("%d rows in %s, want none", n, table)
		}
	}
}

// operationUpdates lets many count in one operation, each by reading and
// writing; a lost update would be missing in the end.
func operationUpdates(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	const callers, each = 8, 10
	errs := make(chan error, callers)
	for range callers {
		go func() {
			var err error
			for range each {
				err = errors.Join(err, s.Update(ctx, pizza, func(tx engine.Tx) error {
					op, err := tx.Operation(ctx, op.ID)
					if err != nil {
						return err
					}
					op.Fence++
					return tx.Save(ctx, &op)
				}))
			}
			errs <- err
		}()
	}
	for range callers {
		must(t, <-errs)
	}
	stored := got[platform.Operation](t)(s.Operation(ctx, op.ID))
	if stored.Fence != callers*each || stored.Version != callers*each+1 {
		t.Fatalf("counted to %d at version %d, want %d", stored.Fence, stored.Version, callers*each)
	}
}

func operationLists(t *testing.T, p Place) {
	s := p.Open(t)
	var ids []int64
	for i := range 30 {
		op := deploy(numbered("k", i), platform.Queued)
		op.Kind = platform.Capture
		if i%3 == 0 {
			op.Kind, op.State, op.Requester = platform.RunCommand, platform.Cancelled, bob
		}
		if i%5 == 0 {
			op.Target = platform.Target{App: "blog", Environment: "staging"}
		}
		ids = append(ids, insert(t, s, op).ID)
	}
	list := func(f engine.Filter) (found []int64) {
		t.Helper()
		for _, op := range got[[]platform.Operation](t)(s.Operations(ctx, f)) {
			found = append(found, op.ID)
		}
		return found
	}
	want := func(n int, fits func(i int) bool) (want []int64) {
		for i := len(ids) - 1; i >= 0 && len(want) < n; i-- {
			if fits(i) {
				want = append(want, ids[i])
			}
		}
		return want
	}
	same(t, "the newest 20", list(engine.Filter{}), want(20, func(int) bool { return true }))
	same(t, "the next page", list(engine.Filter{Before: ids[10], Limit: 4}), want(4, func(i int) bool { return i < 10 }))
	same(t, "those of an app", list(engine.Filter{App: "blog", Limit: 99}), want(99, func(i int) bool { return i%5 == 0 }))
	same(t, "those of an environment", list(engine.Filter{Environment: "production", Limit: 99}), want(99, func(i int) bool { return i%5 != 0 }))
	same(t, "those of a kind", list(engine.Filter{Kinds: []platform.Kind{platform.RunCommand}, Limit: 99}), want(99, func(i int) bool { return i%3 == 0 }))
	same(t, "those of two kinds", list(engine.Filter{Kinds: []platform.Kind{platform.RunCommand, platform.Capture}, Limit: 99}), want(99, func(int) bool { return true }))
	same(t, "those in a state", list(engine.Filter{States: []platform.State{platform.Queued}, Limit: 99}), want(99, func(i int) bool { return i%3 != 0 }))
	same(t, "those of a person", list(engine.Filter{Requester: "bob", App: "ocpizza", Limit: 99}), want(99, func(i int) bool { return i%3 == 0 && i%5 != 0 }))
}

func operationLine(t *testing.T, p Place) {
	s := p.Open(t)
	at := func(key string, state platform.State, queued time.Time) int64 {
		op := deploy(key, state)
		op.Kind, op.Queued = platform.Capture, queued
		return insert(t, s, op).ID
	}
	waiting := at("a", platform.Waiting, time.Time{})
	late := at("b", platform.Queued, noon.Add(time.Minute))
	early := at("c", platform.Queued, noon)
	alike := at("d", platform.Queued, noon)
	at("e", platform.Cancelled, noon)
	other := deploy("f", platform.Queued)
	other.Target.App = "blog"
	elsewhere := insert(t, s, other).ID

	number := func(ops []platform.Operation) (ids []int64) {
		for _, op := range ops {
			ids = append(ids, op.ID)
		}
		return ids
	}
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
		line, err := tx.Live(ctx)
		same(t, "the line", number(line), []int64{early, alike, late, waiting})
		return err
	}))
	same(t, "all that live", number(got[[]platform.Operation](t)(s.Live(ctx))), []int64{waiting, late, early, alike, elsewhere})
}

func operationPrune(t *testing.T, p Place) {
	s := p.Open(t)
	full := func(key string) int64 {
		op := insert(t, s, deploy(key, platform.Queued))
		walk(t, s, op.ID, platform.Running)
		must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
			return errors.Join(
				tx.SaveStep(ctx, platform.StepRecord{Operation: op.ID, Name: "build", State: chat.StepDone}),
				tx.AddEvent(ctx, &engine.Event{Operation: op.ID, Kind: engine.Finished, At: noon}),
				tx.Decide(ctx, platform.Decision{Operation: op.ID, Person: bob, Approve: true, At: noon}))
		}))
		return op.ID
	}
	old := full("old")
	walk(t, s, old, platform.Succeeded)
	running := full("running")
	n := got[int](t)(s.Prune(ctx, noon))
	if n != 0 {
		t.Fatalf("pruned %d that had just ended", n)
	}
	if n = got[int](t)(s.Prune(ctx, noon.Add(time.Second))); n != 1 {
		t.Fatalf("pruned %d, want 1", n)
	}
	_, err := s.Operation(ctx, old)
	wants(t, err, fault.Missing)
	got[platform.Operation](t)(s.Operation(ctx, running))
	for table, want := range map[string]int{"operations": 1, "steps": 1, "events": 1, "decisions": 1, "outbox": 2} {
		if n := count(t, s, "SELECT COUNT(*) FROM "+table); n != want {
			t.Errorf("%d rows left in %s, want %d", n, table, want)
		}
	}
}

func restart(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	must(t, s.SetFreeze(ctx, engine.Freeze{App: "ocpizza", Person: ann, Why: "launch", At: noon}))
	must(t, s.Close())
	s = p.Open(t)
	same(t, "the operation", got[platform.Operation](t)(s.Operation(ctx, op.ID)), op)
	same(t, "the freezes", len(got[[]engine.Freeze](t)(s.Freezes(ctx))), 1)
	must(t, s.Ready(ctx))
	next := insert(t, s, deploy("next", platform.Queued))
	if next.ID <= op.ID {
		t.Fatalf("#%d came after #%d", next.ID, op.ID)
	}
}

// stepsAndUpdates lets steps be written while updates read and save the same
// operation: neither may refuse the other.
func stepsAndUpdates(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	walk(t, s, op.ID, platform.Running)
	const each = 30
	var all sync.WaitGroup
	errs := make(chan error, 2*each)
	all.Go(func() {
		for i := range each {
			errs <- s.SaveStep(ctx, platform.StepRecord{Operation: op.ID, Index: i % 3, State: chat.StepRunning})
		}
	})
	all.Go(func() {
		for range each {
			errs <- s.Update(ctx, pizza, func(tx engine.Tx) error {
				op, err := tx.Operation(ctx, op.ID)
				if err != nil {
					return err
				}
				return tx.Save(ctx, &op)
			})
		}
	})
	all.Wait()
	close(errs)
	for err := range errs {
		must(t, err)
	}
	if v := got[platform.Operation](t)(s.Operation(ctx, op.ID)).Version; v != 2+2*each {
		t.Fatalf("version is %d, want %d", v, 2+2*each)
	}
}
