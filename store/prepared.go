package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strings"

	"modernc.org/sqlite"
)

// openPrepared opens a file of SQLite with connections that keep their
// statements prepared: reading a statement costs more than most of ours take to
// run. On PostgreSQL pgx does the same.
func openPrepared(dsn string) (*sql.DB, error) {
	c, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(preparing{c}), nil
}

// preparing makes connections that keep statements.
type preparing struct{ driver.Connector }

func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	able, ok := c.(ableConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("a connection of SQLite is a %T, which lacks something", c)
	}
	return &preparedConn{ableConn: able, kept: map[string]*prepared{}}, nil
}

// ableConn is what the connections of the driver can do.
type ableConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// ableStmt is what its statements can do.
type ableStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// mostPrepared bounds what one connection keeps; the statements of maitred and
// of its engine are fewer.
const mostPrepared = 256

// preparedConn is a connection with its statements. Like every connection of
// database/sql it is used by one goroutine at a time.
type preparedConn struct {
	ableConn
	kept map[string]*prepared
}

// prepared is a statement, and whether rows of it are being read.
type prepared struct {
	ableStmt
	busy bool
}

// statement is query prepared, or nil when it is not worth it or in use.
func (c *preparedConn) statement(ctx context.Context, query string) (*prepared, error) {
	if s := c.kept[query]; s != nil {
		if s.busy {
			return nil, nil
		}
		return s, nil
	}
	if len(c.kept) >= mostPrepared || !frequent(query) {
		return nil, nil
	}
	s, err := c.PrepareContext(ctx, strings.TrimSpace(query)) // a statement with a tail would be read anew each time
	if err != nil {
		return nil, err
	}
	able, ok := s.(ableStmt)
	if !ok {
		return nil, s.Close()
	}
	kept := &prepared{ableStmt: able}
	c.kept[query] = kept
	return kept, nil
}

// frequent reports whether query is of a kind that is run again and again.
func frequent(query string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(query), " ")
	switch strings.ToUpper(word) {
	case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		return true
	}
	return false
}

// ExecContext runs query by its prepared statement.
func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.ableConn.ExecContext(ctx, query, args)
	}
	return s.ExecContext(ctx, args)
}

// QueryContext runs query by its prepared statement, which is in use until the
// rows are closed.
func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.statement(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return c.ableConn.QueryContext(ctx, query, args)
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	s.busy = true
	return &preparedRows{Rows: rows, of: s}, nil
}

// Close finishes the statements first.
func (c *preparedConn) Close() error {
	for _, s := range c.kept {
		s.Close()
	}
	clear(c.kept)
	return c.ableConn.Close()
}

// preparedRows are rows of a prepared statement.
type preparedRows struct {
	driver.Rows
	of *prepared
}

func (r *preparedRows) Close() error {
	if r.of == nil {
		return nil
	}
	r.of.busy, r.of = false, nil
	return r.Rows.Close()
}
