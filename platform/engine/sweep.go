package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"maitred/platform"
)

const (
	sweepEvery = time.Second
	pruneEvery = time.Hour
)

// sweep does what time asks for: reminders, expiries, retention, and the start
// of whatever could start and was not started because somebody died. Every
// replica does it; each change is a compare-and-set.
func (e *Engine) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	defer e.lineWork.Wait()
	var pruned time.Time
	for {
		if err := e.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			e.Log.Warn("sweep failed", zap.Error(err))
		}
		if time.Since(pruned) > pruneEvery {
			pruned = time.Now()
			e.prune(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-e.wake:
		}
	}
}

// look makes the sweeper look at once.
func (e *Engine) look() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *Engine) sweepOnce(ctx context.Context) error {
	live, err := e.Store.Live(ctx)
	if err != nil {
		return err
	}
	e.metrics.lines(live)
	free := map[platform.Target]bool{}
	byTarget := map[platform.Target][]platform.Operation{}
	for _, op := range live {
		byTarget[op.Target] = append(byTarget[op.Target], op)
	}
	for _, op := range live {
		switch {
		case op.State == platform.Waiting && !e.now().Before(op.Approval.Deadline):
			err = e.expire(ctx, op)
		case op.State == platform.Waiting && !op.Approval.Remind.IsZero() && !e.now().Before(op.Approval.Remind):
			err = e.remind(ctx, op)
		case op.State == platform.Queued && before(op, byTarget[op.Target]) == 0:
			free[op.Target] = true
		}
		if err != nil {
			e.Log.Warn("waiting operation not looked after", zap.Int64("operation", op.ID), zap.Error(err))
		}
	}
	for t := range free {
		e.advanceBeside(ctx, t)
	}
	e.findOrphans(ctx, live)
	return nil
}

// expire ends an operation whose approval did not come in time.
func (e *Engine) expire(ctx context.Context, op platform.Operation) error {
	return e.waiting(ctx, op, func(tx Tx, op *platform.Operation) error {
		if e.now().Before(op.Approval.Deadline) {
			return nil
		}
		say := fmt.Sprintf("%s expired: nobody of %s approved it by %s UTC. Nothing was changed.",
			Title(*op), strings.Join(op.Approval.Roles, ", "), op.Approval.Deadline.UTC().Format("15:04"))
		if err := e.end(ctx, tx, op, platform.Cancelled, "expired", say); err != nil {
			return err
		}
		e.metrics.ended(*op)
		return tx.Audit(ctx, op.Place, op.Kind.Verb(), fmt.Sprintf("#%d", op.ID), "expired", say)
	})
}

// remind asks once more.
func (e *Engine) remind(ctx context.Context, op platform.Operation) error {
	return e.waiting(ctx, op, func(tx Tx, op *platform.Operation) error {
		if op.Approval.Remind.IsZero() {
			return nil
		}
		op.Approval.Remind = time.Time{}
		if err := tx.Save(ctx, op); err != nil {
			return err
		}
		left := op.Approval.Deadline.Sub(e.now()).Round(time.Second)
		return e.tell(ctx, tx, *op, Event{Kind: ApprovalRemind,
			Say: fmt.Sprintf("%s still waits for approval; it expires in %s.", Title(*op), left)})
	})
}

// waiting runs fn on op in a transaction while it still waits.
func (e *Engine) waiting(ctx context.Context, op platform.Operation, fn func(tx Tx, op *platform.Operation) error) error {
	return e.update(ctx, op.Target, func(tx Tx) error {
		cur, err := tx.Operation(ctx, op.ID)
		if err != nil || cur.State != platform.Waiting {
			return err
		}
		return fn(tx, &cur)
	})
}

// prune deletes what ended long ago.
func (e *Engine) prune(ctx context.Context) {
	if e.Retain < 0 {
		return
	}
	before := e.now().Add(-e.Retain)
	if n, err := e.Store.Prune(ctx, before); err != nil {
		e.Log.Warn("retention failed", zap.Error(err))
	} else if n > 0 {
		e.Log.Info("old operations deleted", zap.Int("count", n))
	}
	for ctx.Err() == nil { // the library's rows of ended work, which nobody reads
		n, err := e.queue.prune(time.Now().Add(-24*time.Hour), 500)
		if err != nil {
			e.Log.Warn("retention of the queue failed", zap.Error(err))
		}
		if err != nil || n == 0 { // what cannot be deleted now is tried again in an hour
			return
		}
	}
}
