package engine

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"maitred/fault"
	"maitred/platform"
)

// recheckMost is how long looking at everything again may take. A repository
// that does not answer must not hold a line for ever.
const recheckMost = 3 * time.Minute

// before is the operation that must end before op may start: the last one of
// those in line ahead of it with which it conflicts, else one that holds the
// target. Zero is nobody.
func before(op platform.Operation, live []platform.Operation) int64 {
	var ahead, holder int64
	var last platform.Operation
	for _, other := range live {
		if other.ID == op.ID && op.ID != 0 || !op.Kind.Conflicts(other.Kind) {
			continue
		}
		switch {
		case other.State.Holds():
			holder = max(holder, other.ID)
		case other.State == platform.Queued && earlier(other, op):
			if ahead == 0 || earlier(last, other) {
				ahead, last = other.ID, other
			}
		}
	}
	if ahead != 0 {
		return ahead
	}
	return holder
}

// earlier reports whether a stands before b in line. A new one stands last.
func earlier(a, b platform.Operation) bool {
	if b.ID == 0 {
		return true
	}
	if !a.Queued.Equal(b.Queued) {
		return a.Queued.Before(b.Queued)
	}
	return a.ID < b.ID
}

// advance starts whatever may start on t, in the order of the line. It is safe
// to call at any time, from any replica; each start is a compare-and-set.
func (e *Engine) advance(ctx context.Context, t platform.Target) {
	line := e.line(t)
	line.Lock()
	defer line.Unlock()
	e.advanceAll(ctx, t)
}

// advanceBeside is advance without waiting for it: a repository or platform that
// answers slowly holds up its own line, and not the sweeper. A line that
// somebody walks already is left to him.
func (e *Engine) advanceBeside(ctx context.Context, t platform.Target) {
	line := e.line(t)
	if !line.TryLock() {
		return
	}
	e.lineWork.Go(func() {
		defer line.Unlock()
		e.advanceAll(ctx, t)
	})
}

func (e *Engine) advanceAll(ctx context.Context, t platform.Target) {
	for !e.stopping.Load() {
		moved, err := e.advanceOne(ctx, t)
		if err != nil {
			e.Log.Warn("line not advanced", zap.Stringer("target", t), zap.Error(err))
			return
		}
		if !moved {
			return
		}
	}
}

func (e *Engine) line(t platform.Target) *sync.Mutex {
	e.mu.Lock()
	defer e.mu.Unlock()
	m, ok := e.lines[t]
	if !ok {
		m = &sync.Mutex{}
		e.lines[t] = m
	}
	return m
}

// advanceOne starts (or cancels at a gate) the first operation of t's line that
// may start, and reports whether there was one.
func (e *Engine) advanceOne(ctx context.Context, t platform.Target) (bool, error) {
	var live []platform.Operation
	err := e.update(ctx, t, func(tx Tx) error {
		var err error
		live, err = tx.Live(ctx)
		if err != nil {
			return err
		}
		return e.reline(ctx, tx, live)
	})
	if err != nil {
		return false, err
	}
	for _, op := range live {
		if op.State != platform.Queued || before(op, live) != 0 {
			continue
		}
		if moved, err := e.start(ctx, op); moved || err != nil {
			return moved, err
		}
	}
	return false, nil
}

// reline corrects whom those in line wait for, after somebody ahead has gone.
func (e *Engine) reline(ctx context.Context, tx Tx, live []platform.Operation) error {
	for i := range live {
		op := &live[i]
		if op.State != platform.Queued {
			continue
		}
		behind := before(*op, live)
		if behind == 0 || behind == op.Behind {
			continue // when it is free, Behind still says that it has waited
		}
		op.Behind = behind
		if err := tx.Save(ctx, op); err != nil {
			return err
		}
		if err := e.tell(ctx, tx, *op, Event{Kind: InLine,
			Say: fmt.Sprintf("It waits in line behind #%d.", behind)}); err != nil {
			return err
		}
	}
	return nil
}

// start runs the gates once more and then makes op running, if it still may. It
// reports whether anything changed.
func (e *Engine) start(ctx context.Context, op platform.Operation) (bool, error) {
	looking, cancel := context.WithTimeout(ctx, recheckMost)
	fresh, found := e.recheck(looking, op)
	cancel()
	moved := false
	var after platform.Operation
	err := e.update(ctx, op.Target, func(tx Tx) error {
		moved = false
		cur, err := tx.Operation(ctx, op.ID)
		if err != nil {
			return err
		}
		live, err := tx.Live(ctx)
		if err != nil {
			return err
		}
		if cur.State != platform.Queued || before(cur, live) != 0 {
			return nil
		}
		moved = true
		closed := found
		if closed == nil {
			gate, v, err := e.barred(ctx, tx, cur)
			if err != nil {
				return err
			}
			if !v.Open {
				closed = notStarted(cur, "gate:"+gate, fault.Of(refusal(gate, cur, v)).Say)
			}
		}
		if closed != nil {
			after = cur
			if err := e.end(ctx, tx, &after, platform.Cancelled, closed.reason, closed.say); err != nil {
				return err
			}
			return tx.Audit(ctx, cur.Place, cur.Kind.Verb(), fmt.Sprintf("#%d", cur.ID), "refused", closed.say)
		}
		cur.Plan, cur.Previous = fresh.Plan, fresh.Previous
		for _, w := range fresh.Warnings {
			if !slices.Contains(cur.Warnings, w) {
				cur.Warnings = append(cur.Warnings, w)
				if err := e.tell(ctx, tx, cur, Event{Kind: Warned, Say: w}); err != nil {
					return err
				}
			}
		}
		after = cur
		return e.begin(ctx, tx, &after)
	})
	if err == nil && moved && after.State.Ended() {
		e.metrics.ended(after)
	}
	return moved, err
}

// begin makes a queued operation running and enqueues its work in the same
// commit.
func (e *Engine) begin(ctx context.Context, tx Tx, op *platform.Operation) error {
	if err := e.leased(); err != nil {
		return err
	}
	behind := op.Behind
	op.State, op.Behind = platform.Running, 0
	op.Fence++
	op.Owner, op.Started = e.Replica, e.now()
	if err := tx.Save(ctx, op); err != nil {
		return err
	}
	if behind != 0 {
		if err := e.tell(ctx, tx, *op, Event{Kind: TurnCame,
			Say: fmt.Sprintf("#%d has ended; it is the turn of %s.", behind, Title(*op))}); err != nil {
			return err
		}
	}
	if err := e.tell(ctx, tx, *op, Event{Kind: Began, Say: Title(*op) + " begins."}); err != nil {
		return err
	}
	return e.queue.put(tx, handed{op.ID, op.Fence})
}
