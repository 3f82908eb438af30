package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

func TestDeployGoesLive(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}))
		op := r.submit(deployOf("v1.0.0"))
		op = r.untilState(op.ID, platform.Succeeded)
		if got := r.fake.Answer(shop); got != "v1.0.0" {
			t.Errorf("visitors see %q", got)
		}
		if op.Release != "r1" || op.Ended.IsZero() || op.Message == "" {
			t.Errorf("ended as %+v", op)
		}
		for _, rec := range r.steps(op.ID) {
			if rec.State != chat.StepDone || rec.Attempt != 1 {
				t.Errorf("step %s is %s after %d attempts", rec.Name, rec.State, rec.Attempt)
			}
		}
		again := r.untilState(r.submit(deployOf("v1.1.0")).ID, platform.Succeeded)
		if again.Previous != "r1" || again.Release != "r2" {
			t.Errorf("second deploy: previous %q, release %q", again.Previous, again.Release)
		}
	})
}

func TestSameKeyIsOneOperation(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}))
		q := deployOf("v1.0.0")
		q.Key = "slack-1"
		first, second := r.submit(q), r.submit(q)
		if first.ID != second.ID {
			t.Errorf("one key made #%d and #%d", first.ID, second.ID)
		}
		r.untilState(first.ID, platform.Succeeded)
		if third := r.submit(q); third.ID != first.ID {
			t.Errorf("the key made #%d after the end of #%d", third.ID, first.ID)
		}
	})
}

func TestSameWorkIsRefusedWithALink(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{Scripts: []platformtest.Script{{Step: "probe", Hang: true}}}))
		op := r.submit(deployOf("v1.0.0"))
		_, err := r.Submit(context.Background(), deployOf("v1.0.0"))
		var twin *engine.Duplicate
		if !errors.As(err, &twin) || twin.ID != op.ID || !fault.Is(err, fault.Busy) {
			t.Fatalf("second deploy: %v", err)
		}
		if _, err := r.Cancel(context.Background(), op.ID, dev); err != nil {
			t.Fatal(err)
		}
		r.untilState(op.ID, platform.Cancelled)
	})
}

func TestFailureTakesBackWhatWasDone(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}))
		r.untilState(r.submit(deployOf("v1.0.0")).ID, platform.Succeeded)
		r.fake.Script(platformtest.Script{Step: "verify", Version: "v1.2.0", Fail: "It never got healthy."})
		op := r.untilState(r.submit(deployOf("v1.2.0")).ID, platform.Failed)
		if !op.Undone || op.Reason != "step:verify" || !strings.Contains(op.Message, "It never got healthy.") {
			t.Errorf("ended as %s undone=%v: %s", op.Reason, op.Undone, op.Message)
		}
		if got := r.fake.Answer(shop); got != "v1.0.0" {
			t.Errorf("visitors see %q after the undo", got)
		}
		if op.Release != "" {
			t.Errorf("a release that was taken back is named: %s", op.Release)
		}
		said := r.said(op.ID)
		if said[engine.UndoBegan] != 1 || said[engine.Finished] != 1 {
			t.Errorf("told: %v", said)
		}
	})
}

func TestFailedUndoSaysWhatHolds(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{Scripts: []platformtest.Script{
			{Step: "verify", Fail: "It never got healthy."}, {Step: "undo switch", Fail: "The switch is stuck."},
		}}))
		op := r.untilState(r.submit(deployOf("v1.0.0")).ID, platform.Failed)
		if op.Undone {
			t.Error("counts as undone")
		}
		for _, want := range []string{"The switch is stuck.", "Still in place", "switch"} {
			if !strings.Contains(op.Message, want) {
				t.Errorf("%q is missing in: %s", want, op.Message)
			}
		}
	})
}

func TestCancelStopsTheStepAndTakesBack(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}))
		r.untilState(r.submit(deployOf("v1.0.0")).ID, platform.Succeeded)
		for _, step := range []string{"build", "switch", "verify"} {
			r.fake.Script(platformtest.Script{Step: step, Version: "v2-" + step, Hang: true})
			op := r.submit(deployOf("v2-" + step))
			r.untilStep(op.ID, step, chat.StepRunning)
			begun := time.Now()
			if _, err := r.Cancel(context.Background(), op.ID, lead); err != nil {
				t.Fatal(err)
			}
			op = r.until(op.ID, "ended", func(op platform.Operation) bool { return op.State.Ended() })
			if op.State != platform.Cancelled || op.Reason != "by:lead" || !op.Undone {
				t.Errorf("%s: ended %s %s undone=%v: %s", step, op.State, op.Reason, op.Undone, op.Message)
			}
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%s: cancel took %s", step, took)
			}
			if got := r.fake.Answer(shop); got != "v1.0.0" {
				t.Errorf("%s: visitors see %q", step, got)
			}
			if _, err := r.Cancel(context.Background(), op.ID, lead); !fault.Is(err, fault.Refused) {
				t.Errorf("%s: cancel of what has ended: %v", step, err)
			}
		}
	})
}

func TestUnreachablePlatformIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{Scripts: []platformtest.Script{
			{Step: "probe", Fail: "No route.", Unreachable: true, Times: 1}, {Step: "build", Lose: true, Times: 1},
		}}))
		op := r.untilState(r.submit(deployOf("v1.0.0")).ID, platform.Succeeded)
		if n := r.times(platformtest.Begin, op.ID, "build"); n != 1 {
			t.Errorf("the build was begun %d times", n)
		}
		if n := r.times(platformtest.Begin, op.ID, "probe"); n != 2 {
			t.Errorf("the probe was tried %d times", n)
		}
	})
}

func TestLostAnswerOfAOnceStepIsSettledByAPerson(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		for verdict, want := range map[platform.Verdict]platform.State{
			platform.WasDone: platform.Succeeded, platform.WasNotDone: platform.Succeeded, platform.GiveUp: platform.Failed,
		} {
			r := open(t, newPlace(t, p), platformtest.New(platformtest.Options{
				Ways:    map[string]platformtest.Way{"migrate": platformtest.Once},
				Scripts: []platformtest.Script{{Step: "migrate", Lose: true, Times: 1}},
			}))
			op := r.untilState(r.submit(deployOf("v1.0.0")).ID, platform.Unknown)
			if said := r.said(op.ID); said[engine.BecameUnknown] != 1 {
				t.Errorf("told: %v", said)
			}
			if _, err := r.Cancel(context.Background(), op.ID, dev); !fault.Is(err, fault.Refused) {
				t.Errorf("cancel of what is unknown: %v", err)
			}
			if _, err := r.Settle(context.Background(), op.ID, platform.Settlement{Person: lead, Verdict: verdict}); !fault.Is(err, fault.Invalid) {
				t.Errorf("settled without a reason: %v", err)
			}
			if _, err := r.Settle(context.Background(), op.ID, platform.Settlement{Person: lead, Verdict: verdict, Why: "I looked"}); err != nil {
				t.Fatal(err)
			}
			r.untilState(op.ID, want)
			times := map[platform.Verdict]int{platform.WasDone: 1, platform.WasNotDone: 2, platform.GiveUp: 1}[verdict]
			if n := r.times(platformtest.Begin, op.ID, "migrate"); n != times {
				t.Errorf("%s: migrate was begun %d times, not %d", verdict, n, times)
			}
			r.stop()
		}
	})
}

// newPlace is another empty store of the same kind.
func newPlace(t *testing.T, p storetest.Place) storetest.Place {
	if p.Postgres() {
		return storetest.PostgreSQL(t)
	}
	return storetest.SQLite(t)
}
