// Package bot is the one door of maitred. Whatever asks for something, a typed
// line, a button, a form, a clock or a caller over HTTP, becomes a chat.Inbound
// and passes the same steps: commit, acknowledge, understand, allow, carry out,
// audit, answer. What was committed survives a crash; see takeover.go for what
// becomes of it.
package bot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
)

// Registry understands lines and carries them out; package commands has it.
type Registry interface {
	Parse(line string) (*commands.Order, error)
	Aim(ctx context.Context, c commands.Call, o *commands.Order) (commands.Target, error)
	Run(ctx context.Context, c commands.Call, o *commands.Order) (commands.Answer, error)
	Complete(ctx context.Context, c commands.Call, line string) []chat.Completion
	Home(ctx context.Context, c commands.Call) ([]chat.Card, error)
	// Sensitive is line as it may be stored: without values that somebody typed
	// where they do not belong.
	Sensitive(line string) string
}

// Seal closes a secret before it is stored.
type Seal interface {
	Seal(plain []byte) ([]byte, error)
}

// Config is what a Bot needs. Store, Registry and Policy are required; Seal is
// when forms ask for secrets.
type Config struct {
	Store    Store
	Registry Registry
	Policy   *Policy
	Seal     Seal
	Senders  map[string]chat.Sender // by chat
	// Redact takes maitred's own secrets out of whatever leaves: cards, audit.
	// Nil leaves texts as they are.
	Redact func(string) string
	// Subject finds the operation that the thread at a place is about.
	Subject func(ctx context.Context, at chat.Place) (int64, bool)

	Replica  string        // stable over restarts; "local" when empty
	Workers  int           // lines that are worked on at once; 64 when zero
	Lease    time.Duration // on what was heard; 15 s when zero
	Patience time.Duration // how long one line may take; 2 minutes when zero
	Now      func() time.Time
	Log      *zap.Logger
	Metrics  prometheus.Registerer
}

// Bot is the door. It is safe for concurrent use.
type Bot struct {
	Config
	metrics *metrics
	pool    *pool
	done    bell
	telling telling

	base context.Context // of the work; ends when Run has waited long enough
	end  context.CancelCauseFunc

	mu      sync.Mutex
	closed  bool
	working map[string]bool // keys
}

var _ chat.Door = (*Bot)(nil)

// errStopping is why work ends unfinished; the next start takes it up.
var errStopping = errors.New("maitred is stopping")

