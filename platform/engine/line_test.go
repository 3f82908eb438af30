package engine_test

import (
	"context"
	"testing"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

func TestExclusiveOnesWaitInLine(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{Scripts: []platformtest.Script{{Step: "probe", Version: "v1", Hang: true}}}))
		first := r.submit(deployOf("v1"))
		second, third := r.submit(deployOf("v2")), r.submit(deployOf("v3"))
		if second.Behind != first.ID || third.Behind != second.ID {
			t.Fatalf("#%d is behind #%d, #%d behind #%d", second.ID, second.Behind, third.ID, third.Behind)
		}
		beside := r.submit(request(platform.Maintain, []byte(`{"on":true}`)))
		r.untilState(beside.ID, platform.Succeeded)

		if _, err := r.Cancel(context.Background(), second.ID, dev); err != nil {
			t.Fatal(err)
		}
		r.until(third.ID, "behind the first", func(op platform.Operation) bool { return op.Behind == first.ID })
		if _, err := r.Cancel(context.Background(), first.ID, dev); err != nil {
			t.Fatal(err)
		}
		r.untilState(third.ID, platform.Succeeded)
		if said := r.said(third.ID); said[engine.TurnCame] != 1 || said[engine.InLine] < 1 {
			t.Errorf("the one that waited was told %v", said)
		}
		if op := r.untilState(second.ID, platform.Cancelled); op.Reason != "by:dev" {
			t.Errorf("the one that left the line: %s", op.Reason)
		}
		if said := r.said(first.ID); said[engine.TurnCame] != 0 {
			t.Errorf("the first one never waited and was told %v", said)
		}
	})
}

func TestUnknownHoldsItsTarget(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{
			Ways:    map[string]platformtest.Way{"migrate": platformtest.Once},
			Scripts: []platformtest.Script{{Step: "migrate", Lose: true, Times: 1}},
		}))
		first := r.untilState(r.submit(deployOf("v1")).ID, platform.Unknown)
		next := r.submit(deployOf("v2"))
		if next.State != platform.Queued || next.Behind != first.ID {
			t.Fatalf("the next one is %s behind #%d", next.State, next.Behind)
		}
		if _, err := r.Settle(context.Background(), first.ID, platform.Settlement{Person: lead, Verdict: platform.WasDone, Why: "it is in the table"}); err != nil {
			t.Fatal(err)
		}
		r.untilState(first.ID, platform.Succeeded)
		r.untilState(next.ID, platform.Succeeded)
	})
}

func TestWaitingForApprovalHoldsNothing(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(engine.Rules{Approvals: []engine.ApprovalRule{
			{Verbs: []string{"rollback"}, Roles: []string{"lead"}}}}))
		r.untilState(r.submit(deployOf("v1")).ID, platform.Succeeded)
		r.untilState(r.submit(deployOf("v2")).ID, platform.Succeeded)
		back := r.submit(request(platform.Rollback, nil))
		if back.State != platform.Waiting {
			t.Fatalf("the rollback is %s", back.State)
		}
		r.untilState(r.submit(deployOf("v3")).ID, platform.Succeeded)
		// What was approved was to go back from v2 to r1; the plan is made anew.
		if _, err := r.Decide(context.Background(), back.ID, yes(lead)); err != nil {
			t.Fatal(err)
		}
		op := r.untilState(back.ID, platform.Succeeded)
		if got := r.fake.Answer(shop); got != "v1" || op.Previous != "r3" {
			t.Errorf("visitors see %s, previous %s", got, op.Previous)
		}
	})
}

func TestPoliteStopIsResumed(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		world := platformtest.Options{Dir: t.TempDir()}
		world.Scripts = []platformtest.Script{{Step: "probe", Hang: true}}
		r := open(t, p, platformtest.New(world))
		op := r.submit(deployOf("v1"))
		r.untilStep(op.ID, "probe", chat.StepRunning)
		if err := r.stop(); err != nil {
			t.Fatalf("stop: %v", err)
		}
		world.Scripts = nil
		r = open(t, p, platformtest.New(world))
		op = r.untilState(op.ID, platform.Succeeded)
		if op.Fence < 2 {
			t.Errorf("resumed under the same fence %d", op.Fence)
		}
		if n := r.times(platformtest.Begin, op.ID, "build"); n != 1 {
			t.Errorf("the build ran %d times", n)
		}
	})
}
