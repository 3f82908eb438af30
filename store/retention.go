package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"go.uber.org/zap"

	"maitred/notifications"
)

// Keep says how long finished things stay. Zero fields take the defaults;
// operations are pruned by the engine.
type Keep struct {
	Inbound time.Duration // what was heard; 30 days, never less than a day, because chats repeat
	Outbox  time.Duration // what was shown and belongs to no operation; 90 days
	Audit   time.Duration // for ever when zero
}

const (
	inboundFloor   = 24 * time.Hour
	inboundDefault = 30 * 24 * time.Hour
	outboxDefault  = 90 * 24 * time.Hour
	replicasKept   = 30 * 24 * time.Hour
	prunedAtOnce   = 200 // rows removed in one transaction, few so that nobody waits for long
)

// Pruned counts what Retain removed.
type Pruned struct{ Inbound, Outbox, Audit int }

// Run keeps house until ctx ends: it links the audit, and removes what has been
// kept long enough.
func (s *Store) Run(ctx context.Context) error {
	link := time.NewTicker(2 * time.Second)
	defer link.Stop()
	sweep := time.NewTicker(time.Hour)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if _, err := s.Chain(last); err != nil {
				s.log.Warn("the end of the audit is not linked yet", zap.Error(err))
			}
			return nil
		case <-link.C:
			if _, err := s.Chain(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("audit not linked", zap.Error(err))
			}
		case <-sweep.C:
			if gone, err := s.Retain(ctx, time.Now()); err != nil && ctx.Err() == nil {
				s.log.Warn("old rows not removed", zap.Error(err))
			} else if gone != (Pruned{}) {
				s.log.Info("old rows removed", zap.Int("inbound", gone.Inbound), zap.Int("outbox", gone.Outbox), zap.Int("audit", gone.Audit))
			}
		}
	}
}

// Retain removes what Options.Keep does not keep any more at now.
func (s *Store) Retain(ctx context.Context, now time.Time) (Pruned, error) {
	var gone Pruned
	keep := s.opts.Keep
	if keep.Inbound == 0 {
		keep.Inbound = inboundDefault
	}
	if keep.Outbox == 0 {
		keep.Outbox = outboxDefault
	}
	var err1, err2, err3 error
	gone.Inbound, err1 = s.batches(ctx, func(tx *sql.Tx) (int, error) {
		n, err := affected(tx.ExecContext(ctx, `DELETE FROM inbound WHERE inbound_key IN
			(SELECT inbound_key FROM inbound WHERE done = 1 AND heard < $1 LIMIT $2)`, ms(now.Add(-max(keep.Inbound, inboundFloor))), prunedAtOnce))
		return int(n), err
	})
	old := "kind NOT IN ($1, $2) AND (dropped = 1 OR wanted <= shown) AND since < $3"
	which := []any{notifications.OperationSubject, notifications.EventSubject, ms(now.Add(-keep.Outbox))}
	var some bool // looked up first, because it reads the whole table
	if err2 = s.read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM outbox WHERE "+old+")", which...).Scan(&some); some {
		gone.Outbox, err2 = s.batches(ctx, func(tx *sql.Tx) (int, error) {
			n, err := affected(tx.ExecContext(ctx, "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE "+old+" LIMIT $4)", append(which, prunedAtOnce)...))
			return int(n), err
		})
	}
	if keep.Audit > 0 {
		gone.Audit, err3 = s.batches(ctx, func(tx *sql.Tx) (int, error) { return s.pruneAudit(ctx, tx, now.Add(-keep.Audit)) })
	}
	// Replicas that were taken over and never came back: where names are made up
	// for each start, they would pile up.
	_, err4 := s.remove(ctx, "store.retain", "DELETE FROM replicas WHERE taken_by <> '' AND lease_until < $1", ms(now.Add(-replicasKept)))
	return gone, s.fail("store.retain", errors.Join(err1, err2, err3, err4))
}

// Prune deletes operations that ended before t, with all that hangs on them.
func (s *Store) Prune(ctx context.Context, t time.Time) (int, error) {
	n, err := s.batches(ctx, func(tx *sql.Tx) (int, error) { return pruneOperations(ctx, tx, t) })
	return n, s.fail("store.prune", err)
}

// batches runs fn in one transaction after the other until it removes less than
// it may.
func (s *Store) batches(ctx context.Context, fn func(tx *sql.Tx) (int, error)) (int, error) {
	total := 0
	for {
		n := 0
		if err := s.write(ctx, func(tx *sql.Tx) (err error) {
			n, err = fn(tx)
			return err
		}); err != nil {
			return total, err
		}
		total += n
		if n < prunedAtOnce {
			return total, nil
		}
	}
}

func pruneOperations(ctx context.Context, tx *sql.Tx, t time.Time) (int, error) {
	old, err := rows(ctx, tx, "SELECT id FROM operations WHERE live = 0 AND ended > 0 AND ended < $1 ORDER BY ended LIMIT $2",
		[]any{ms(t), prunedAtOnce}, func(r scanner) (id int64, err error) { return id, r.Scan(&id) })
	if err != nil {
		return 0, err
	}
	for _, id := range old {
		for _, query := range []string{
			"DELETE FROM outbox WHERE kind = 'event' AND subject IN (SELECT id FROM events WHERE operation = $1)",
			"DELETE FROM outbox WHERE kind = 'operation' AND subject = $1",
			"DELETE FROM events WHERE operation = $1",
			"DELETE FROM steps WHERE operation = $1",
			"DELETE FROM decisions WHERE operation = $1",
			"DELETE FROM secrets WHERE operation = $1",
			"DELETE FROM operations WHERE id = $1",
		} {
			if _, err := tx.ExecContext(ctx, query, id); err != nil {
				return 0, err
			}
		}
	}
	return len(old), nil
}

// pruneAudit moves the beginning of the chain past rows older than t, and
// removes them. The new beginning is sealed, so that what is left still proves
// itself.
func (s *Store) pruneAudit(ctx context.Context, tx *sql.Tx, t time.Time) (int, error) {
	ends, _, err := one(ctx, tx, endsOf, s.sql(chainEndsQuery+" @lock"))
	if err != nil {
		return 0, err
	}
	oldest, err := rows(ctx, tx, "SELECT "+linkColumns+" FROM audit WHERE position > $1 ORDER BY position LIMIT $2", []any{ends.base, prunedAtOnce}, linkOf)
	if err != nil {
		return 0, err
	}
	n := 0
	for n < len(oldest) && oldest[n].at < ms(t) {
		n++
	}
	if n == 0 {
		return 0, nil
	}
	last := oldest[n-1]
	if _, err := tx.ExecContext(ctx, "UPDATE audit_chain SET base = $1, base_link = $2, base_seal = $3",
		last.position.Int64, last.link.String, s.vouch("base", last.position.Int64, last.link.String)); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM audit WHERE position <= $1", last.position.Int64)
	return n, err
}
