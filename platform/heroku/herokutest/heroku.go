// Package herokutest is a Heroku with one account in it: the Platform API and
// the data API on hosts of their own, the sites of the apps, log streams and the
// rendezvous of one-off dynos. It keeps state, refuses what Heroku refuses, and
// can be slow, refuse, answer nonsense or lose an answer after the effect.
//
// It knows nothing of the client library that maitred uses. That it is like the
// real one is shown by the real Heroku CLI, see conformance.
package herokutest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say what is unlike a usual account. The zero value is usual.
type Options struct {
	Key       string        // the only token that is taken; "test-key-1" when empty
	Takes     time.Duration // how long builds, transfers and the like take; 20 ms when zero
	Latency   time.Duration // of every answer
	Remaining int           // requests left in the bucket; 4500 when zero
	Page      int           // length of a page that nobody asked to be shorter; 200 when zero
	Dir       string        // where slugs are unpacked; a temporary directory when empty
}

// Heroku is the fake. Its methods may be called at any time from anywhere.
type Heroku struct {
	Key string

	opt        Options
	dir        string
	api, data  string // base URLs
	site       string
	rendezvous net.Listener
	pem        []byte
	servers    []*http.Server
	streams    sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // closed and renewed whenever anything changes
	closed   chan struct{}
	serial   int // of ids
	apps     map[string]*App
	outputs  map[string]*stream
	sources  map[string]*blob
	addons   []*Addon
	links    []*attachment
	pipes    []*pipeline
	sockets  map[string]*session // by secret
	logs     map[string]logSession
	left     int // requests in the rate bucket
	refills  time.Time
	faults   []*Fault
	storm    *storm
	requests []Request
	held     map[string]bool
	parked   map[string][]func()
	effects  map[string]int
}

// New starts a Heroku that ends with the test.
func New(t testing.TB, o Options) *Heroku {
	t.Helper()
	h, err := Start(o)
	if err != nil {
		t.Fatalf("start the fake Heroku: %v", err)
	}
	t.Cleanup(h.Close)
	return h
}

// Start starts a Heroku; Close ends it.
func Start(o Options) (*Heroku, error) {
	h := &Heroku{
		Key: "test-key-1", opt: o, dir: o.Dir, left: 4500, refills: time.Now(),
		changed: make(chan struct{}), closed: make(chan struct{}),
		apps: map[string]*App{}, outputs: map[string]*stream{}, sources: map[string]*blob{}, sockets: map[string]*session{}, logs: map[string]logSession{},
		held: map[string]bool{}, parked: map[string][]func(){}, effects: map[string]int{},
	}
	if o.Key != "" {
		h.Key = o.Key
	}
	if o.Takes == 0 {
		h.opt.Takes = 20 * time.Millisecond
	}
	if o.Page == 0 {
		h.opt.Page = 200
	}
	if o.Remaining > 0 {
		h.left = o.Remaining
	}
	if h.dir == "" {
		dir, err := os.MkdirTemp("", "herokutest")
		if err != nil {
			return nil, err
		}
		h.dir = dir
	}
	return h, h.listen()
}

// listen opens both APIs on one port of two loopback addresses, as the CLI wants
// it, or on two ports where there is only one such address.
func (h *Heroku) listen() error {
	api, data, err := pair()
	if err != nil {
		return err
	}
	site, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	certificate, pem, err := selfSigned()
	if err != nil {
		return err
	}
	h.pem = pem
	if h.rendezvous, err = tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}); err != nil {
		return err
	}
	h.api, h.data, h.site = "http://"+api.Addr().String(), "http://"+data.Addr().String(), "http://"+site.Addr().String()
	go h.meet()
	h.serve(api, h.front(h.platformRoutes(), "platform"))
	h.serve(data, h.front(h.dataRoutes(), "data"))
	h.serve(site, http.HandlerFunc(h.visit))
	return nil
}

func pair() (api, data net.Listener, err error) {
	for range 20 {
		if api, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, nil, err
		}
		_, port, _ := net.SplitHostPort(api.Addr().String())
		if data, err = net.Listen("tcp", "127.0.0.2:"+port); err == nil {
			return api, data, nil
		}
		if strings.Contains(err.Error(), "assign requested address") {
			data, err = net.Listen("tcp", "127.0.0.1:0")
			return api, data, err
		}
		err = errors.Join(err, api.Close())
	}
	return nil, nil, fmt.Errorf("no port is free on both addresses: %w", err)
}

func (h *Heroku) serve(l net.Listener, handler http.Handler) {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	h.servers = append(h.servers, s)
	go func() { _ = s.Serve(l) }()
}

// Close ends everything, and removes what was unpacked.
func (h *Heroku) Close() {
	h.mu.Lock()
	if h.isClosed() {
		h.mu.Unlock()
		return
	}
	close(h.closed)
	for _, s := range h.sockets {
		s.end()
	}
	h.mu.Unlock()
	for _, s := range h.servers {
		_ = s.Close()
	}
	_ = h.rendezvous.Close()
	h.streams.Wait()
	_ = os.RemoveAll(h.dir)
}

// API is the address of the Platform API, without a slash at its end.
func (h *Heroku) API() string { return h.api }

// Data is the address of the data API, without a slash at its end.
func (h *Heroku) Data() string { return h.data }

// Site is where visitors find an app.
func (h *Heroku) Site(app string) string { return h.site + "/" + app + "/" }

// CA is the certificate, in PEM, that the rendezvous server shows.
func (h *Heroku) CA() []byte { return h.pem }

// tell wakes everybody who waits for a change. The lock is held.
func (h *Heroku) tell() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// id makes ids that are uuids and sort by age. The lock is held.
func (h *Heroku) id() string {
	h.serial++
	return fmt.Sprintf("%08x-89ab-4def-8123-456789abcdef", h.serial)
}
