package storetest

import (
	"errors"
	"testing"
	"time"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
)

func stepOrder(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	step := func(i int, undo bool, state chat.StepState) platform.StepRecord {
		return platform.StepRecord{Operation: op.ID, Index: i, Undo: undo, Name: numbered("step", i), State: state, Started: noon, Output: "out\x00put",
			Result: platform.Result{Say: "3 migrations", Release: "r2"}}
	}
	for _, r := range []platform.StepRecord{step(0, true, chat.StepRunning), step(1, false, chat.StepPending), step(0, false, chat.StepDone)} {
		must(t, s.SaveStep(ctx, r))
	}
	must(t, s.SaveStep(ctx, step(1, false, chat.StepFailed)))
	want := []platform.StepRecord{step(0, false, chat.StepDone), step(1, false, chat.StepFailed), step(0, true, chat.StepRunning)}
	same(t, "the steps", got[[]platform.StepRecord](t)(s.Steps(ctx, op.ID)), want)
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
		within, err := tx.Steps(ctx, op.ID)
		same(t, "the steps within a transaction", within, want)
		return err
	}))
}

func stepFence(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
		op.State, op.Fence = platform.Running, 2
		return tx.Save(ctx, &op)
	}))
	is(t, s.SaveStep(ctx, platform.StepRecord{Operation: op.ID, Fence: 1, State: chat.StepDone}), engine.ErrFenced)
	is(t, s.SaveStep(ctx, platform.StepRecord{Operation: 4711, Fence: 1, State: chat.StepDone}), engine.ErrFenced)
	same(t, "the number of steps", len(got[[]platform.StepRecord](t)(s.Steps(ctx, op.ID))), 0)
	must(t, s.SaveStep(ctx, platform.StepRecord{Operation: op.ID, Fence: 2, State: chat.StepDone}))
	if v := got[platform.Operation](t)(s.Operation(ctx, op.ID)).Version; v != op.Version+1 {
		t.Fatalf("version is %d after a step, want %d", v, op.Version+1)
	}
}

func decisionOnce(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Waiting))
	decide := func(who chat.Person, approve bool) error {
		return s.Update(ctx, pizza, func(tx engine.Tx) error {
			return tx.Decide(ctx, platform.Decision{Operation: op.ID, Person: who, Approve: approve, At: noon})
		})
	}
	elsewhere := bob
	elsewhere.Chat, elsewhere.ID = "slack", "UBOB"
	stranger := chat.Person{Chat: "webchat", ID: "bob"}
	must(t, decide(bob, true))
	is(t, decide(bob, false), engine.ErrDecided)
	is(t, decide(elsewhere, false), engine.ErrDecided)
	must(t, decide(stranger, true))
	is(t, decide(stranger, true), engine.ErrDecided)
	all := got[[]platform.Decision](t)(s.Decisions(ctx, op.ID))
	same(t, "who decided", []string{all[0].Person.Label(), all[1].Person.Label()}, []string{"bob", "bob"})
	same(t, "what was decided first", all[0].Approve, true)

	// The word of two at once is one.
	other := insert(t, s, deploy("other", platform.Waiting))
	errs := make(chan error)
	for range 6 {
		go func() {
			errs <- s.Update(ctx, pizza, func(tx engine.Tx) error {
				return tx.Decide(ctx, platform.Decision{Operation: other.ID, Person: bob, Approve: true, At: noon})
			})
		}()
	}
	won := 0
	for range 6 {
		if err := <-errs; err == nil {
			won++
		} else {
			is(t, err, engine.ErrDecided)
		}
	}
	same(t, "decisions that counted", won, 1)
}

