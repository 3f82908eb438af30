package engine_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

// TestRandomWalk lets people do anything at any time to the operations of one
// app, on a platform that fails and loses answers, and wants the rules to hold
// after every move, and every operation to end.
func TestRandomWalk(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{
			Ways: map[string]platformtest.Way{"migrate": platformtest.Once}, Slow: time.Millisecond,
			Scripts: []platformtest.Script{
				{Step: "verify", Version: "v2", Fail: "It never got healthy."},
				{Step: "migrate", Version: "v3", Lose: true},
				{Step: "undo switch", Version: "v2", Lose: true, Times: 3},
			},
		}), withRules(engine.Rules{Approvals: []engine.ApprovalRule{{Verbs: []string{"rollback", "backup restore"}, Roles: []string{"lead"}}}}))
		walks, most := 0, 10
		if os.Getenv("MAITRED_SOAK") != "" {
			most = 100
		}
		rapid.Check(t, func(rt *rapid.T) {
			if walks++; walks > most {
				return
			}
			w := &walker{rig: r, rt: rt, app: fmt.Sprintf("app-%d", walks), seen: map[int64]platform.State{}}
			for range rapid.IntRange(5, 25).Draw(rt, "moves") {
				w.move()
				w.look()
			}
			w.finish()
		})
	})
}

type walker struct {
	*rig
	rt   *rapid.T
	app  string
	seen map[int64]platform.State
}

// move does one thing that a person could do. What the engine refuses in whole
// sentences is fine; anything else is a slip.
func (w *walker) move() {
	ctx := context.Background()
	id := int64(0)
	if ops := w.mine(); len(ops) > 0 {
		id = rapid.SampledFrom(ops).Draw(w.rt, "operation").ID
	}
	var err error
	switch what := rapid.IntRange(0, 9).Draw(w.rt, "move"); {
	case what < 4 || id == 0:
		kind := rapid.SampledFrom([]platform.Kind{platform.Deploy, platform.Deploy, platform.Update, platform.Rollback,
			platform.Restore, platform.Capture, platform.Restart, platform.Maintain}).Draw(w.rt, "kind")
		q := request(kind, nil)
		q.Target.App = w.app
		q.Source = source(rapid.SampledFrom([]string{"v1", "v2", "v3", "v4"}).Draw(w.rt, "version"))
		_, err = w.Submit(ctx, q)
	case what < 6:
		_, err = w.Decide(ctx, id, platform.Decision{Person: lead, Approve: rapid.Bool().Draw(w.rt, "approve")})
	case what < 7:
		_, err = w.Cancel(ctx, id, dev)
	case what < 8:
		_, err = w.BreakGlass(ctx, id, dev, "fire")
	default:
		verdict := rapid.SampledFrom([]platform.Verdict{platform.WasDone, platform.WasNotDone, platform.GiveUp}).Draw(w.rt, "verdict")
		_, err = w.Settle(ctx, id, platform.Settlement{Person: lead, Verdict: verdict, Why: "so it is"})
	}
	if f := fault.Of(err); f != nil && (f.Kind == fault.Internal || f.Say == "") {
		w.rt.Fatalf("the engine answers: %v", err)
	}
}

func (w *walker) mine() []platform.Operation {
	ops, err := w.List(context.Background(), engine.Filter{App: w.app, Limit: 100})
	if err != nil {
		w.rt.Fatal(err)
	}
	return ops
}

// look wants no two operations that conflict to hold the target, and every
// operation to be where its life allows.
func (w *walker) look() {
	live, err := w.Live(context.Background())
	if err != nil {
		w.rt.Fatal(err)
	}
	for i, a := range live {
		for _, b := range live[i+1:] {
			if a.Target == b.Target && a.State.Holds() && b.State.Holds() && a.Kind.Conflicts(b.Kind) {
				w.rt.Fatalf("#%d (%s %s) and #%d (%s %s) hold %s", a.ID, a.Kind, a.State, b.ID, b.Kind, b.State, a.Target)
			}
		}
	}
	for _, op := range w.mine() {
		was, known := w.seen[op.ID]
		if known && !reaches(was, op.State) {
			w.rt.Fatalf("#%d went from %s to %s", op.ID, was, op.State)
		}
		if op.State.Ended() && (op.Ended.IsZero() || op.Message == "" || op.Reason == "" && op.State != platform.Succeeded) {
			w.rt.Fatalf("#%d ended without a word: %+v", op.ID, op)
		}
		w.seen[op.ID] = op.State
	}
}

// reaches reports whether a life can go from a to b.
func reaches(a, b platform.State) bool {
	todo, seen := []platform.State{a}, map[platform.State]bool{}
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		if s == b {
			return true
		}
		for _, n := range platform.States {
			if s.CanBecome(n) && !seen[n] {
				seen[n] = true
				todo = append(todo, n)
			}
		}
	}
	return false
}

// finish decides and settles what needs a person, until everything has ended.
func (w *walker) finish() {
	ctx := context.Background()
	deadline := time.Now().Add(time.Minute)
	for {
		live := 0
		for _, op := range w.mine() {
			switch {
			case op.State.Ended():
				continue
			case op.State == platform.Waiting:
				_, _ = w.Decide(ctx, op.ID, yes(lead)) // refused when it has moved on meanwhile
			case op.State == platform.Unknown:
				_, _ = w.Settle(ctx, op.ID, platform.Settlement{Person: lead, Verdict: platform.WasDone, Why: "the end"})
			}
			live++
		}
		w.look()
		if live == 0 {
			return
		}
		if time.Now().After(deadline) {
			for _, op := range w.mine() {
				if !op.State.Ended() {
					w.rt.Logf("#%d %s\n%s", op.ID, op.State, w.history(op.ID))
				}
			}
			w.rt.Fatalf("%d operations do not end", live)
		}
		time.Sleep(25 * time.Millisecond)
	}
}
