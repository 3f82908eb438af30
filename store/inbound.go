package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"maitred/bot"
	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
)

// Hear commits in, and reports whether its key was known. Callers share a commit,
// which goes before other writes.
func (s *Store) Hear(ctx context.Context, in chat.Inbound, secrets map[string][]byte, owner string, lease time.Duration) (bool, error) {
	in.Secrets = nil
	body, err := text(in)
	if err != nil {
		return false, s.fail("store.hear", err)
	}
	key := clean(in.Key)
	insert := s.sql(`INSERT INTO inbound (inbound_key, heard, done, owner, boot, lease_until, operation, started, body, said)
		VALUES ($1, $2, 0, $3, $4, @now + $5, 0, 0, $6, '') ON CONFLICT (inbound_key) DO NOTHING`)
	args := []any{key, ms(time.Now()), owner, s.boot, lease.Milliseconds(), body}
	var news int64
	if len(secrets) == 0 {
		news, err = s.statement(ctx, &s.heard, insert, args...)
	} else {
		err = s.together(ctx, &s.heard, func(ctx context.Context, tx *sql.Tx) (err error) {
			if news, err = affected(tx.ExecContext(ctx, insert, args...)); err != nil || news == 0 {
				return err
			}
			for handle, sealed := range secrets {
				if err := keepSecret(ctx, tx, handle, key, sealed); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return false, s.fail("store.hear", err)
	}
	return news == 0, nil
}

const heardColumns = "body, done, said, operation, started, heard"

// heardRow is a row and when it was heard, to sort by.
type heardRow struct {
	bot.Heard
	at int64
}

func heard(r scanner) (h heardRow, err error) {
	var body, said string
	var done, started int
	if err := r.Scan(&body, &done, &said, &h.Operation, &started, &h.at); err != nil {
		return h, err
	}
	h.Done, h.Started = done == 1, started == 1
	if said != "" {
		if err := json.Unmarshal([]byte(said), &h.Said); err != nil {
			return h, err
		}
	}
	return h, json.Unmarshal([]byte(body), &h.In)
}

// Heard reads a row. Faults: Missing.
func (s *Store) Heard(ctx context.Context, key string) (bot.Heard, error) {
	h, err := heard(s.read().QueryRowContext(ctx, "SELECT "+heardColumns+" FROM inbound WHERE inbound_key = $1", clean(key)))
	if errors.Is(err, sql.ErrNoRows) {
		err = missing("store.heard", "Say it again.", "Nothing was heard under that key.")
	}
	return h.Heard, s.fail("store.heard", err)
}

// Abandoned takes up, for owner, rows that are not told yet and whose lease is over or that an
// earlier process of the same owner left, oldest first.
func (s *Store) Abandoned(ctx context.Context, owner string, lease time.Duration, most int) ([]bot.Heard, error) {
	left := "told = 0 AND ((owner = $1 AND boot <> $2) OR (lease_until < @now AND boot <> $2))"
	var some int
	if err := s.read().QueryRowContext(ctx, s.sql("SELECT COUNT(*) FROM inbound WHERE "+left), owner, s.boot).Scan(&some); err != nil || some == 0 {
		return nil, s.fail("store.abandoned", err)
	}
	var taken []heardRow
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		taken, err = rows(ctx, tx, s.sql(`WITH picked AS MATERIALIZED (SELECT inbound_key FROM inbound WHERE `+left+` ORDER BY heard, inbound_key LIMIT $4 @skip)
			UPDATE inbound SET owner = $1, boot = $2, lease_until = @now + $3
			WHERE inbound_key IN (SELECT inbound_key FROM picked) AND `+left+`
			RETURNING `+heardColumns), []any{owner, s.boot, lease.Milliseconds(), limit(most)}, heard)
		return err
	})
	if err != nil {
		return nil, s.fail("store.abandoned", err)
	}
	slices.SortFunc(taken, func(a, b heardRow) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.In.Key, b.In.Key))
	})
	all := make([]bot.Heard, len(taken))
	for i, h := range taken {
		all[i] = h.Heard
	}
	return all, nil
}