func eventOrder(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	kinds := []engine.EventKind{engine.Submitted, engine.Began, engine.Finished}
	var events []engine.Event
	for _, k := range kinds {
		e := engine.Event{Operation: op.ID, Kind: k, By: &ann, Say: "So it is.", At: noon}
		must(t, s.Update(ctx, pizza, func(tx engine.Tx) error { return tx.AddEvent(ctx, &e) }))
		events = append(events, e)
	}
	same(t, "the events", got[[]engine.Event](t)(s.Events(ctx, op.ID)), events)
	same(t, "the last event", got[engine.Event](t)(s.Event(ctx, events[2].ID)), events[2])
	_, err := s.Event(ctx, 4711)
	wants(t, err, fault.Missing)
}

func lockStands(t *testing.T, p Place) {
	s := p.Open(t)
	lock := engine.Lock{Target: pizza, Person: ann, Why: "demo", At: noon, Expires: noon.Add(time.Hour)}
	theirs := engine.Lock{Target: pizza, Person: bob, Why: "mine now", At: noon, Expires: noon.Add(2 * time.Hour)}
	set := func(l engine.Lock, now time.Time, want engine.Lock, ok bool) {
		t.Helper()
		standing, done, err := s.SetLock(ctx, l, now)
		must(t, err)
		same(t, "the lock that stands", standing, want)
		same(t, "whether it was set", done, ok)
	}
	set(lock, noon, lock, true)
	set(theirs, noon.Add(time.Minute), lock, false)
	longer := lock
	longer.Why = "longer demo"
	set(longer, noon.Add(time.Minute), longer, true)
	set(theirs, noon.Add(time.Hour), theirs, true)
	whole := lock
	whole.Target.Environment = ""
	set(whole, noon, whole, true)
	same(t, "the locks", got[[]engine.Lock](t)(s.Locks(ctx)), []engine.Lock{whole, theirs})
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
		within, err := tx.Locks(ctx)
		same(t, "the locks within a transaction", within, []engine.Lock{whole, theirs})
		return err
	}))
	same(t, "removed", got[bool](t)(s.RemoveLock(ctx, pizza)), true)
	same(t, "removed again", got[bool](t)(s.RemoveLock(ctx, pizza)), false)
}

func freezeReplaced(t *testing.T, p Place) {
	s := p.Open(t)
	all := engine.Freeze{Person: ann, Why: "holidays", At: noon}
	one := engine.Freeze{App: "ocpizza", Person: bob, Why: "launch", At: noon, Expires: noon.Add(time.Hour)}
	again := one
	again.Why = "launch, again"
	must(t, errors.Join(s.SetFreeze(ctx, one), s.SetFreeze(ctx, all), s.SetFreeze(ctx, again)))
	same(t, "the freezes", got[[]engine.Freeze](t)(s.Freezes(ctx)), []engine.Freeze{all, again})
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
		within, err := tx.Freezes(ctx)
		same(t, "the freezes within a transaction", within, []engine.Freeze{all, again})
		return err
	}))
	same(t, "removed", got[bool](t)(s.RemoveFreeze(ctx, "ocpizza")), true)
	same(t, "removed again", got[bool](t)(s.RemoveFreeze(ctx, "ocpizza")), false)
}

func replicaLease(t *testing.T, p Place) {
	s := p.Open(t)
	ends := got[time.Time](t)(s.Beat(ctx, "one", "b1", time.Minute))
	if left := time.Until(ends); left < 30*time.Second || left > 90*time.Second {
		t.Fatalf("the lease ends in %s", left)
	}
	got[time.Time](t)(s.Beat(ctx, "two", "b1", time.Millisecond))
	until(t, "the lease of two is over", func() bool { return len(got[[]string](t)(s.Dead(ctx))) == 1 })
	same(t, "the dead", got[[]string](t)(s.Dead(ctx)), []string{"two"})
	same(t, "the replicas, the dead one among them", got[[]string](t)(s.Replicas(ctx)), []string{"one", "two"})
	same(t, "the living taken over", got[bool](t)(s.TakeOver(ctx, "one", "three")), false)
	results := make(chan bool)
	for range 8 {
		go func() {
			won, err := s.TakeOver(ctx, "two", "one")
			results <- won && err == nil
		}()
	}
	won := 0
	for range 8 {
		if <-results {
			won++
		}
	}
	same(t, "winners of the take-over", won, 1)
	same(t, "the replicas after the take-over", got[[]string](t)(s.Replicas(ctx)), []string{"one"})
	same(t, "the dead afterwards", len(got[[]string](t)(s.Dead(ctx))), 0)
	must(t, s.Resign(ctx, "one", "another boot"))
	same(t, "whether a stranger resigned for one", count(t, s, "SELECT COUNT(*) FROM replicas WHERE id = 'one'"), 1)
	must(t, s.Resign(ctx, "one", "b1"))
	same(t, "rows of one after it resigned", count(t, s, "SELECT COUNT(*) FROM replicas WHERE id = 'one'"), 0)
}

