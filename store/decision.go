package store

import (
	"context"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

// Decisions are what people said on an operation, oldest first.
func (s *Store) Decisions(ctx context.Context, id int64) ([]platform.Decision, error) {
	all, err := decisions(ctx, s.read(), id)
	return all, s.fail("store.decisions", err)
}

// Decisions as in Store, within the transaction.
func (t *targetTx) Decisions(ctx context.Context, id int64) ([]platform.Decision, error) {
	return decisions(ctx, t.tx, id)
}

func decisions(ctx context.Context, q querier, id int64) ([]platform.Decision, error) {
	return rows(ctx, q, "SELECT body FROM decisions WHERE operation = $1 ORDER BY id", []any{id}, decoded[platform.Decision])
}

// Decide stores d; a second word of the same person is ErrDecided.
func (t *targetTx) Decide(ctx context.Context, d platform.Decision) error {
	body, err := text(d)
	if err != nil {
		return err
	}
	n, err := affected(t.tx.ExecContext(ctx, "INSERT INTO decisions (operation, person, body) VALUES ($1, $2, $3) ON CONFLICT (operation, person) DO NOTHING",
		d.Operation, human(d.Person), body))
	if err == nil && n == 0 {
		return engine.ErrDecided
	}
	return err
}

// human is one word for all that Person.Same holds to be one human.
func human(p chat.Person) string {
	if p.Who != "" {
		return "who " + clean(p.Who)
	}
	return "id " + clean(p.Chat) + " " + clean(p.ID)
}