// Renew keeps the leases of the rows, not told yet, that this process has.
func (s *Store) Renew(ctx context.Context, owner string, lease time.Duration) error {
	mine := "told = 0 AND owner = $1 AND boot = $2"
	var some int
	if err := s.read().QueryRowContext(ctx, "SELECT COUNT(*) FROM inbound WHERE "+mine, owner, s.boot).Scan(&some); err != nil || some == 0 {
		return s.fail("store.renew", err)
	}
	return s.fail("store.renew", s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.sql("UPDATE inbound SET lease_until = @now + $3 WHERE "+mine), owner, s.boot, lease.Milliseconds())
		return err
	}))
}

// Answered ends a row, once, and appends the audit row with it. A row that
// another process took up or ended is left alone, with a fault of kind Refused.
// Where nothing is said there is nothing to tell. Secrets of a line that started nothing are wiped.
func (s *Store) Answered(ctx context.Context, key string, said []bot.Said, operation int64, started bool, row commands.AuditRow) error {
	words, err := text(said)
	if err != nil {
		return s.fail("store.answered", err)
	}
	key = clean(key)
	end := `UPDATE inbound SET done = 1, told = $6, said = $1, started = CASE WHEN started = 1 THEN 1 ELSE $2 END,
			operation = CASE WHEN operation <> 0 AND started = 1 THEN operation WHEN $3 = 0 THEN operation ELSE $3 END
		WHERE inbound_key = $4 AND done = 0 AND boot = $5`
	args := []any{words, flag(started), operation, key, s.boot, flag(len(said) == 0)}
	var ended int64
	if s.dialect.postgres {
		ended, err = s.endAtOnce(ctx, end, args, row)
	} else {
		err = s.together(ctx, &s.others, func(ctx context.Context, tx *sql.Tx) (err error) {
			if ended, err = affected(tx.ExecContext(ctx, end, args...)); err != nil || ended == 0 {
				return err
			}
			if _, err := tx.ExecContext(ctx, "DELETE FROM secrets WHERE inbound = $1 AND operation = 0", key); err != nil {
				return err
			}
			return appendAudit(ctx, tx, row)
		})
	}
	if err == nil && ended == 0 {
		err = fault.New(fault.Refused, "store.answered", "", "This line was answered elsewhere.")
	}
	return s.fail("store.answered", err)
}

// endAtOnce is Answered as one statement, which PostgreSQL can and which saves
// four journeys for every line.
func (s *Store) endAtOnce(ctx context.Context, end string, args []any, row commands.AuditRow) (int64, error) {
	a, err := auditArgs(row)
	if err != nil {
		return 0, err
	}
	return s.statement(ctx, &s.others, `WITH ended AS (`+end+` RETURNING inbound_key),
			wiped AS (DELETE FROM secrets WHERE operation = 0 AND inbound IN (SELECT inbound_key FROM ended))
		INSERT INTO audit (`+auditInsert+`)
		SELECT CAST($7 AS BIGINT), $8, COALESCE((SELECT app FROM operations WHERE id = CAST($18 AS BIGINT)), $9), $10, $11, $12, $13, $14, $15, $16, $17 FROM ended`,
		append(append(args, a...), aboutOperation(row.Subject))...)
}

// Told notes that the answers to keys were delivered.
func (s *Store) Told(ctx context.Context, keys ...string) error {
	for i := range keys {
		keys[i] = clean(keys[i])
	}
	list, err := text(keys)
	if err == nil {
		_, err = s.statement(ctx, &s.others, s.sql("UPDATE inbound SET told = 1 WHERE done = 1 AND told = 0 AND inbound_key IN @each"), list)
	}
	return s.fail("store.told", err)
}

// claimInbound sets the outcome of a row to the operation that it started, and
// gives the operation its secrets.
func claimInbound(ctx context.Context, tx *sql.Tx, key string, operation int64) error {
	if _, err := tx.ExecContext(ctx, "UPDATE inbound SET operation = $1, started = 1 WHERE inbound_key = $2", operation, key); err != nil {
		return fmt.Errorf("outcome of what was heard: %w", err)
	}
	_, err := tx.ExecContext(ctx, "UPDATE secrets SET operation = $1 WHERE inbound = $2", operation, key)
	return err
}
