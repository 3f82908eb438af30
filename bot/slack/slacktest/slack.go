// Package slacktest is a Slack with one workspace and one app in it: the Web
// API, Socket Mode, signed requests, and people who type, click and submit. It
// keeps state, refuses what Slack refuses, and has the habits that hurt: it
// drops large acknowledgements, leaves TCP open after a close, never repeats a
// click, and spreads what it sends over all connections, dead ones included.
//
// It knows nothing of the client library that maitred uses. What it sends is
// checked against Slack's published samples and by the official @slack/bolt,
// see conformance.
package slacktest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say what is unlike a usual workspace. The zero value is usual.
type Options struct {
	Addr      string          // where to listen; a free loopback port when empty
	Scopes    []string        // the bot's; AllScopes when empty
	Commands  []string        // slash commands the app declares; any when empty
	AckWithin time.Duration   // how long Slack waits for an acknowledgement; 3 s when zero
	Retries   []time.Duration // after a failed event: at once, a minute, five minutes
	PingEvery time.Duration   // of Socket Mode; 10 s when zero
	Linger    time.Duration   // how long TCP stays open after the close; a minute when zero
	Grace     time.Duration   // between refresh_requested and the close; 2 s when zero
	Seed      uint64          // which connection gets what
	Wrong     []string        // deliberate mistakes, see Mistakes
}

// Slack is the fake. Its methods may be called at any time from anywhere.
type Slack struct {
	SigningSecret string
	BotToken      string
	AppToken      string
	TeamID        string
	AppID         string
	BotID         string
	BotUserID     string

	opt    Options
	wrong  map[string]bool
	base   string
	server *http.Server
	client *http.Client
	ctx    context.Context
	stop   context.CancelFunc
	tasks  sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // closed and renewed whenever anything changes
	offset   time.Duration // the clock is ahead by
	random   *rand.Rand
	serial   int64
	lastTS   int64
	version  int
	users    map[string]*User
	groups   map[string]*Group
	channels map[string]*Channel
	messages []*Message
	byTS     map[string]*Message // by channel and ts
	views    map[string]*View
	homes    map[string]*View
	files    []*File
	triggers map[string]*trigger
	answers  map[string]*answerURL
	tickets  map[string]bool
	conns    []*conn
	ghosts   int
	where    Endpoints
	calls    []Call
	sent     []*Delivery
	controls controls
	refusals []string
}

// New starts a Slack that ends with the test.
func New(t testing.TB, opts ...Options) *Slack {
	t.Helper()
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	s, err := Start(o)
	if err != nil {
		t.Fatalf("start the fake Slack: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// Start starts a Slack that ends with Close.
func Start(o Options) (*Slack, error) {
	o.fill()
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Slack{
		SigningSecret: "8f742231b10e8888abcd99yyyzzz85a5",
		BotToken:      "xoxb-" + "1234567890-0987654321-slacktest",
		AppToken:      "xapp-" + "1-A0MAITRED-1234567890-slacktest",
		TeamID:        "T0TEAM", AppID: "A0MAITRED", BotID: "B0MAITRED", BotUserID: "U0MAITRED",
		opt: o, wrong: map[string]bool{}, base: "http://" + l.Addr().String(), ctx: ctx, stop: stop,
		changed: make(chan struct{}), random: rand.New(rand.NewPCG(o.Seed, 7)),
		users: map[string]*User{}, groups: map[string]*Group{}, channels: map[string]*Channel{},
		views: map[string]*View{}, homes: map[string]*View{}, byTS: map[string]*Message{},
		triggers: map[string]*trigger{}, answers: map[string]*answerURL{}, tickets: map[string]bool{},
		controls: newControls(o.Scopes),
	}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	for _, w := range o.Wrong {
		s.wrong[w] = true
	}
	s.users[s.BotUserID] = &User{ID: s.BotUserID, Name: "maitred", TeamID: s.TeamID, Bot: true, Zone: "Etc/UTC"}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", s.api)
	mux.HandleFunc("/link/", s.link)
	mux.HandleFunc("/upload/", s.upload)
	mux.HandleFunc("/respond/", s.respond)
	s.server = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go s.server.Serve(l) //nolint:errcheck // ends with Close
	return s, nil
}

func (o *Options) fill() {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Scopes == nil {
		o.Scopes = AllScopes()
	}
	if o.Retries == nil {
		o.Retries = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	for _, d := range []struct {
		at    *time.Duration
		usual time.Duration
	}{{&o.AckWithin, 3 * time.Second}, {&o.PingEvery, 10 * time.Second}, {&o.Linger, time.Minute}, {&o.Grace, 2 * time.Second}} {
		if *d.at == 0 {
			*d.at = d.usual
		}
	}
}

// URL is where the Web API is, with the slash at its end.
func (s *Slack) URL() string { return s.base + "/api/" }

// Close ends everything, open connections included.
func (s *Slack) Close() {
	s.stop()
	s.mu.Lock()
	conns := s.conns
	s.mu.Unlock()
	for _, c := range conns {
		c.kill()
	}
	s.server.Close()
	s.client.CloseIdleConnections()
	s.tasks.Wait()
}

// Now is Slack's time.
func (s *Slack) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now()
}

func (s *Slack) now() time.Time { return time.Now().Add(s.offset) }

// Advance lets d pass for Slack: triggers and response URLs expire, late
// retries come.
func (s *Slack) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offset += d
	s.bump()
}

// bump tells who waits that something changed. The lock is held.
func (s *Slack) bump() {
	s.version++
	close(s.changed)
	s.changed = make(chan struct{})
}

// Wait returns when ok says so, which is asked after every change, or with an
// error when ctx ends.
func (s *Slack) Wait(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("what was waited for in Slack did not happen: %w", context.Cause(ctx))
		}
	}
}

// sleep returns when Slack's clock has gone on by d, or false when it ends.
func (s *Slack) sleep(d time.Duration) bool {
	due := s.Now().Add(d)
	for {
		s.mu.Lock()
		left, changed := due.Sub(s.now()), s.changed
		s.mu.Unlock()
		if left <= 0 {
			return s.ctx.Err() == nil
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-changed:
		case <-s.ctx.Done():
			t.Stop()
			return false
		}
		t.Stop()
	}
}

// id makes an id that was not used before. The lock is held.
func (s *Slack) id(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s0%07d", prefix, s.serial)
}

// ts makes a message's name: the time, and never the same twice. The lock is held.
func (s *Slack) ts() string {
	now := s.now().UnixMicro()
	if now <= s.lastTS {
		now = s.lastTS + 1
	}
	s.lastTS = now
	return fmt.Sprintf("%d.%06d", now/1e6, now%1e6)
}

func (s *Slack) spawn(f func()) {
	s.tasks.Add(1)
	go func() {
		defer s.tasks.Done()
		f()
	}()
}

// upper makes the readable part of an id.
func upper(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}
