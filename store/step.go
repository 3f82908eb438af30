package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"maitred/platform"
	"maitred/platform/engine"
)

// Steps are the records of an operation: those of doing, then those of undoing.
func (s *Store) Steps(ctx context.Context, id int64) ([]platform.StepRecord, error) {
	all, err := steps(ctx, s.read(), id)
	return all, s.fail("store.steps", err)
}

// Steps as in Store, within the transaction.
func (t *targetTx) Steps(ctx context.Context, id int64) ([]platform.StepRecord, error) {
	return steps(ctx, t.tx, id)
}

func steps(ctx context.Context, q querier, id int64) ([]platform.StepRecord, error) {
	return rows(ctx, q, "SELECT body FROM steps WHERE operation = $1 ORDER BY undo, idx", []any{id}, decoded[platform.StepRecord])
}

// SaveStep writes r when the operation's fence is still r.Fence, and lets the
// cards of the operation follow.
func (s *Store) SaveStep(ctx context.Context, r platform.StepRecord) error {
	err := s.together(ctx, &s.others, func(ctx context.Context, tx *sql.Tx) error {
		var version int64
		err := tx.QueryRowContext(ctx, "UPDATE operations SET version = version + 1 WHERE id = $1 AND fence = $2 RETURNING version", r.Operation, r.Fence).Scan(&version)
		if errors.Is(err, sql.ErrNoRows) {
			return engine.ErrFenced
		}
		if err != nil {
			return err
		}
		if err := saveStep(ctx, tx, r); err != nil {
			return err
		}
		return showNewer(ctx, tx, r.Operation, version)
	})
	if err != nil {
		return s.fail("store.save-step", err)
	}
	wake(s.changed)
	return nil
}

// SaveStep writes r whatever the fence.
func (t *targetTx) SaveStep(ctx context.Context, r platform.StepRecord) error {
	return saveStep(ctx, t.tx, r)
}

func saveStep(ctx context.Context, tx *sql.Tx, r platform.StepRecord) error {
	body, err := text(r)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO steps (operation, undo, idx, body) VALUES ($1, $2, $3, $4)
		ON CONFLICT (operation, undo, idx) DO UPDATE SET body = excluded.body`, r.Operation, flag(r.Undo), r.Index, body)
	return err
}

// decoded reads a row that is one column of JSON.
func decoded[T any](r scanner) (v T, err error) {
	var body string
	if err := r.Scan(&body); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(body), &v)
}
