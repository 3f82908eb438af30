package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"maitred/platform"
)

// orphanAfter is how long an operation of this replica may be without a runner:
// far longer than the queue ever takes.
const orphanAfter = 30 * time.Second

// findOrphans hands over, to this replica, what nobody walks: operations of its
// own that have no runner, and those of an owner that is gone for good. The
// second come from a replica that died half-way through a take-over, or that was
// frozen while it began something and never came back under its name. The fence
// decides between several who find the same.
func (e *Engine) findOrphans(ctx context.Context, live []platform.Operation) {
	live = slices.DeleteFunc(live, func(op platform.Operation) bool {
		return op.State != platform.Running && op.State != platform.Undoing || e.runs(op.ID)
	})
	standing := []string{e.Replica}
	if e.Pool != nil && slices.ContainsFunc(live, func(op platform.Operation) bool { return op.Owner != e.Replica }) {
		all, err := e.Store.Replicas(ctx) // read after the operations: who began one since is among them
		if err != nil {
			e.Log.Warn("replicas not listed", zap.Error(err))
			return
		}
		standing = append(standing, all...)
	}
	seen := map[handed]time.Time{}
	for _, op := range live {
		patience, why := orphanAfter, "maitred lost sight of it and takes it up again."
		if op.Owner != e.Replica {
			if slices.Contains(standing, op.Owner) {
				continue // its own sweeper looks, and when it dies somebody takes over
			}
			patience, why = e.Lease, fmt.Sprintf("The replica %s is gone; %s carries on.", op.Owner, e.Replica)
		}
		h := handed{op.ID, op.Fence}
		since, known := e.orphans[h]
		if !known {
			since = time.Now()
		}
		if time.Since(since) > patience && e.leased() == nil {
			e.Log.Warn("operation without a runner", zap.Int64("operation", op.ID), zap.Int64("fence", op.Fence), zap.String("owner", op.Owner))
			e.handOver(ctx, op, why)
			continue
		}
		seen[h] = since
	}
	e.orphans = seen
}

// runs reports whether this process walks an operation.
func (e *Engine) runs(id int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, runs := e.runners[id]
	return runs
}
