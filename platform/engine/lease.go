package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"maitred/platform"
)

var errLost = errors.New("this replica could not renew its lease; another one carries on with its work")

// beat renews the lease of this replica.
func (e *Engine) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.Lease/2)
	defer cancel()
	if _, err := e.Store.Beat(ctx, e.Replica, e.boot, e.Lease); err != nil {
		return fmt.Errorf("renew the lease of %s: %w", e.Replica, err)
	}
	return nil
}

// heartbeat renews the lease, and does nothing else that could keep it from
// doing so in time. When it cannot renew for seven tenths of the lease, it says
// so to lost: the others will count this replica as dead soon, so it must be
// still by then. One process alone on its database has nobody to yield to.
func (e *Engine) heartbeat(ctx context.Context, lost chan<- error) {
	tick := time.NewTicker(e.Lease / 5)
	defer tick.Stop()
	renewed := time.Now()
	for {
		begun := time.Now()
		err := e.beat(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			renewed = begun
			e.renewed.Store(begun.UnixNano())
		case errors.Is(err, ErrFenced):
			lost <- fmt.Errorf("%w: %w", errLost, err)
			return
		default:
			e.Log.Warn("lease not renewed", zap.Duration("for", time.Since(renewed)), zap.Error(err))
		}
		if e.Pool != nil && time.Since(renewed) > e.Lease*7/10 {
			lost <- fmt.Errorf("%w: %w", errLost, err)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// A process that was frozen finds out here, before it does anything else.
		if e.Pool != nil && time.Since(renewed) > e.Lease*7/10 {
			lost <- errLost
			return
		}
	}
}

// leased is nil while no other replica can have taken this one for dead.
func (e *Engine) leased() error {
	at := e.renewed.Load()
	if e.Pool == nil || at == 0 || time.Since(time.Unix(0, at)) < e.Lease*7/10 {
		return nil
	}
	return errLost
}

// inherit takes over the work of the dead until ctx ends. It may wait for long:
// a replica that was frozen in the middle of a change holds its target until the
// database gives up on it.
func (e *Engine) inherit(ctx context.Context) {
	tick := time.NewTicker(e.Lease / 5)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if e.leased() == nil {
			e.bury(ctx)
		}
	}
}

// bury takes over the work of replicas whose lease is over.
func (e *Engine) bury(ctx context.Context) {
	dead, err := e.Store.Dead(ctx)
	if err != nil {
		e.Log.Warn("dead replicas not listed", zap.Error(err))
		return
	}
	for _, d := range dead {
		if d == e.Replica {
			continue
		}
		// Seen before the take-over: should d come back in between, it raises the
		// fences itself, and what was seen is stale.
		work, err := e.workOf(ctx, d)
		if err != nil {
			e.Log.Warn("work of a dead replica not listed", zap.String("dead", d), zap.Error(err))
			continue
		}
		won, err := e.Store.TakeOver(ctx, d, e.Replica)
		if err != nil || !won {
			continue
		}
		e.Log.Warn("taking over", zap.String("dead", d), zap.Int("operations", len(work)))
		for _, op := range work {
			e.handOver(ctx, op, fmt.Sprintf("The replica %s is gone; %s carries on.", d, e.Replica))
		}
	}
}

// resume takes up what an earlier run of this replica left. On SQLite there is
// no other, so everything is ours.
func (e *Engine) resume(ctx context.Context) error {
	name := e.Replica
	if e.SQLite != nil {
		name = ""
	}
	work, err := e.workOf(ctx, name)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	for _, op := range work {
		e.handOver(ctx, op, "maitred was restarted and carries on.")
	}
	return nil
}

// workOf are the operations that a replica (or, unnamed, anyone) is running.
func (e *Engine) workOf(ctx context.Context, replica string) ([]platform.Operation, error) {
	live, err := e.Store.Live(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(live, func(op platform.Operation) bool {
		at := op.State == platform.Running || op.State == platform.Undoing
		return !at || replica != "" && op.Owner != replica
	}), nil
}

// handOver gives an operation to this replica under a new fence, when it is
// still what was seen. The runner of the old fence finds out at its next write.
func (e *Engine) handOver(ctx context.Context, seen platform.Operation, why string) {
	moved := false
	err := e.update(ctx, seen.Target, func(tx Tx) error {
		moved = false
		op, err := tx.Operation(ctx, seen.ID)
		if err != nil {
			return err
		}
		if op.Fence != seen.Fence || (op.State != platform.Running && op.State != platform.Undoing) {
			return nil
		}
		moved = true
		op.Fence++
		op.Owner = e.Replica
		if err := tx.Save(ctx, &op); err != nil {
			return err
		}
		if err := e.tell(ctx, tx, op, Event{Kind: TakenOver, Say: why}); err != nil {
			return err
		}
		return e.queue.put(tx, handed{op.ID, op.Fence})
	})
	if err != nil {
		e.Log.Error("operation not handed over", zap.Int64("operation", seen.ID), zap.Error(err))
		return
	}
	if moved {
		e.drop(handed{seen.ID, seen.Fence})
	}
}

// drop spares the library from taking up an older hand-over.
func (e *Engine) drop(h handed) {
	if err := e.queue.drop(h); err != nil {
		e.Log.Debug("older workflow not dropped", zap.String("workflow", h.workflowID()), zap.Error(err))
	}
}

// leave gives the lease back when no work is left behind. Otherwise it is left
// to run out, so that another replica takes the work over.
func (e *Engine) leave(polite bool) {
	if !polite {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	work, err := e.workOf(ctx, e.Replica)
	if err != nil || len(work) > 0 {
		return
	}
	if err := e.Store.Resign(ctx, e.Replica, e.boot); err != nil {
		e.Log.Warn("lease not given back", zap.Error(err))
	}
}

func newBoot() string { return rand.Text() }