func replicaZombie(t *testing.T, p Place) {
	s := p.Open(t)
	got[time.Time](t)(s.Beat(ctx, "one", "b1", time.Millisecond))
	until(t, "the lease is over", func() bool { return got[bool](t)(s.TakeOver(ctx, "one", "two")) })
	_, err := s.Beat(ctx, "one", "b1", time.Minute)
	is(t, err, engine.ErrFenced)
	wants(t, err, fault.Refused)
	got[time.Time](t)(s.Beat(ctx, "one", "b2", time.Minute)) // it was started again
	_, err = s.Beat(ctx, "one", "b1", time.Minute)
	is(t, err, engine.ErrFenced)
	got[time.Time](t)(s.Beat(ctx, "one", "b2", time.Minute))
}

// A replica that was taken over is remembered for long, so that it finds out when
// it thaws, and not for ever.
func replicaForgotten(t *testing.T, p Place) {
	s := p.Open(t)
	now := time.Now()
	got[time.Time](t)(s.Beat(ctx, "one", "b1", time.Minute))
	got[time.Time](t)(s.Beat(ctx, "gone", "b1", time.Millisecond))
	until(t, "the lease is over", func() bool { return got[bool](t)(s.TakeOver(ctx, "gone", "one")) })
	got[store.Pruned](t)(s.Retain(ctx, now.Add(29*24*time.Hour)))
	same(t, "replicas after a month less a day", count(t, s, "SELECT COUNT(*) FROM replicas"), 2)
	got[store.Pruned](t)(s.Retain(ctx, now.Add(31*24*time.Hour)))
	same(t, "replicas after a month", count(t, s, "SELECT COUNT(*) FROM replicas"), 1)
	same(t, "the replica that lives", got[[]string](t)(s.Replicas(ctx)), []string{"one"})
}

func scheduleKept(t *testing.T, p Place) {
	s := p.Open(t)
	c := commands.Schedule{Line: "/backup capture ocpizza to production", Target: pizza, Cron: "0 2 * * *", Zone: "Europe/Paris", Person: ann, Place: square, Created: noon}
	first := got[commands.Schedule](t)(s.AddSchedule(ctx, c))
	second := got[commands.Schedule](t)(s.AddSchedule(ctx, c))
	c.ID = first.ID
	same(t, "the schedule", first, c)
	same(t, "the schedules", got[[]commands.Schedule](t)(s.Schedules(ctx)), []commands.Schedule{first, second})
	tick := noon.Add(time.Hour)
	results := make(chan bool)
	for range 6 {
		go func() {
			news, err := s.Ticked(ctx, first.ID, tick)
			results <- news && err == nil
		}()
	}
	said := 0
	for range 6 {
		if <-results {
			said++
		}
	}
	same(t, "how often the tick was news", said, 1)
	same(t, "whether an earlier tick is news", got[bool](t)(s.Ticked(ctx, first.ID, noon)), false)
	same(t, "the last tick", got[[]commands.Schedule](t)(s.Schedules(ctx))[0].Last, tick)
	same(t, "what was removed", got[commands.Schedule](t)(s.RemoveSchedule(ctx, second.ID)), second)
	_, err := s.RemoveSchedule(ctx, second.ID)
	wants(t, err, fault.Missing)
}
