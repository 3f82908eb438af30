package host

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"modernc.org/sqlite" // the app's database, and no store of maitred's own

	"maitred/fault"
)

// contents is what a copy of a database was seen to hold when it was read back
// whole.
type contents struct {
	Tables int            `json:"tables"`
	Rows   int64          `json:"rows"`
	ByName map[string]int `json:"by_name,omitempty"`
}

func (c contents) String() string {
	return fmt.Sprintf("%s with %s", plural(c.Tables, "table"), plural(int(c.Rows), "row"))
}

func openSQLite(file, mode string, more ...string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath()}
	u.RawQuery = strings.Join(append([]string{"mode=" + mode, "_pragma=busy_timeout(10000)"}, more...), "&")
	db, err := sql.Open("sqlite", u.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// backuper is what the driver's connection can do.
type backuper interface {
	NewBackup(to string) (*sqlite.Backup, error)
}

// copySQLite makes a consistent copy of a database that may be in use. One read
// transaction is held from the first page to the last, so that writers neither
// wait nor tear it.
func copySQLite(ctx context.Context, from, to string) (err error) {
	db, err := openSQLite(from, "rw")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		_, ended := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, ended)
	}()
	var tables int // reading is what begins the transaction
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	return conn.Raw(func(driver any) error {
		b, err := driver.(backuper).NewBackup(to)
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if err = ctx.Err(); err == nil {
				more, err = b.Step(2000)
			}
		}
		return errors.Join(err, b.Finish())
	})
}

// readSQLite reads a copy back whole: SQLite's own check of every page and
// index, and the number of rows of each table.
func readSQLite(ctx context.Context, file string) (contents, error) {
	c := contents{ByName: map[string]int{}}
	db, err := openSQLite(file, "ro", "immutable=1")
	if err != nil {
		return c, err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil {
		return c, err
	}
	if verdict != "ok" {
		return c, fmt.Errorf("%w: %s", errDamaged, verdict)
	}
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
	if err != nil {
		return c, err
	}
	names, err := scanNames(rows)
	if err != nil {
		return c, err
	}
	for _, name := range names {
		n := 0
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+quoteName(name)).Scan(&n); err != nil {
			return c, fmt.Errorf("count %s: %w", name, err)
		}
		c.Tables, c.Rows, c.ByName[name] = c.Tables+1, c.Rows+int64(n), n
	}
	return c, nil
}

// corrupt reports that an error says of a database that it is damaged, or none.
func corrupt(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqliteCorrupt || e.Code()&0xff == sqliteNotADB)
}

const sqliteCorrupt, sqliteNotADB = 11, 26

var errDamaged = errors.New("integrity check")

// damaged reports that the database in file, which nobody has open, was read and
// is not whole. Without what is in its log it could only seem so.
func damaged(ctx context.Context, file string) bool {
	err := settleSQLite(ctx, file)
	if err == nil {
		_, err = readSQLite(ctx, file)
	}
	return errors.Is(err, errDamaged) || corrupt(err)
}

func scanNames(rows *sql.Rows) (names []string, err error) {
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// settleSQLite moves what is in the write-ahead log into the database file, so
// that the file alone is the database. Nobody else may have it open.
func settleSQLite(ctx context.Context, file string) error {
	db, err := openSQLite(file, "rw")
	if err != nil {
		return err
	}
	var busy, pages, moved int
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	if err == nil && busy != 0 {
		err = errors.New("somebody still has the database open")
	}
	return errors.Join(err, db.Close())
}

// applied are the migrations on record in the app's database; nil when they
// cannot be read.
func (p *Provider) applied(ctx context.Context) []string {
	m := p.config.Database.Migrations
	if p.config.Database.Kind != "sqlite" || m.Dir == "" {
		return nil
	}
	if _, err := os.Stat(p.databaseFile()); err != nil {
		return nil
	}
	db, err := openSQLite(p.databaseFile(), "ro")
	if err != nil {
		return nil
	}
	defer db.Close()
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT CAST(%s AS TEXT) FROM %s", quoteName(m.Column), quoteName(m.Table)))
	if err != nil {
		return nil
	}
	names, err := scanNames(rows)
	if err != nil {
		return nil
	}
	return names
}

// sumFile is the SHA-256 and size of a file.
func sumFile(file string) (string, int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	return hex.EncodeToString(hash.Sum(nil)), n, err
}

// copyFile copies a file durably; to is whole or not there.
func copyFile(ctx context.Context, from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	part, err := os.OpenFile(to+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(part, reader{ctx, source})
	if err = errors.Join(err, part.Sync(), part.Close()); err == nil {
		err = (local{}).Rename(to+".part", to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(to+".part"))
	}
	return nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (p *Provider) noDatabase(what string) error {
	if p.config.Database.Kind == "" {
		return fault.New(fault.Unsupported, "host.database", "Add database: to its settings in maitred.yml.", "%s has no database to %s.", p.target, what)
	}
	return nil
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
