package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"maitred/fault"
)

// openPostgres opens the pool.
func (s *Store) openPostgres(ctx context.Context) error {
	s.dialect = dialect{postgres: true, tokens: strings.NewReplacer(
		"@now", "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)", "@lock", "FOR UPDATE", "@skip", "FOR UPDATE SKIP LOCKED",
		"@each", "(SELECT jsonb_array_elements_text(CAST($1 AS JSONB)))")}
	config, err := pgxpool.ParseConfig(s.opts.URL)
	if err != nil {
		// The cause is left out: it may quote the password.
		return fault.New(fault.Invalid, "store.open", "Write it as postgres://USER@HOST:5432/NAME", "The address of the database cannot be read.")
	}
	if !strings.Contains(s.opts.URL, "pool_max_conns") {
		config.MaxConns = 20
	}
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	// A replica that is frozen inside a transaction must not hold its row locks
	// for longer than its lease.
	setDefault(config.ConnConfig.RuntimeParams, "idle_in_transaction_session_timeout", "5000")
	// The statements are few and each has its index, so they are planned once a
	// connection: planning took longer than reading a page of a list. With the
	// price of a disk that turns, a list of a rare app would walk the whole table.
	setDefault(config.ConnConfig.RuntimeParams, "plan_cache_mode", "force_generic_plan")
	setDefault(config.ConnConfig.RuntimeParams, "random_page_cost", "1.1")
	setDefault(config.ConnConfig.RuntimeParams, "application_name", "maitred "+s.opts.Replica)
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	apart := config.Copy()
	apart.MaxConns, apart.MinConns = 2*underway, 0
	if s.express, err = pgxpool.NewWithConfig(ctx, apart); err != nil {
		return err
	}
	s.db = stdlib.OpenDBFromPool(s.pool)
	s.reads = s.db
	return s.pool.Ping(ctx)
}

func setDefault(m map[string]string, key, value string) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// persist runs fn in a transaction, again when PostgreSQL found that two could
// not both go on.
func (s *Store) persist(ctx context.Context, fn func(tx *sql.Tx) error) error {
	return again(ctx, func() error { return s.once(ctx, fn) })
}

// again runs fn until PostgreSQL finds that it can go on beside the others.
func again(ctx context.Context, fn func() error) error {
	for try := 1; ; try++ {
		err := fn()
		var pg *pgconn.PgError
		if try == 8 || !errors.As(err, &pg) || (pg.Code != "40001" && pg.Code != "40P01") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(rand.IntN(10<<try)) * time.Millisecond):
		}
	}
}

// address is the host, port and name of a database URL.
func address(url string) string {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return "the configured address"
	}
	c := config.ConnConfig
	return fmt.Sprintf("%s:%d/%s", c.Host, c.Port, c.Database)
}

func isNet(err error) bool {
	var n net.Error
	return errors.As(err, &n)
}
