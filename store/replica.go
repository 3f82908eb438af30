package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"maitred/fault"
	"maitred/platform/engine"
)

// Beat renews the lease of a replica by the clock of the database. A boot whose
// replica was taken over, or carries on as a newer boot, gets a fault of kind
// Refused that wraps engine.ErrFenced: it has to stop.
func (s *Store) Beat(ctx context.Context, replica, boot string, lease time.Duration) (time.Time, error) {
	var until int64
	err := s.write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, s.sql(`INSERT INTO replicas (id, boot, prior, taken_by, lease_until) VALUES ($1, $2, '', '', @now + $3)
			ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, taken_by = '', lease_until = excluded.lease_until,
				prior = CASE WHEN replicas.boot = excluded.boot THEN replicas.prior ELSE replicas.boot END
			WHERE replicas.prior <> excluded.boot AND NOT (replicas.boot = excluded.boot AND replicas.taken_by <> '')
			RETURNING lease_until`), replica, boot, lease.Milliseconds()).Scan(&until)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, &fault.Error{
			Kind: fault.Refused, Op: "store.beat",
			Say:  fmt.Sprintf("Another maitred carries on for the replica %s.", replica),
			Hint: "Restart this one; each needs a name of its own.", Err: engine.ErrFenced,
		}
	}
	return fromMs(until), s.fail("store.beat", err)
}

// Dead lists the replicas whose lease is over and that nobody took over.
func (s *Store) Dead(ctx context.Context) ([]string, error) {
	all, err := rows(ctx, s.read(), s.sql("SELECT id FROM replicas WHERE taken_by = '' AND lease_until < @now ORDER BY id"), nil, func(r scanner) (id string, err error) {
		return id, r.Scan(&id)
	})
	return all, s.fail("store.dead", err)
}

// Replicas lists the replicas that neither resigned nor were taken over.
func (s *Store) Replicas(ctx context.Context) ([]string, error) {
	all, err := rows(ctx, s.read(), "SELECT id FROM replicas WHERE taken_by = '' ORDER BY id", nil, func(r scanner) (id string, err error) {
		return id, r.Scan(&id)
	})
	return all, s.fail("store.replicas", err)
}

// TakeOver marks a dead replica as taken over, and reports whether the caller
// was the one who did. What the dead one had heard is free for Abandoned.
func (s *Store) TakeOver(ctx context.Context, dead, by string) (bool, error) {
	var won bool
	err := s.write(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, s.sql("UPDATE replicas SET taken_by = $1 WHERE id = $2 AND taken_by = '' AND lease_until < @now"), by, dead))
		if won = n == 1; err != nil || !won {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE inbound SET lease_until = 0 WHERE told = 0 AND owner = $1", dead)
		return err
	})
	return won && err == nil, s.fail("store.take-over", err)
}

// Resign ends the lease of a replica that stops politely: there is nothing to
// take over.
func (s *Store) Resign(ctx context.Context, replica, boot string) error {
	_, err := s.remove(ctx, "store.resign", "DELETE FROM replicas WHERE id = $1 AND boot = $2", replica, boot)
	return err
}
