package engine_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"maitred/commands"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

// forgetful commits the end of an operation, and then says that it could not.
type forgetful struct {
	engine.Store
	lost *atomic.Int32
}

func (f forgetful) Update(ctx context.Context, t platform.Target, fn func(tx engine.Tx) error) error {
	ended := false
	err := f.Store.Update(ctx, t, func(tx engine.Tx) error { return fn(attentive{tx, &ended}) })
	if err == nil && ended && f.lost.Add(1) == 1 {
		return fault.New(fault.Unreachable, "forgetful", "", "The answer of the database was lost.")
	}
	return err
}

type attentive struct {
	engine.Tx
	ended *bool
}

func (a attentive) Save(ctx context.Context, op *platform.Operation) error {
	*a.ended = op.State.Ended()
	return a.Tx.Save(ctx, op)
}

func TestEndWhoseCommitWasNotAnsweredIsToldOnce(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		lost := &atomic.Int32{}
		r := open(t, p, platformtest.New(platformtest.Options{}), func(c *engine.Config) { c.Store = forgetful{c.Store, lost} })
		op := r.untilState(r.submit(deployOf("v1.0.0")).ID, platform.Succeeded)
		if err := r.stop(); err != nil { // waits until the walk has ended
			t.Fatal(err)
		}
		s := p.Open(t)
		events, err := s.Events(context.Background(), op.ID)
		if err != nil || lost.Load() == 0 {
			t.Fatalf("%d answers lost, %v", lost.Load(), err)
		}
		told := 0
		for _, ev := range events {
			if ev.Kind == engine.Finished {
				told++
			}
		}
		rows, err := s.Audit(context.Background(), commands.AuditFilter{Outcome: string(platform.Succeeded)})
		if err != nil || told != 1 || len(rows) != 1 || rows[0].Subject != fmt.Sprintf("#%d", op.ID) {
			t.Errorf("told %d times, audit %v, %v", told, rows, err)
		}
	})
}
