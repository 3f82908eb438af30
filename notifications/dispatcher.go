package notifications

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// Dispatcher posts and edits until what the chats show equals what is stored.
// Channels do not wait for each other; within one, messages keep their order.
type Dispatcher struct {
	outbox    Outbox
	senders   map[string]chat.Sender
	renderers map[string]Renderer
	replica   string
	log       *zap.Logger

	// Redact passes every card before it leaves. Nil leaves cards as they are.
	Redact func(string) string
	// Limits are how long things take; New fills them in.
	Limits Limits

	mu     sync.Mutex
	lanes  map[chat.Place]*lane
	held   int // claimed rows that nobody has shown yet
	edited map[int64]look
	work   sync.WaitGroup
}

// Limits are the times of a Dispatcher.
type Limits struct {
	Lease  time.Duration // on claimed rows
	Send   time.Duration // one call of a chat; less than Lease
	Poll   time.Duration // how long to look away when nothing wakes
	Gather time.Duration // how long changes come together before the outbox is read
	Pace   time.Duration // between edits of one message, where the chat does not say
	Retry  time.Duration // before the second attempt; doubled after each
	Most   time.Duration // between attempts at most
}

// look is what a message was made to look like, and when.
type look struct {
	hash uint64
	at   time.Time
}

// holding is how many claimed rows are held at most; above it nothing is claimed.
const holding = 512

// patience is how often a row that fails for a reason other than an unreachable
// chat is tried before it is dropped.
const patience = 20

// NewDispatcher returns a Dispatcher. Senders are by chat, renderers by kind of
// subject.
func NewDispatcher(outbox Outbox, senders map[string]chat.Sender, renderers map[string]Renderer, replica string, log *zap.Logger) *Dispatcher {
	if log == nil {
		log = zap.NewNop()
	}
	return &Dispatcher{
		outbox: outbox, senders: senders, renderers: renderers, replica: replica, log: log,
		Limits: Limits{
			Lease: 10 * time.Second, Send: 8 * time.Second, Poll: 250 * time.Millisecond,
			Gather: 15 * time.Millisecond, Pace: 100 * time.Millisecond, Retry: time.Second, Most: 5 * time.Minute,
		},
		lanes: map[chat.Place]*lane{}, edited: map[int64]look{},
	}
}

// Run shows what is due until ctx ends; calls in hand are finished first.
func (d *Dispatcher) Run(ctx context.Context) error {
	poll := time.NewTicker(d.Limits.Poll)
	defer poll.Stop()
	for {
		if more := d.claim(ctx); more {
			continue
		}
		select {
		case <-ctx.Done():
			d.work.Wait()
			return nil
		case <-d.outbox.Changed():
			d.gather(ctx)
		case <-poll.C:
		}
	}
}

