package sample

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the app's own database
)

// orders is the app's database.
type orders struct{ db *sql.DB }

type order struct {
	ID    string `json:"id"`
	Pizza string `json:"pizza"`
	Note  string `json:"note"`
}

// counted is how many orders there are, and how often they were posted: the
// two differ when a request was sent twice.
type counted struct {
	Orders int `json:"orders"`
	Posted int `json:"posted"`
}

func openOrders(path string) (*orders, error) {
	dsn := (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(NORMAL)"}, "_txlock": {"immediate"},
	}.Encode()}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	db.SetMaxOpenConns(4)
	return &orders{db: db}, nil
}

func (o *orders) add(ctx context.Context, in order, notes bool) error {
	if notes && in.Note != "" {
		_, err := o.db.ExecContext(ctx, `INSERT INTO orders (id, pizza, note, at) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET times = times + 1`, in.ID, in.Pizza, in.Note, time.Now().UnixMilli())
		return err
	}
	_, err := o.db.ExecContext(ctx, `INSERT INTO orders (id, pizza, at) VALUES (?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET times = times + 1`, in.ID, in.Pizza, time.Now().UnixMilli())
	return err
}

func (o *orders) count(ctx context.Context, prefix string) (c counted, err error) {
	err = o.db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(times), 0) FROM orders
		WHERE id >= ? AND id < ? || char(1114111)`, prefix, prefix).Scan(&c.Orders, &c.Posted)
	return c, err
}

// specials are none in a database that was restored to before it had them.
func (o *orders) specials(ctx context.Context) []pizza {
	rows, err := o.db.QueryContext(ctx, `SELECT name, toppings, price FROM specials ORDER BY name`)
	if err != nil {
		log.Printf("no specials: %v", err)
		return nil
	}
	defer rows.Close()
	var list []pizza
	for rows.Next() {
		var p pizza
		if err := rows.Scan(&p.Name, &p.With, &p.Price); err != nil {
			log.Printf("no specials: %v", err)
			return nil
		}
		list = append(list, p)
	}
	if err := rows.Err(); err != nil {
		log.Printf("no specials: %v", err)
		return nil
	}
	return list
}

// Migrate applies the migrations of the checkout in dir that the database does
// not have, in the order of their names, each in a transaction of its own.
func Migrate(ctx context.Context, dir, database string) error {
	o, err := openOrders(database)
	if err != nil {
		return err
	}
	defer o.db.Close()
	if _, err := o.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY, applied_at INTEGER NOT NULL)`); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "migrations", "*.sql"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	applied := 0
	for _, file := range files {
		did, err := o.apply(ctx, file)
		if err != nil {
			return fmt.Errorf("migration %s: %w", filepath.Base(file), err)
		}
		if did {
			applied++
			fmt.Println("applied", filepath.Base(file))
		}
	}
	fmt.Printf("%d of %d migrations applied\n", applied, len(files))
	return nil
}

func (o *orders) apply(ctx context.Context, file string) (bool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // after a commit there is nothing to take back
	added, err := tx.ExecContext(ctx, `INSERT INTO schema_migrations (name, applied_at) VALUES (?, ?) ON CONFLICT DO NOTHING`,
		strings.TrimSuffix(filepath.Base(file), ".sql"), time.Now().UnixMilli())
	if err != nil {
		return false, err
	}
	if n, err := added.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return false, err
	}
	return true, tx.Commit()
}
