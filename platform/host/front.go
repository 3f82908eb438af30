package host

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"maitred/fault"
)

// FrontConfig says where a front listens and which home it looks at.
type FrontConfig struct {
	Listen string
	Dir    string
}

//go:embed maintenance.html
var maintenancePage []byte

// Front is the small reverse proxy between visitors and the slots: it asks the
// slot that run/active.sock points at, over a new connection for each request,
// shows the maintenance page while shared/maintenance.on is there, and lets
// requests wait while run/hold is. It runs until ctx ends and then finishes what
// it has begun.
func Front(ctx context.Context, c FrontConfig) error {
	f := &front{dir: c.Dir, busy: map[string]int{}}
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return &fault.Error{Kind: fault.Refused, Op: "host.front", Say: fmt.Sprintf("The front cannot listen at %s.", c.Listen), Hint: "Choose another address.", Err: err}
	}
	control := filepath.Join(c.Dir, "run", "front.sock")
	if err := os.Remove(control); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	counts, err := net.Listen("unix", control)
	if err != nil {
		return err
	}
	told, err := json.Marshal(listening{Asked: c.Listen, At: listener.Addr().String()})
	if err != nil {
		return err
	}
	quiet := stdlog.New(io.Discard, "", 0)
	visitors := &http.Server{Handler: f.proxy(quiet), ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: quiet}
	asked := &http.Server{Handler: http.HandlerFunc(f.count), ReadHeaderTimeout: 5 * time.Second, ErrorLog: quiet}
	ended := make(chan error, 2)
	go func() { ended <- visitors.Serve(listener) }()
	go func() { ended <- asked.Serve(counts) }()
	if err := (local{}).Put(filepath.Join(c.Dir, "run", "front.json"), told, 0o640); err != nil {
		return err
	}
	go keepHouse(ctx, filepath.Join(c.Dir, "shared", "log"))
	select {
	case err := <-ended:
		return fmt.Errorf("front: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return errors.Join(visitors.Shutdown(last), asked.Close())
}

// listening is what run/front.json tells.
type listening struct {
	Asked string `json:"asked"` // the address in the configuration
	At    string `json:"at"`    // where it listens: the port when 0 was asked for
}

type front struct {
	dir string

	mu   sync.Mutex
	busy map[string]int // requests by slot
}

// upstream is the connection of one request, found through its context.
type upstream struct{}

func (f *front) proxy(quiet *stdlog.Logger) http.Handler {
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "app"
			r.Out.Host = r.In.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came: what it means is the app's business
			forward(r)
		},
		// No connection serves twice: one kept open would go on asking the slot
		// that was active before.
		Transport: &http.Transport{
			DisableKeepAlives: true, DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				if c, ok := ctx.Value(upstream{}).(net.Conn); ok {
					return c, nil
				}
				return nil, errors.New("no connection to the app")
			},
		},
		FlushInterval: -1, ErrorLog: quiet,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			if r.Context().Err() == nil {
				sorry(w, http.StatusBadGateway, "The app broke off its answer.", "")
			}
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.closed(r.URL.Path) {
			f.maintenance(w)
			return
		}
		conn, slot, err := f.connect(r.Context())
		if err != nil {
			sorry(w, http.StatusServiceUnavailable, "The app is not running at the moment.", "5")
			return
		}
		defer f.leave(slot)
		defer conn.Close()
		reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), upstream{}, conn)))
	})
}

// forward tells the app who asks. What the request itself says of that is
// believed from this machine alone, where another proxy may stand before the
// front; anybody else could claim to be whoever they like.
func forward(r *httputil.ProxyRequest) {
	host, _, err := net.SplitHostPort(r.In.RemoteAddr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		r.SetXForwarded()
		return
	}
	r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	r.SetXForwarded()
	for _, name := range []string{"X-Forwarded-Proto", "X-Forwarded-Host"} {
		if said := r.In.Header.Get(name); said != "" {
			r.Out.Header.Set(name, said)
		}
	}
}

