// Package sample is ocpizza, the small web app that the demo deploys: its
// runtime, which reads pages, settings and migrations from a checkout, and the
// git repository with its three releases. It stands for an app of a team, so it
// knows nothing of maitred.
package sample

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// App is one running process of ocpizza.
type App struct {
	dir      string // the checkout
	release  string // what it shows
	settings settings
	menu     *template.Template
	orders   *orders
}

// settings are read from settings.json of the checkout.
type settings struct {
	House    string  `json:"house"`
	Motto    string  `json:"motto"`
	Colour   string  `json:"colour"`
	Payment  string  `json:"payment"` // address of the payment service; empty takes cash
	Specials bool    `json:"specials"`
	Notes    bool    `json:"notes"`
	Pizzas   []pizza `json:"pizzas"`
}

type pizza struct {
	Name  string `json:"name"`
	With  string `json:"with"`
	Price string `json:"price"`
}

// Open reads the checkout in dir and the database.
func Open(dir, release, database string) (*App, error) {
	a := &App{dir: dir, release: release}
	raw, err := os.ReadFile(filepath.Join(dir, "settings.json"))
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if err := json.Unmarshal(raw, &a.settings); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if a.menu, err = template.ParseFiles(filepath.Join(dir, "pages", "menu.html")); err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	if a.orders, err = openOrders(database); err != nil {
		return nil, err
	}
	return a, nil
}

// Close closes the database.
func (a *App) Close() error { return a.orders.db.Close() }

// Handler is what the app answers.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.page)
	mux.HandleFunc("GET /healthz", a.health)
	mux.HandleFunc("GET /orders", a.list)
	mux.HandleFunc("POST /orders", a.order)
	mux.HandleFunc("GET /slow", a.slow)
	return mux
}

// Serve answers on l until ctx ends, and finishes the requests it has then.
func (a *App) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	// A connection that was made a moment ago waits to be accepted, and would
	// be lost if the socket closed now.
	time.Sleep(200 * time.Millisecond)
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := server.Shutdown(finish); err != nil {
		return fmt.Errorf("finish the requests: %w", err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Listen takes the unix socket at path over from a process that is gone.
func Listen(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// The next process has its own socket at this path by the time this one ends.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, nil
}
