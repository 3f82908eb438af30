package engine_test

import (
	"context"
	"testing"
	"time"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store"
)

// audit compares the journal of the platform, which is what really happened,
// with what the store says.
type audit struct {
	t       testing.TB
	journal []platformtest.Entry
	byOp    map[int64][]platformtest.Entry
	kinds   map[int64]platform.Kind

	begun, again, settled, reran, twice, overlapping int
}

func newAudit(t testing.TB, journal []platformtest.Entry) *audit {
	a := &audit{t: t, journal: journal, byOp: map[int64][]platformtest.Entry{}, kinds: map[int64]platform.Kind{}}
	for _, entry := range journal {
		a.byOp[entry.Operation] = append(a.byOp[entry.Operation], entry)
		if entry.Event == platformtest.Begin {
			a.begun++
		}
	}
	return a
}

// operation checks one operation.
func (a *audit) operation(ctx context.Context, s *store.Store, op platform.Operation) {
	a.kinds[op.ID] = op.Kind
	if !op.State.Ended() {
		a.t.Errorf("#%d has not ended: %s", op.ID, op.State)
	}
	if op.State == platform.Failed && op.Target.App != "broken" {
		a.t.Errorf("#%d failed: %s", op.ID, op.Message)
	}
	steps, err := s.Steps(ctx, op.ID)
	if err != nil {
		a.t.Fatal(err)
	}
	events, err := s.Events(ctx, op.ID)
	if err != nil {
		a.t.Fatal(err)
	}
	a.approvals(ctx, s, op)
	settled := 0
	for _, ev := range events {
		if ev.Kind == engine.Settled {
			settled++
		}
	}
	a.settled += settled
	for _, rec := range steps {
		begins := 0
		for _, entry := range a.byOp[op.ID] {
			if entry.Step != rec.Name || entry.Undo != rec.Undo || entry.Event != platformtest.Begin {
				continue
			}
			begins++
			if entry.At.After(rec.Ended.Add(2 * time.Millisecond)) {
				a.reran++
				a.t.Errorf("#%d %s began at %s and had ended at %s", op.ID, rec.Name, entry.At, rec.Ended)
			}
		}
		a.again += max(0, begins-1)
		if rec.Name == "migrate" && begins > 1+settled {
			a.twice++
			a.t.Errorf("#%d: the once step ran %d times, and a person settled it %d times", op.ID, begins, settled)
		}
		if rec.State == chat.StepDone && begins == 0 && settled == 0 {
			a.t.Errorf("#%d: the step %s is done and was never begun", op.ID, rec.Name)
		}
	}
	a.order(op)
}

// order wants no step to begin after a later one has begun: that would be a
// finished step that ran again.
func (a *audit) order(op platform.Operation) {
	at := map[string]int{}
	for i, step := range op.Plan.Steps {
		at[step.Name] = i
	}
	furthest := -1
	for _, entry := range a.byOp[op.ID] {
		if entry.Undo || entry.Event != platformtest.Begin {
			continue
		}
		if at[entry.Step] < furthest {
			a.reran++
			a.t.Errorf("#%d: %s began again after %s", op.ID, entry.Step, op.Plan.Steps[furthest].Name)
		}
		furthest = max(furthest, at[entry.Step])
	}
}

// approvals wants what needed one to have one, before it began.
func (a *audit) approvals(ctx context.Context, s *store.Store, op platform.Operation) {
	needed := op.Kind == platform.Deploy && (op.Target.App == "app-0" || op.Target.App == "broken")
	if !needed {
		return
	}
	said, err := s.Decisions(ctx, op.ID)
	if err != nil {
		a.t.Fatal(err)
	}
	if len(said) != 1 || !said[0].Approve || op.Approval == nil {
		a.t.Errorf("#%d: decisions %v", op.ID, said)
		return
	}
	for _, entry := range a.byOp[op.ID] {
		if entry.At.Before(said[0].At) {
			a.t.Errorf("#%d began before it was approved", op.ID)
			return
		}
	}
}

// overlaps wants the exclusive operations of a target to come one after the
// other: once the next has begun, nothing of the one before happens any more.
func (a *audit) overlaps() {
	now, over := map[string]int64{}, map[int64]bool{}
	for _, entry := range a.journal {
		if !a.kinds[entry.Operation].Exclusive() || now[entry.Target] == entry.Operation {
			continue
		}
		over[now[entry.Target]] = true
		now[entry.Target] = entry.Operation
		if over[entry.Operation] {
			a.overlapping++
			a.t.Errorf("#%d goes on on %s after #%d began", entry.Operation, entry.Target, now[entry.Target])
		}
	}
}