// New returns a Bot that hears and works at once. Run keeps its leases and takes
// up what an earlier run left.
func New(c Config) *Bot {
	if c.Replica == "" {
		c.Replica = "local"
	}
	if c.Workers == 0 {
		c.Workers = 64
	}
	if c.Lease == 0 {
		c.Lease = 15 * time.Second
	}
	if c.Patience == 0 {
		c.Patience = 2 * time.Minute
	}
	if c.Redact == nil {
		c.Redact = func(s string) string { return s }
	}
	if c.Subject == nil {
		c.Subject = func(context.Context, chat.Place) (int64, bool) { return 0, false }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	b := &Bot{Config: c, pool: newPool(c.Workers), working: map[string]bool{}}
	b.metrics = newMetrics(c.Metrics, b.pool.waiting)
	b.base, b.end = context.WithCancelCause(context.Background())
	return b
}

// Receive commits in, or finds that its key is known, and acknowledges. Idle
// talk is acknowledged without a trace. An error means that nothing was stored:
// the chat may say it again.
func (b *Bot) Receive(ctx context.Context, in chat.Inbound) (chat.Ack, error) {
	began := time.Now()
	in, ok := b.prepare(in)
	if !ok {
		return chat.Ack{}, nil
	}
	if in.Key == "" {
		return chat.Ack{}, fault.New(fault.Invalid, "bot.receive", "", "A line without a key cannot be received.")
	}
	if b.stopped() {
		return chat.Ack{}, fault.New(fault.Unreachable, "bot.receive", "Say it again in a moment.", "maitred is being restarted.")
	}
	in, sealed, err := b.seal(in)
	if err != nil {
		return chat.Ack{}, err
	}
	known, err := b.Store.Hear(ctx, in, sealed, b.Replica, b.Lease)
	if err != nil {
		b.metrics.lost.Inc()
		return chat.Ack{}, fmt.Errorf("hear: %w", err)
	}
	b.metrics.acked.Observe(time.Since(began).Seconds())
	if !known {
		b.take(Heard{In: in}, b.carryOut)
	}
	return chat.Ack{Known: known}, nil
}

// prepare makes in what is stored: the person identified, the line as it was
// meant and without what must not be kept. It is false for idle talk.
func (b *Bot) prepare(in chat.Inbound) (chat.Inbound, bool) {
	line, ok := Addressed(in)
	if !ok {
		return in, false
	}
	in.Line = b.Registry.Sensitive(line)
	in.Person = b.Policy.Know(in.Person)
	if in.At.IsZero() {
		in.At = b.Now()
	}
	return in, true
}

// seal replaces the plain secrets of in by handles.
func (b *Bot) seal(in chat.Inbound) (chat.Inbound, map[string][]byte, error) {
	if len(in.Secrets) == 0 {
		return in, nil, nil
	}
	if b.Seal == nil {
		return in, nil, fault.New(fault.Internal, "bot.seal", "", "maitred has no key to keep a secret with.")
	}
	fields := maps.Clone(in.Fields)
	if fields == nil {
		fields = map[string]string{}
	}
	sealed := map[string][]byte{}
	for name, plain := range in.Secrets {
		box, err := b.Seal.Seal([]byte(plain))
		if err != nil {
			return in, nil, &fault.Error{Kind: fault.Internal, Op: "bot.seal", Say: "The secret could not be sealed, so it was not kept.", Err: err}
		}
		handle := "secret-" + rand.Text()
		fields[name], sealed[handle] = handle, box
	}
	in.Fields, in.Secrets = fields, nil
	return in, sealed, nil
}

// Complete suggests how who could finish line at the place.
func (b *Bot) Complete(ctx context.Context, who chat.Person, at chat.Place, line string) (found []chat.Completion) {
	who = b.Policy.Know(who)
	if who.Who == "" || who.Guest {
		return nil
	}
	defer func() {
		if r := recover(); r != nil {
			b.Log.Error("completion panicked", zap.Any("panic", r), zap.Stack("stack"))
			found = nil
		}
	}()
	call := commands.Call{Person: who, Place: at, Source: chat.Typed, Now: b.Now()}
	if at.Thread != "" {
		call.Subject, _ = b.Subject(ctx, at)
	}
	return b.Registry.Complete(ctx, call, line)
}

// Wait returns the row of key once it is answered, or ctx's error. Faults:
// Missing when nothing was heard under the key.
func (b *Bot) Wait(ctx context.Context, key string) (Heard, error) {
	rung, cancel := b.done.listen(key)
	defer cancel()
	poll := time.NewTicker(500 * time.Millisecond) // another replica may answer
	defer poll.Stop()
	for {
		h, err := b.Store.Heard(ctx, key)
		if err != nil || h.Done {
			return h, err
		}
		select {
		case <-rung:
		case <-poll.C:
		case <-ctx.Done():
			return h, context.Cause(ctx)
		}
	}
}

// Run takes up what nobody works on any more, keeps the leases of what is worked
// on, and ends with ctx once the work in hand is finished or has had ten seconds;
// the next start goes on with the rest.
func (b *Bot) Run(ctx context.Context) error {
	tick := time.NewTicker(b.Lease / 3)
	defer tick.Stop()
	for {
		b.takeOver(ctx)
		select {
		case <-ctx.Done():
			b.stop()
			return nil
		case <-tick.C:
		}
		if err := b.Store.Renew(ctx, b.Replica, b.Lease); err != nil && ctx.Err() == nil {
			b.Log.Warn("leases not renewed", zap.Error(err))
		}
	}
}

func (b *Bot) stop() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	grace := time.AfterFunc(10*time.Second, func() { b.end(errStopping) })
	defer grace.Stop()
	b.pool.wait()
	b.end(errStopping)
	b.storeTold()
}

func (b *Bot) stopped() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// take hands h to a worker, unless one has it.
func (b *Bot) take(h Heard, work func(context.Context, Heard)) {
	key := h.In.Key
	b.mu.Lock()
	twice := b.working[key]
	b.working[key] = true
	b.mu.Unlock()
	if twice {
		return
	}
	b.pool.put(func() {
		defer func() {
			b.mu.Lock()
			delete(b.working, key)
			b.mu.Unlock()
			b.done.ring(key)
		}()
		if b.base.Err() != nil {
			return
		}
		ctx, cancel := context.WithTimeoutCause(b.base, b.Patience, errTooLong)
		defer cancel()
		work(ctx, h)
	})
}
