package host

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"
)

// TestMain lets the test binary be what the provider starts: the front, and a
// small app.
func TestMain(m *testing.M) {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "front":
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		err = Front(ctx, FrontConfig{Dir: os.Args[3], Listen: os.Args[5]})
	case len(os.Args) > 2 && os.Args[1] == "app":
		err = testApp(os.Args[2])
	default:
		os.Exit(m.Run())
	}
	code := 0
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	// os.Exit would sleep for a second under the race detector.
	syscall.Exit(code)
}

// testApp is an app with a database. What it does wrong stands in the file mode
// of its checkout.
func testApp(what string) error {
	db, err := sql.Open("sqlite", "file:"+os.Getenv("DATABASE_PATH")+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if what == "migrate" {
		return testMigrate(db)
	}
	mode, err := os.ReadFile("mode")
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(mode)) == "dies" {
		return errors.New("no settings for the payment service")
	}
	listener, err := net.Listen("unix", os.Getenv("SOCKET"))
	if err != nil {
		return err
	}
	fmt.Println("serving", os.Getenv("RELEASE"))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &http.Server{Handler: testHandler(db, strings.TrimSpace(string(mode)))}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return server.Shutdown(context.Background())
	}
}

func testHandler(db *sql.DB, mode string) http.Handler {
	release := os.Getenv("RELEASE")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if mode == "sick" {
			http.Error(w, "cannot reach the payment service", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"release": release})
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, release) })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		d, _ := time.ParseDuration(r.FormValue("for"))
		time.Sleep(d)
		fmt.Fprint(w, release)
	})
	mux.HandleFunc("GET /env", func(w http.ResponseWriter, _ *http.Request) {
		env := os.Environ()
		slices.Sort(env)
		fmt.Fprint(w, strings.Join(env, "\n"))
	})
	mux.HandleFunc("POST /notes", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if _, err := db.Exec("INSERT INTO notes (text) VALUES (?)", string(text)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /notes", func(w http.ResponseWriter, _ *http.Request) {
		rows, err := db.Query("SELECT text FROM notes ORDER BY id")
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		texts, err := scanNames(rows)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, strings.Join(texts, "\n"))
	})
	return mux
}

func testMigrate(db *sql.DB) error {
	if _, err := db.Exec("CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY)"); err != nil {
		return err
	}
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil {
		return err
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".sql")
		var n int
		if err := db.QueryRow("SELECT count(*) FROM schema_migrations WHERE name = ?", name).Scan(&n); err != nil || n > 0 {
			if err != nil {
				return err
			}
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if _, err := db.Exec("BEGIN; " + string(text) + "; INSERT INTO schema_migrations VALUES ('" + name + "'); COMMIT"); err != nil {
			return err
		}
		fmt.Println("migrated", name)
	}
	return nil
}
