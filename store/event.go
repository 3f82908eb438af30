package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"maitred/notifications"
	"maitred/platform/engine"
)

func event(r scanner) (e engine.Event, err error) {
	var id int64
	var body string
	if err := r.Scan(&id, &body); err != nil {
		return e, err
	}
	err = json.Unmarshal([]byte(body), &e)
	e.ID = id
	return e, err
}

// Events are the history of an operation, oldest first.
func (s *Store) Events(ctx context.Context, id int64) ([]engine.Event, error) {
	all, err := rows(ctx, s.read(), "SELECT id, body FROM events WHERE operation = $1 ORDER BY id", []any{id}, event)
	return all, s.fail("store.events", err)
}

// Event reads one. Faults: Missing.
func (s *Store) Event(ctx context.Context, id int64) (engine.Event, error) {
	e, err := event(s.read().QueryRowContext(ctx, "SELECT id, body FROM events WHERE id = $1", id))
	if errors.Is(err, sql.ErrNoRows) {
		err = missing("store.event", "", "There is no event %d.", id)
	}
	return e, s.fail("store.event", err)
}

// AddEvent stores e and, when it is told, enqueues its message in the thread of
// the operation.
func (t *targetTx) AddEvent(ctx context.Context, e *engine.Event) error {
	body, err := text(e)
	if err != nil {
		return err
	}
	if err := t.tx.QueryRowContext(ctx, "INSERT INTO events (operation, kind, body) VALUES ($1, $2, $3) RETURNING id",
		e.Operation, string(e.Kind), body).Scan(&e.ID); err != nil {
		return err
	}
	if !e.Kind.Told() {
		return nil
	}
	op, err := t.Operation(ctx, e.Operation)
	if err != nil {
		return err
	}
	return due(ctx, t.tx, notifications.Due{
		Subject: notifications.Subject{Kind: notifications.EventSubject, ID: e.ID},
		Parent:  &notifications.Subject{Kind: notifications.OperationSubject, ID: e.Operation},
		Place:   op.Place,
		Version: op.Version,
	})
}