// gather lets changes come together for a moment, so that a busy store is asked
// once for many of them.
func (d *Dispatcher) gather(ctx context.Context) {
	timer := time.NewTimer(d.Limits.Gather)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// claim hands what is due to the lanes, and reports whether there may be more.
func (d *Dispatcher) claim(ctx context.Context) (more bool) {
	d.mu.Lock()
	room := holding - d.held
	d.mu.Unlock()
	if room <= 0 || ctx.Err() != nil {
		return false
	}
	most := min(room, 64)
	until := time.Now().Add(d.Limits.Lease)
	due, err := d.outbox.Claim(ctx, d.replica, d.Limits.Lease, most)
	if err != nil {
		if ctx.Err() == nil {
			d.log.Warn("outbox not read", zap.Error(err))
		}
		return false
	}
	for _, row := range due {
		d.put(ctx, claimed{Due: row, until: until})
	}
	return len(due) == most
}

// claimed is a row that is ours until its lease ends.
type claimed struct {
	Due
	until time.Time
}

// lane is the rows of one channel, which are shown one after the other.
type lane struct{ rows []claimed }

func (d *Dispatcher) put(ctx context.Context, row claimed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held++
	d.enter(ctx, row)
}

// enter puts a row at the end of its lane. The caller holds mu.
func (d *Dispatcher) enter(ctx context.Context, row claimed) {
	top := row.Place.Top()
	l := d.lanes[top]
	if l == nil {
		l = new(lane)
		d.lanes[top] = l
		d.work.Go(func() { d.walk(ctx, top, l) })
	}
	l.rows = append(l.rows, row)
}

// walk shows the rows of a lane until none is left. A row whose message was
// edited a moment ago steps aside until its time has come.
func (d *Dispatcher) walk(ctx context.Context, top chat.Place, l *lane) {
	for {
		d.mu.Lock()
		if len(l.rows) == 0 {
			delete(d.lanes, top)
			d.mu.Unlock()
			return
		}
		row := l.rows[0]
		l.rows = l.rows[1:]
		wait := d.early(row)
		if wait <= 0 {
			d.mu.Unlock()
			d.show(ctx, row)
			d.release()
			continue
		}
		d.work.Go(func() { d.stepAside(ctx, row, wait) })
		d.mu.Unlock()
	}
}

func (d *Dispatcher) release() {
	d.mu.Lock()
	d.held--
	d.mu.Unlock()
}

// early is how long the message of row is to be left alone. The caller holds mu.
func (d *Dispatcher) early(row claimed) time.Duration {
	if row.Message == nil {
		return 0
	}
	pace := d.Limits.Pace
	if p, ok := d.senders[row.Place.Chat].(chat.Pacer); ok {
		pace = p.Pace()
	}
	wait := pace - time.Since(d.edited[row.ID].at)
	return min(wait, time.Until(row.until)-d.Limits.Send)
}

func (d *Dispatcher) stepAside(ctx context.Context, row claimed, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.enter(ctx, row)
}

// show brings one row up to date. A row that waited until its lease was nearly
// over is left for the next claim, and one that is in hand when maitred stops is
// given back for the next start.
func (d *Dispatcher) show(ctx context.Context, row claimed) {
	if time.Until(row.until) < d.Limits.Send/2 {
		return
	}
	stopped := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if stopped {
		if err := d.outbox.Later(ctx, row.Due, time.Now(), "maitred was stopped"); err != nil {
			d.log.Warn("message not given back", zap.Int64("row", row.ID), zap.Error(err))
		}
		return
	}
	ctx, cancel := context.WithTimeoutCause(ctx, min(d.Limits.Send, time.Until(row.until)), errSlow)
	defer cancel()
	if err := d.try(ctx, row.Due); err != nil {
		d.failed(row.Due, err)
	}
}

var errSlow = errors.New("the chat took too long to answer")

// try renders a row and posts or edits it. A panic of a renderer or a chat is a
// failure of this row alone.
func (d *Dispatcher) try(ctx context.Context, row Due) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	sender := d.senders[row.Place.Chat]
	if sender == nil {
		return fault.New(fault.Missing, "notifications.show", "", "There is no chat called %q.", row.Place.Chat)
	}
	renderer := d.renderers[row.Subject.Kind]
	if renderer == nil {
		return fault.New(fault.Missing, "notifications.show", "", "Nobody knows how to show a %q.", row.Subject.Kind)
	}
	card, version, err := renderer.Render(ctx, row.Subject)
	if err != nil {
		return fmt.Errorf("render %s %d: %w", row.Subject.Kind, row.Subject.ID, err)
	}
	if d.Redact != nil {
		card = card.Map(d.Redact)
	}
	version = max(version, row.Version) // rendered after the claim, so at least what was wanted then
	if row.Message == nil {
		return d.post(ctx, sender, row, card, version)
	}
	return d.edit(ctx, sender, row, card, version)
}

