package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"maitred/fault"
	"maitred/platform/engine"
)

// fail words a failure of the database for the person who has to do something
// about it. What already has words, the conditions of the engine and the end of
// a context pass as they are.
func (s *Store) fail(op string, err error) error {
	var worded *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &worded),
		errors.Is(err, engine.ErrFenced), errors.Is(err, engine.ErrChanged), errors.Is(err, engine.ErrDecided),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	f := &fault.Error{Kind: fault.Internal, Op: op, Say: "maitred's store could not do that.", Err: err}
	switch {
	case diskFull(err):
		f.Kind, f.Say, f.Hint = fault.Unreachable, "It could not be stored: the disk is full.", "Make room on "+s.where()+", then say it again."
	case corrupt(err):
		f.Kind = fault.Invalid
		f.Say = fmt.Sprintf("The store file %s is damaged or is no store of maitred.", s.where())
		f.Hint = s.restore()
	case s.dialect.postgres && !answered(err):
		f.Kind, f.Say, f.Hint = fault.Unreachable, fmt.Sprintf("The database at %s cannot be reached.", s.where()), "Check that PostgreSQL runs there and lets maitred in, then try again."
	}
	return f
}

// restore is how a backup is put in place of the file.
func (s *Store) restore() string {
	file := s.where()
	return fmt.Sprintf("Stop maitred, then put the last backup back: mv %s %s.damaged; rm -f %s-wal %s-shm; cp BACKUP %s", file, file, file, file, file)
}

// where is what the store is called in sentences; never with a password.
func (s *Store) where() string {
	if s.opts.URL == "" {
		return filepath.Join(s.opts.Dir, fileName)
	}
	return address(s.opts.URL)
}

func diskFull(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		return lite.Code()&0xff == sqlite3.SQLITE_FULL || lite.Code() == sqlite3.SQLITE_IOERR_WRITE
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "53100"
	}
	return errors.Is(err, syscall.ENOSPC)
}

func corrupt(err error) bool {
	var lite *sqlite.Error
	if !errors.As(err, &lite) {
		return false
	}
	code := lite.Code() & 0xff
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// answered reports whether PostgreSQL itself said err, and said something else
// than that it is going down.
func answered(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		var lost *pgconn.ConnectError
		gone := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn)
		return !errors.As(err, &lost) && !pgconn.Timeout(err) && !isNet(err) && !gone
	}
	switch pg.Code[:2] {
	case "08", "57", "28", "3D": // connection, shutting down, not let in, no such database
		return false
	}
	return true
}

// violates reports whether err is the refusal of a constraint or index by name.
func violates(err error, name string) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.ConstraintName == name
	}
	return false
}
