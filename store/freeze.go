package store

import (
	"context"
	"database/sql"

	"maitred/platform/engine"
)

// Freezes are the freezes that stand, by app; those that expired may be among
// them.
func (s *Store) Freezes(ctx context.Context) ([]engine.Freeze, error) {
	all, err := freezes(ctx, s.read())
	return all, s.fail("store.freezes", err)
}

// Freezes as in Store, within the transaction.
func (t *targetTx) Freezes(ctx context.Context) ([]engine.Freeze, error) { return freezes(ctx, t.tx) }

func freezes(ctx context.Context, q querier) ([]engine.Freeze, error) {
	return rows(ctx, q, "SELECT body FROM freezes ORDER BY app", nil, decoded[engine.Freeze])
}

// SetFreeze replaces the app's freeze.
func (s *Store) SetFreeze(ctx context.Context, f engine.Freeze) error {
	body, err := text(f)
	if err != nil {
		return s.fail("store.set-freeze", err)
	}
	return s.fail("store.set-freeze", s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO freezes (app, body) VALUES ($1, $2) ON CONFLICT (app) DO UPDATE SET body = excluded.body", f.App, body)
		return err
	}))
}

// RemoveFreeze removes the app's freeze, and reports whether there was one.
func (s *Store) RemoveFreeze(ctx context.Context, app string) (bool, error) {
	return s.remove(ctx, "store.remove-freeze", "DELETE FROM freezes WHERE app = $1", app)
}
