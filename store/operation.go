package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
)

// targetTx is a transaction in which nobody else can Update the same target.
type targetTx struct {
	store  *Store
	tx     *sql.Tx
	target platform.Target
}

// Update runs fn in one transaction in which nobody else can Update t.
func (s *Store) Update(ctx context.Context, t platform.Target, fn func(tx engine.Tx) error) error {
	err := s.write(ctx, func(tx *sql.Tx) error {
		if err := s.hold(ctx, tx, t); err != nil {
			return err
		}
		return fn(&targetTx{store: s, tx: tx, target: t})
	})
	if err != nil {
		return s.fail("store.update", err)
	}
	wake(s.changed)
	return nil
}

// hold locks the row of t. On SQLite there is one writer anyway.
func (s *Store) hold(ctx context.Context, tx *sql.Tx, t platform.Target) error {
	if !s.dialect.postgres {
		return nil
	}
	held := "SELECT 1 FROM targets WHERE app = $1 AND environment = $2 FOR UPDATE"
	var one int
	err := tx.QueryRowContext(ctx, held, t.App, t.Environment).Scan(&one)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO targets (app, environment) VALUES ($1, $2) ON CONFLICT DO NOTHING", t.App, t.Environment); err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, held, t.App, t.Environment).Scan(&one)
}

// SQL is the transaction itself.
func (t *targetTx) SQL() *sql.Tx { return t.tx }

// operationColumns is what operation scans. The body is the operation as JSON;
// what SaveStep changes without rewriting it, and what queries compare, comes
// from the columns.
const operationColumns = "id, state, fence, version, body"

func operation(r scanner) (op platform.Operation, err error) {
	var id, fence, version int64
	var state, body string
	if err := r.Scan(&id, &state, &fence, &version, &body); err != nil {
		return op, err
	}
	if err := json.Unmarshal([]byte(body), &op); err != nil {
		return op, fmt.Errorf("operation %d: %w", id, err)
	}
	op.ID, op.State, op.Fence, op.Version = id, platform.State(state), fence, version
	return op, nil
}

// Operation reads one. Faults: Missing.
func (s *Store) Operation(ctx context.Context, id int64) (platform.Operation, error) {
	op, err := operation(s.read().QueryRowContext(ctx, "SELECT "+operationColumns+" FROM operations WHERE id = $1", id))
	return op, s.fail("store.operation", noOperation(err, id))
}

// Operation reads one, and on PostgreSQL keeps its steps from changing it.
func (t *targetTx) Operation(ctx context.Context, id int64) (platform.Operation, error) {
	op, err := operation(t.tx.QueryRowContext(ctx, t.store.sql("SELECT "+operationColumns+" FROM operations WHERE id = $1 @lock"), id))
	return op, noOperation(err, id)
}

func noOperation(err error, id int64) error {
	if errors.Is(err, sql.ErrNoRows) {
		return missing("store.operation", "/queue", "There is no operation #%d.", id)
	}
	return err
}

// ByKey reads the operation that was asked for under key. Faults: Missing.
func (s *Store) ByKey(ctx context.Context, key string) (platform.Operation, error) {
	op, err := operation(s.read().QueryRowContext(ctx, "SELECT "+operationColumns+" FROM operations WHERE request_key = $1", clean(key)))
	if errors.Is(err, sql.ErrNoRows) {
		err = missing("store.by-key", "/queue", "No operation was asked for in this way.")
	}
	return op, s.fail("store.by-key", err)
}

// ByKey reports whether there is an operation under key, and which.
func (t *targetTx) ByKey(ctx context.Context, key string) (platform.Operation, bool, error) {
	op, err := operation(t.tx.QueryRowContext(ctx, t.store.sql("SELECT "+operationColumns+" FROM operations WHERE request_key = $1 @lock"), clean(key)))
	if errors.Is(err, sql.ErrNoRows) {
		return platform.Operation{}, false, nil
	}
	return op, err == nil, err
}

// Operations lists operations, newest first.
func (s *Store) Operations(ctx context.Context, f engine.Filter) ([]platform.Operation, error) {
	w := where{}
	w.equal("app", f.App)
	w.equal("environment", f.Environment)
	w.equal("requester", f.Requester)
	anyOf(&w, "kind", f.Kinds)
	anyOf(&w, "state", f.States)
	if len(f.States) > 0 && !slices.ContainsFunc(f.States, platform.State.Ended) {
		w.terms = append(w.terms, "live = 1") // which leads to few rows, however many there were
	}
	if f.Before > 0 {
		w.add("id < ?", f.Before)
	}
	query := "SELECT " + operationColumns + " FROM operations" + w.String() + " ORDER BY id DESC LIMIT " + w.arg(limit(f.Limit))
	all, err := rows(ctx, s.read(), query, w.args, operation)
	return all, s.fail("store.operations", err)
}

// Live is every operation that has not ended, oldest first.
func (s *Store) Live(ctx context.Context) ([]platform.Operation, error) {
	all, err := rows(ctx, s.read(), "SELECT "+operationColumns+" FROM operations WHERE live = 1 ORDER BY id", nil, operation)
	return all, s.fail("store.live", err)
}

