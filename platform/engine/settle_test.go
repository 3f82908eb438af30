package engine_test

import (
	"context"
	"strings"
	"testing"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

func (r *rig) settle(id int64, v platform.Verdict) {
	r.t.Helper()
	if _, err := r.Settle(context.Background(), id, platform.Settlement{Person: lead, Verdict: v, Why: "I looked"}); err != nil {
		r.t.Fatal(err)
	}
}

// A taking back of which nobody knew whether it happened, and of which a person
// says that it did, counts: the end does not say that the step still holds.
func TestUndoThatWasSettledAsDoneIsTakenBack(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{
			Ways:    map[string]platformtest.Way{"undo switch": platformtest.Once},
			Scripts: []platformtest.Script{{Step: "verify", Fail: "It never got healthy."}, {Step: "undo switch", Lose: true}},
		}))
		op := r.untilState(r.submit(deployOf("v1.0.0")).ID, platform.Unknown)
		r.settle(op.ID, platform.WasDone)
		op = r.untilState(op.ID, platform.Failed)
		if !op.Undone || !strings.Contains(op.Message, "Taken back: build and switch.") {
			t.Errorf("undone=%v: %s", op.Undone, op.Message)
		}
		for _, rec := range r.steps(op.ID) {
			if rec.Name == "switch" && !rec.Undo && rec.State != chat.StepUndone {
				t.Errorf("the step switch is %s", rec.State)
			}
		}
		if op.Release != "" {
			t.Errorf("a release that was taken back is named: %s", op.Release)
		}
	})
}

func TestGivenUpOperationNamesWhatItMade(t *testing.T) {
	r := onSQLite(t, platformtest.Options{
		Ways:    map[string]platformtest.Way{"verify": platformtest.Once},
		Scripts: []platformtest.Script{{Step: "verify", Lose: true}},
	})
	op := r.untilState(r.submit(deployOf("v1.0.0")).ID, platform.Unknown)
	r.settle(op.ID, platform.GiveUp)
	if op = r.untilState(op.ID, platform.Failed); op.Release != "r1" {
		t.Errorf("%s is live, and the operation names %q", r.fake.Answer(shop), op.Release)
	}
}
