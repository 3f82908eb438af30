// Package store keeps what maitred must not forget: what was heard, operations
// with their steps and events, what is due in which chat, schedules and the
// audit. It is the only package with SQL, and the SQL is portable: the same
// statements run on SQLite, the default, and on PostgreSQL. What is committed
// here is on disk; the acknowledgements of maitred rest on that.
package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"maitred/bot"
	"maitred/commands"
	"maitred/fault"
	"maitred/notifications"
	"maitred/platform"
	"maitred/platform/engine"
)

var (
	_ engine.Store         = (*Store)(nil)
	_ engine.Tx            = (*targetTx)(nil)
	_ bot.Store            = (*Store)(nil)
	_ notifications.Outbox = (*Store)(nil)
	_ commands.Schedules   = (*Store)(nil)
	_ commands.AuditReader = (*Store)(nil)
	_ querier              = (*sql.DB)(nil)
	_ querier              = (*sql.Tx)(nil)
)

// Options say where a Store is and who opens it.
type Options struct {
	Dir      string // of the SQLite file and its lock; made 0700 when missing
	URL      string // postgres://… ; empty is SQLite in Dir
	Seal     Seal   // opens and closes secrets; its key is outside the database
	AuditKey []byte // of the audit's chain; kept outside the database
	Replica  string // stable name of this maitred among those on one PostgreSQL
	Log      *zap.Logger
	Keep     Keep // how long finished things stay; see Run
}

// Seal closes a secret before it is stored and opens it again.
type Seal interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Store is an open store. It is safe for concurrent use.
type Store struct {
	opts    Options
	log     *zap.Logger
	boot    string // of this opening: tells rows of an earlier process apart
	dialect dialect

	db      *sql.DB       // writes; on SQLite it has one connection
	reads   *sql.DB       // reads outside transactions; on PostgreSQL the same as db
	pool    *pgxpool.Pool // nil on SQLite
	express *pgxpool.Pool // of the pipes; nil on SQLite
	locked  *lockFile     // nil on PostgreSQL

	turn   turn  // who writes next, on SQLite
	heard  group // commits of what was heard
	others group // commits of the other small writes

	claims  claims        // of rows of the outbox
	changed chan struct{} // something may be due in a chat
}

// claims knows for whom this process has claimed.
type claims struct {
	sync.Mutex
	owners map[string]bool
}

// dialect is everything in which the two databases differ at run time.
type dialect struct {
	postgres bool
	tokens   *strings.Replacer // @now, @lock, @skip and @each in a statement
}

// Open opens the store, bringing its tables up to date. Faults: Busy (another
// maitred uses the directory), Invalid (the file is no store or is damaged; the
// URL cannot be read), Unreachable (PostgreSQL does not answer).
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Replica == "" {
		o.Replica = "maitred"
	}
	s := &Store{
		opts: o, log: o.Log, boot: rand.Text(),
		changed: make(chan struct{}, 1), claims: claims{owners: map[string]bool{}},
		heard: group{pipe: newPipe()}, others: group{pipe: newPipe()},
	}
	open := s.openSQLite
	if o.URL != "" {
		open = s.openPostgres
	}
	if err := open(ctx); err != nil {
		s.Close()
		return nil, s.fail("store.open", err)
	}
	if err := s.prepare(ctx); err != nil {
		s.Close()
		return nil, s.fail("store.open", err)
	}
	return s, nil
}

// prepare brings the tables up to date and teaches them the life of an
// operation.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	type change struct{ was, becomes string }
	wanted := map[change]bool{}
	for _, was := range platform.States {
		for _, becomes := range platform.States {
			if was.CanBecome(becomes) {
				wanted[change{string(was), string(becomes)}] = true
			}
		}
	}
	known, err := rows(ctx, s.read(), "SELECT was, becomes FROM transitions", nil, func(r scanner) (c change, err error) {
		return c, r.Scan(&c.was, &c.becomes)
	})
	if err != nil {
		return err
	}
	stored := map[change]bool{}
	for _, c := range known {
		stored[c] = true
	}
	if maps.Equal(wanted, stored) {
		return nil
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM transitions"); err != nil {
			return err
		}
		for c := range wanted {
			if _, err := tx.ExecContext(ctx, "INSERT INTO transitions (was, becomes) VALUES ($1, $2) ON CONFLICT DO NOTHING", c.was, c.becomes); err != nil {
				return err
			}
		}
		return nil
	})
}

// Close gives everything back. Work that is under way fails.
func (s *Store) Close() error {
	if s.reads != nil && s.reads != s.db {
		s.reads.Close()
	}
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	for _, p := range []*pgxpool.Pool{s.pool, s.express} {
		if p != nil {
			p.Close()
		}
	}
	if s.locked != nil {
		s.locked.release()
	}
	return err
}

// SQLite is the one writing connection, for the engine; nil on PostgreSQL.
func (s *Store) SQLite() *sql.DB {
	if s.pool != nil {
		return nil
	}
	return s.db
}

// Pool is the pool of connections, for the engine; nil on SQLite.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Ready reports whether the store answers now.
func (s *Store) Ready(ctx context.Context) error {
	var one int
	return s.fail("store.ready", s.reads.QueryRowContext(ctx, "SELECT one FROM audit_chain").Scan(&one))
}

// querier is what statements run on: the reading handle or a transaction.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// scanner is a row that can be read, of Query or QueryRow.
type scanner interface{ Scan(dest ...any) error }

// read is the handle for reads outside a transaction. It never waits for a
// writer; on SQLite it cannot write.
func (s *Store) read() querier { return s.reads }

// sql fills the tokens of a statement: @now (milliseconds by the clock of the
// database), @lock and @skip (row locks where there are rows to lock), @each (the
// texts in the JSON list $1).
func (s *Store) sql(query string) string { return s.dialect.tokens.Replace(query) }

// rows reads every row of a query.
func rows[T any](ctx context.Context, q querier, query string, args []any, scan func(scanner) (T, error)) ([]T, error) {
	found, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var all []T
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, found.Err()
}

// affected says how many rows a statement changed.
func affected(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// ms is how a time is stored; the zero time is 0.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// fromMs is the way back.
func fromMs(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// flag is how a bool is stored.
func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// text is v as JSON, for a TEXT column. The types of maitred marshal.
func text(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// clean makes what people and chats send storable as TEXT: PostgreSQL takes
// neither NUL nor bytes that are not UTF-8.
func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// wake tells whoever waits on c, without waiting for him.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// missing is the fault for something that is not there.
func missing(op, hint, say string, args ...any) error {
	return fault.New(fault.Missing, op, hint, say, args...)
}