// connect finds a connection to the active slot. Nothing of the request is sent
// before there is one, so trying again is always safe: a slot that has just
// closed has a successor.
func (f *front) connect(ctx context.Context) (net.Conn, string, error) {
	for tries := 0; ; tries++ {
		if err := f.held(ctx); err != nil {
			return nil, "", err
		}
		slot, err := f.enter()
		if errors.Is(err, errStopped) {
			return nil, "", err
		}
		if err != nil && !errors.Is(err, errHeld) && tries >= connectTries {
			return nil, "", err
		}
		if err == nil {
			conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", filepath.Join(f.dir, "run", slot+".sock"))
			if err == nil {
				return conn, slot, nil
			}
			f.leave(slot)
			if tries >= connectTries || ctx.Err() != nil {
				return nil, "", err
			}
		}
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-time.After(time.Duration(1+tries) * 10 * time.Millisecond):
		}
	}
}

const connectTries = 8

var (
	errHeld    = errors.New("requests are held")
	errStopped = errors.New("somebody stopped the app")
)

// enter counts a request in, for the slot that is active. Counting and reading
// the link are one act: whoever asks for the counts after a swap knows of every
// request that went to the slot before it.
func (f *front) enter() (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holding() {
		return "", errHeld
	}
	if _, err := os.Stat(filepath.Join(f.dir, ".maitred", "stopped")); err == nil {
		return "", errStopped
	}
	to, err := os.Readlink(filepath.Join(f.dir, "run", "active.sock"))
	if err != nil {
		return "", err
	}
	slot := strings.TrimSuffix(filepath.Base(to), ".sock")
	f.busy[slot]++
	return slot, nil
}

func (f *front) leave(slot string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy[slot]--
}

// count answers maitred on run/front.sock: how many requests each slot has.
func (f *front) count(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(f.busy)
}

// holding reports that run/hold is there and its time is not over: should
// maitred die meanwhile, visitors do not wait for ever.
func (f *front) holding() bool {
	data, err := os.ReadFile(filepath.Join(f.dir, "run", "hold"))
	if err != nil {
		return false
	}
	until, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return err == nil && time.Now().UnixMilli() < until
}

// held waits while requests are held.
func (f *front) held(ctx context.Context) error {
	for f.holding() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// closed reports that visitors are to see the maintenance page at path. The
// health check passes.
func (f *front) closed(path string) bool {
	if _, err := os.Stat(filepath.Join(f.dir, "shared", "maintenance.on")); err != nil {
		return false
	}
	health, err := os.ReadFile(filepath.Join(f.dir, "run", "health"))
	return err != nil || path != strings.TrimSpace(string(health))
}

func (f *front) maintenance(w http.ResponseWriter) {
	page, err := os.ReadFile(filepath.Join(f.dir, "shared", "maintenance.html"))
	if err != nil {
		page = maintenancePage
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", "120")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write(page)
}

func sorry(w http.ResponseWriter, code int, say, retry string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if retry != "" {
		w.Header().Set("Retry-After", retry)
	}
	w.WriteHeader(code)
	_, _ = io.WriteString(w, say+"\n")
}

const slotLogCap = 10 << 20

// keepHouse keeps the logs of the slots from filling the disk: a log beyond its
// cap is kept as one older copy and emptied. What is printed in that moment may
// be lost.
func keepHouse(ctx context.Context, dir string) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil {
			return // the pattern is a constant
		}
		for _, log := range logs {
			if info, err := os.Stat(log); err == nil && info.Size() > slotLogCap {
				_ = rotate(log) // the next tick tries again
			}
		}
	}
}

func rotate(log string) error {
	from, err := os.Open(log)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(log+".1", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Close()); errors.Is(err, syscall.ENOSPC) {
		err = os.Remove(log + ".1")
	}
	return errors.Join(err, os.Truncate(log, 0))
}