// Live are the target's operations that have not ended, in the order of their
// line.
func (t *targetTx) Live(ctx context.Context) ([]platform.Operation, error) {
	return rows(ctx, t.tx, t.store.sql("SELECT "+operationColumns+` FROM operations
		WHERE live = 1 AND app = $1 AND environment = $2
		ORDER BY CASE WHEN queued = 0 THEN 1 ELSE 0 END, queued, id @lock`), []any{t.target.App, t.target.Environment}, operation)
}

// Insert stores op as new, with its card and the outcome of its inbound row.
func (t *targetTx) Insert(ctx context.Context, op *platform.Operation, inboundKey string) error {
	if op.Created.IsZero() {
		op.Created = time.Now().UTC()
	}
	op.Version = 1
	body, err := text(op)
	if err != nil {
		return err
	}
	err = t.tx.QueryRowContext(ctx, `INSERT INTO operations
			(request_key, kind, exclusive, app, environment, state, live, requester, fence, version, queued, ended, body)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $12)
		ON CONFLICT (request_key) DO NOTHING RETURNING id`,
		clean(op.Key), string(op.Kind), flag(op.Kind.Exclusive()), op.Target.App, op.Target.Environment, string(op.State),
		flag(!op.State.Ended()), clean(op.Requester.Who), op.Fence, ms(op.Queued), ms(op.Ended), body).Scan(&op.ID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("operation with key %q is there already: %w", op.Key, engine.ErrChanged)
	case err != nil:
		return t.store.occupied(op, err)
	}
	if inboundKey != "" {
		if err := claimInbound(ctx, t.tx, clean(inboundKey), op.ID); err != nil {
			return err
		}
	}
	return showOperation(ctx, t.tx, op)
}

// Save stores op when nobody changed it meanwhile, and enqueues what shows it.
func (t *targetTx) Save(ctx context.Context, op *platform.Operation) error {
	var was string
	var stored int64
	err := t.tx.QueryRowContext(ctx, t.store.sql("SELECT state, version FROM operations WHERE id = $1 @lock"), op.ID).Scan(&was, &stored)
	if err != nil {
		return noOperation(err, op.ID)
	}
	if stored != op.Version {
		return engine.ErrChanged
	}
	if op.State.Ended() && op.Ended.IsZero() {
		op.Ended = time.Now().UTC() // retention goes by it
	}
	next := *op
	next.Version++
	body, err := text(next)
	if err != nil {
		return err
	}
	if _, err := t.tx.ExecContext(ctx, `UPDATE operations SET state = $1, live = $2, fence = $3, version = $4, queued = $5, ended = $6, body = $7
		WHERE id = $8`, string(op.State), flag(!op.State.Ended()), op.Fence, next.Version, ms(op.Queued), ms(op.Ended), body, op.ID); err != nil {
		return t.store.occupied(op, err)
	}
	if op.State.Ended() {
		if _, err := t.tx.ExecContext(ctx, "DELETE FROM secrets WHERE operation = $1", op.ID); err != nil {
			return err
		}
	}
	if platform.State(was) != op.State || op.State == platform.Waiting {
		if err := showAgain(ctx, t.tx, op.ID, next.Version); err != nil {
			return err
		}
	}
	if err := showOperation(ctx, t.tx, &next); err != nil {
		return err
	}
	op.Version = next.Version
	return nil
}

// occupied words the index that keeps two exclusive operations apart.
func (s *Store) occupied(op *platform.Operation, err error) error {
	const index = "operations_one_exclusive"
	if !violates(err, index) && !strings.Contains(err.Error(), "operations.app, operations.environment") {
		return err
	}
	return &fault.Error{
		Kind: fault.Busy, Op: "store.save",
		Say:  fmt.Sprintf("Another operation has %s for itself.", op.Target),
		Hint: "/queue", Err: err,
	}
}

// where builds the condition of a list.
type where struct {
	terms []string
	args  []any
}

// arg adds an argument and returns its placeholder.
func (w *where) arg(v any) string {
	w.args = append(w.args, v)
	return fmt.Sprintf("$%d", len(w.args))
}

// add adds a term with one argument, for which it has a question mark.
func (w *where) add(term string, v any) {
	w.terms = append(w.terms, strings.Replace(term, "?", w.arg(v), 1))
}

// equal narrows by a column, unless v is empty.
func (w *where) equal(column, v string) {
	if v != "" {
		w.add(column+" = ?", clean(v))
	}
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

// anyOf narrows by a column to the words given, unless there are none.
func anyOf[T ~string](w *where, column string, words []T) {
	if len(words) == 0 {
		return
	}
	places := make([]string, len(words))
	for i, word := range words {
		places[i] = w.arg(string(word))
	}
	w.terms = append(w.terms, column+" IN ("+strings.Join(places, ", ")+")")
}

// limit is how many rows a list has at most.
func limit(asked int) int {
	if asked <= 0 {
		return 20
	}
	return asked
}
