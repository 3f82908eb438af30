package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"maitred/platform"
	"maitred/platform/engine"
)

// Locks are the locks that stand, by target; those that expired may be among
// them.
func (s *Store) Locks(ctx context.Context) ([]engine.Lock, error) {
	all, err := locks(ctx, s.read())
	return all, s.fail("store.locks", err)
}

// Locks as in Store, within the transaction.
func (t *targetTx) Locks(ctx context.Context) ([]engine.Lock, error) { return locks(ctx, t.tx) }

func locks(ctx context.Context, q querier) ([]engine.Lock, error) {
	return rows(ctx, q, "SELECT body FROM locks ORDER BY app, environment", nil, decoded[engine.Lock])
}

// SetLock sets l unless somebody else's lock stands, which it then returns.
func (s *Store) SetLock(ctx context.Context, l engine.Lock, now time.Time) (engine.Lock, bool, error) {
	body, err := text(l)
	if err != nil {
		return engine.Lock{}, false, s.fail("store.set-lock", err)
	}
	standing, set := l, false
	err = s.write(ctx, func(tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `INSERT INTO locks (app, environment, person, expires, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (app, environment) DO UPDATE SET person = excluded.person, expires = excluded.expires, body = excluded.body
			WHERE locks.person = excluded.person OR (locks.expires <> 0 AND locks.expires <= $6)`,
			l.Target.App, l.Target.Environment, human(l.Person), ms(l.Expires), body, ms(now)))
		if set = n == 1; err != nil || set {
			standing = l
			return err
		}
		standing, err = decoded[engine.Lock](tx.QueryRowContext(ctx, "SELECT body FROM locks WHERE app = $1 AND environment = $2", l.Target.App, l.Target.Environment))
		return err
	})
	return standing, set && err == nil, s.fail("store.set-lock", err)
}

// RemoveLock removes the lock of t, and reports whether there was one.
func (s *Store) RemoveLock(ctx context.Context, t platform.Target) (bool, error) {
	return s.remove(ctx, "store.remove-lock", "DELETE FROM locks WHERE app = $1 AND environment = $2", t.App, t.Environment)
}

// remove runs a DELETE, and reports whether it found something.
func (s *Store) remove(ctx context.Context, op, query string, args ...any) (bool, error) {
	var n int64
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		n, err = affected(tx.ExecContext(ctx, query, args...))
		return err
	})
	return n > 0, s.fail(op, err)
}

// one runs a query for one row, and reports whether there was one.
func one[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (T, bool, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	return v, err == nil, err
}