func (d *Dispatcher) post(ctx context.Context, sender chat.Sender, row Due, card chat.Card, version int64) error {
	at := row.Place
	if row.Parent != nil {
		root, found, err := d.outbox.MessageOf(ctx, *row.Parent)
		if err != nil {
			return fmt.Errorf("find thread: %w", err)
		}
		if !found {
			return fault.New(fault.Unreachable, "notifications.post", "", "The thread is not there yet.")
		}
		at = root.InThread()
	}
	if f, ok := sender.(chat.Finder); ok && row.Posting {
		ref, found, err := f.Find(ctx, at, row.Key())
		if err != nil {
			return fmt.Errorf("find post: %w", err)
		}
		if found { // as it looked then, which is not how it looks now
			row.Message = &ref
			return d.edit(ctx, sender, row, card, version)
		}
	}
	if err := d.outbox.Begin(ctx, row); err != nil {
		return fmt.Errorf("begin post: %w", err)
	}
	ref, err := sender.Post(ctx, at, card, row.Key())
	if err != nil {
		return fmt.Errorf("post: %w", err)
	}
	d.remember(row.ID, card)
	return d.outbox.Shown(context.WithoutCancel(ctx), row, version, ref)
}

func (d *Dispatcher) edit(ctx context.Context, sender chat.Sender, row Due, card chat.Card, version int64) error {
	card.Mention, card.Channel = nil, false // an edit notifies nobody, so it names nobody
	if !d.looks(row.ID, card) {
		if err := sender.Edit(ctx, *row.Message, card); err != nil {
			return fmt.Errorf("edit: %w", err)
		}
		d.remember(row.ID, card)
	}
	return d.outbox.Shown(context.WithoutCancel(ctx), row, version, *row.Message)
}

// failed gives a row back, or drops it when it can never be shown.
func (d *Dispatcher) failed(row Due, err error) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), d.Limits.Send, errSlow)
	defer cancel()
	fields := []zap.Field{zap.String("subject", row.Subject.Kind), zap.Int64("id", row.Subject.ID), zap.String("chat", row.Place.Chat),
		zap.String("channel", row.Place.Channel), zap.Int("attempts", row.Attempts+1), zap.Error(err)}
	d.forget(row.ID)
	if fault.Is(err, fault.Missing) || row.Attempts >= patience && !fault.Is(err, fault.Unreachable) {
		d.log.Warn("message dropped", fields...)
		if err := d.outbox.Drop(ctx, row, err.Error()); err != nil {
			d.log.Error("message not dropped", append(fields, zap.NamedError("cause", err))...)
		}
		return
	}
	wait := chat.Patience(err) // a chat that says when is taken at its word
	if wait > 0 {
		d.log.Debug("message in line", append(fields, zap.Duration("wait", wait))...)
	} else {
		d.log.Warn("message not shown yet", fields...)
		wait = d.backoff(row.Attempts)
	}
	if err := d.outbox.Later(ctx, row, time.Now().Add(wait), err.Error()); err != nil {
		d.log.Error("message not given back", append(fields, zap.NamedError("cause", err))...)
	}
}

func (d *Dispatcher) backoff(attempts int) time.Duration {
	wait := d.Limits.Retry
	for range attempts {
		if wait = 2 * wait; wait >= d.Limits.Most {
			return d.Limits.Most
		}
	}
	return wait
}

// remember and looks keep edits that would change nothing from being sent:
// requests are due again whenever their operation changes.
func (d *Dispatcher) remember(id int64, card chat.Card) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.edited) > 4096 {
		clear(d.edited)
	}
	d.edited[id] = look{hash: hashOf(card), at: time.Now()}
}

func (d *Dispatcher) looks(id int64, card chat.Card) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, known := d.edited[id]
	return known && l.hash == hashOf(card)
}

func (d *Dispatcher) forget(id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.edited, id)
}

var seed = maphash.MakeSeed()

// hashOf is of what stays visible: whom a post mentions does not count.
func hashOf(card chat.Card) uint64 {
	card.Mention, card.Channel = nil, false
	body, err := json.Marshal(card)
	if err != nil {
		panic(fmt.Sprintf("notifications: a card does not marshal: %v", err)) // it has strings and numbers only
	}
	return maphash.Bytes(seed, body)
}
