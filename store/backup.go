package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"maitred/fault"
)

// Backup writes a consistent copy of the store to a new file, mode 0600, and
// reads it back whole before it returns. See the function Backup.
func (s *Store) Backup(ctx context.Context, file string) error { return Backup(ctx, s.opts, file) }

// Backup writes a consistent copy of a store to a new file, also while a maitred
// uses the store. Secrets stay sealed in it; their key is not part of it. On
// PostgreSQL it is a fault of kind Unsupported that names the command which
// does it.
func Backup(ctx context.Context, o Options, file string) error {
	if o.URL != "" {
		return fault.New(fault.Unsupported, "store.backup", dump(o.URL, file), "maitred's data is in PostgreSQL, which has a tool of its own for backups.")
	}
	s := &Store{opts: o}
	source := filepath.Join(o.Dir, fileName)
	if _, err := os.Stat(source); err != nil {
		return noStore(o.Dir, err)
	}
	copied, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &fault.Error{Kind: fault.Invalid, Op: "store.backup", Say: fmt.Sprintf("%s is there already.", file), Hint: "Name a new file.", Err: err}
	}
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Op: "store.backup", Say: fmt.Sprintf("%s cannot be written: %v.", file, errors.Unwrap(err)), Hint: "Name a file in a directory that maitred may write to.", Err: err}
	}
	defer copied.Close()
	if err := s.copyTo(ctx, source, file, copied); err != nil {
		os.Remove(file)
		return s.fail("store.backup", err)
	}
	return nil
}

// copyTo copies the store into an empty file and verifies what came of it.
func (s *Store) copyTo(ctx context.Context, source, file string, copied *os.File) error {
	db, err := sql.Open("sqlite", dsn(source, "rw"))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO $1", file); err != nil {
		return err
	}
	if err := copied.Sync(); err != nil {
		return err
	}
	back, err := sql.Open("sqlite", dsn(file, "ro"))
	if err != nil {
		return err
	}
	defer back.Close()
	var word string
	if err := back.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&word); err != nil {
		return err
	}
	if word != "ok" {
		return fmt.Errorf("the copy is not whole: %s", word)
	}
	var one int
	return back.QueryRowContext(ctx, "SELECT one FROM audit_chain").Scan(&one)
}

// dump is the command that backs up a PostgreSQL database; it asks for the
// password or takes it from the environment.
func dump(url, file string) string {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return "pg_dump --format=custom --file=" + quoted(file) + " DATABASE"
	}
	c := config.ConnConfig
	return fmt.Sprintf("pg_dump --format=custom --file=%s --host=%s --port=%d --username=%s %s",
		quoted(file), quoted(c.Host), c.Port, quoted(c.User), quoted(c.Database))
}

// quoted is one word for a shell.
func quoted(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
