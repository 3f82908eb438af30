// Package engine carries operations out: it passes them through the gates,
// keeps their line, waits for approvals, and walks their plans step by step so
// that a crash at any moment loses nothing and repeats nothing that must not be
// repeated. It is the only room that changes the world, and it knows nothing of
// chats: whoever wants to follow an operation reads its row and its events.
package engine

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// Config is what an Engine needs. Store, Providers, Policy, Replica and one of
// SQLite and Pool are required; the durable queue lives in that database.
type Config struct {
	Store     Store
	Providers func(platform.Target) (platform.Provider, error)
	Policy    Policy
	Rules     Rules
	// Resolve finds the commit of a ref again, right before the start of what
	// was approved. Nil never looks again.
	Resolve func(ctx context.Context, t platform.Target, ref string) (platform.Source, error)
	// Redact returns what takes the secrets of a target out of a text. When it
	// fails, output is withheld. Nil leaves texts as they are.
	Redact func(ctx context.Context, t platform.Target) (func(string) string, error)
	Gates  []Gate // asked after the engine's own

	SQLite  *sql.DB
	Pool    *pgxpool.Pool
	Replica string // stable over restarts; "local" when empty

	Timeout time.Duration // of a step whose action names none; 15 minutes when zero
	Grace   time.Duration // how long a step may take to end once it was told to; 10 s when zero
	Retry   time.Duration // the pause before an unreachable platform is tried again, longer each time; 500 ms when zero
	Lease   time.Duration // of a replica; 10 s when zero
	Retain  time.Duration // how long ended operations are kept; 90 days when zero, for ever when negative
	Now     func() time.Time
	Log     *zap.Logger
	Metrics prometheus.Registerer
}

// Policy is what the engine asks about people. It fails closed.
type Policy interface {
	// May is nil, or a fault of kind Forbidden that names who may.
	May(who chat.Person, verb string, t platform.Target) error
	// Roles are the role names that who holds.
	Roles(who chat.Person) []string
	// Holders are the configured people who hold any of roles.
	Holders(inChat string, roles ...string) []chat.Person
}

// Engine carries operations out. It is safe for concurrent use.
type Engine struct {
	Config
	rules   atomic.Pointer[Rules]
	queue   *queue
	boot    string
	metrics *metrics

	mu       sync.Mutex
	runners  map[int64]*runner               // at work in this process
	lines    map[platform.Target]*sync.Mutex // one walk along a line at a time
	stopping atomic.Bool
	renewed  atomic.Int64  // when the lease was last renewed, in Unix nanoseconds
	started  chan struct{} // closed when Run takes work
	stopped  chan struct{} // closed when nothing may be written any more
	wake     chan struct{} // the sweeper looks at once
	work     sync.WaitGroup
	lineWork sync.WaitGroup       // the sweeper's walks along lines
	orphans  map[handed]time.Time // the sweeper's: walked by nobody, and since when
}

// New returns an Engine whose durable queue is ready to take work. Submit and
// all reads work from now on; nothing runs before Run.
func New(c Config) (*Engine, error) {
	if c.Store == nil || c.Providers == nil || c.Policy == nil {
		return nil, errors.New("engine: Store, Providers and Policy are required")
	}
	if (c.SQLite == nil) == (c.Pool == nil) {
		return nil, errors.New("engine: exactly one of SQLite and Pool is required")
	}
	if c.Replica == "" {
		c.Replica = "local"
	}
	c.Timeout = orDefault(c.Timeout, 15*time.Minute)
	c.Grace = orDefault(c.Grace, 10*time.Second)
	c.Retry = orDefault(c.Retry, 500*time.Millisecond)
	c.Lease = orDefault(c.Lease, 10*time.Second)
	c.Retain = orDefault(c.Retain, 90*24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	e := &Engine{
		Config:  c,
		boot:    newBoot(),
		metrics: newMetrics(c.Metrics),
		runners: map[int64]*runner{},
		lines:   map[platform.Target]*sync.Mutex{},
		started: make(chan struct{}),
		stopped: make(chan struct{}),
		wake:    make(chan struct{}, 1),
	}
	e.SetRules(c.Rules)
	q, err := openQueue(c, e.operate)
	if err != nil {
		return nil, err
	}
	e.queue = q
	return e, nil
}

// SetRules swaps the approval rules, windows and protected targets at once.
// Operations that wait are judged by the new rules when they would start.
func (e *Engine) SetRules(r Rules) { e.rules.Store(&r) }

// Run takes up what an earlier run of this replica left, and works until ctx
// ends or the replica has lost its lease, which is an error: the process must
// exit then, because another replica carries on with its work. When ctx ends,
// steps that run are told to stop and are resumed by the next start. Run is
// called once; Close comes after it.
func (e *Engine) Run(ctx context.Context) error {
	lost := make(chan error, 1)
	if err := e.beat(ctx); err != nil {
		return ended(ctx, err)
	}
	if err := e.resume(ctx); err != nil {
		return ended(ctx, err)
	}
	if err := e.queue.launch(); err != nil {
		return ended(ctx, err)
	}
	close(e.started)
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { e.heartbeat(loops, lost) })
	wg.Go(func() { e.sweep(loops) })
	if e.Pool != nil { // on SQLite there is nobody else
		wg.Go(func() { e.inherit(loops) })
	}
	var err error
	select {
	case <-ctx.Done():
		e.halt(platform.ErrStopping)
	case err = <-lost:
		e.halt(errLost)
	}
	stop()
	wg.Wait()
	e.leave(err == nil)
	return err
}

// Close ends the durable queue. On SQLite that closes the handle it was given,
// so it comes after everything else that writes, right before the store's own
// Close.
func (e *Engine) Close() error {
	e.halt(platform.ErrStopping)
	return e.queue.close()
}

// halt tells every step to stop and waits until they have, or the grace is over.
func (e *Engine) halt(cause error) {
	if e.stopping.Swap(true) {
		return
	}
	e.mu.Lock()
	for _, r := range e.runners {
		r.stop(cause)
	}
	e.mu.Unlock()
	done := make(chan struct{})
	go func() { e.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(e.Grace + e.Grace/2):
		e.Log.Warn("steps did not stop in time")
	}
	close(e.stopped)
}

// ended is nil when err only says that ctx did.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// now is the time as the store keeps it.
func (e *Engine) now() time.Time { return e.Now().UTC().Truncate(time.Millisecond) }

// provider is the platform behind t.
func (e *Engine) provider(t platform.Target) (platform.Provider, error) {
	p, err := e.Providers(t)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, fault.New(fault.Missing, "engine.provider", "/apps", "%s has no platform.", t)
	}
	return p, nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
