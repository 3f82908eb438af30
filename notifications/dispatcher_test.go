package notifications

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
)

// box is an Outbox in memory.
type box struct {
	mu      sync.Mutex
	rows    map[int64]*boxed
	changed chan struct{}
}

type boxed struct {
	Due
	leased    time.Time
	notBefore time.Time
	dropped   string
	begun     int
}

func newBox() *box { return &box{rows: map[int64]*boxed{}, changed: make(chan struct{}, 1)} }

func (b *box) want(d Due) {
	b.mu.Lock()
	if old := b.rows[d.ID]; old != nil {
		old.Version = max(old.Version, d.Version)
	} else {
		b.rows[d.ID] = &boxed{Due: d}
	}
	b.mu.Unlock()
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

func (b *box) Claim(_ context.Context, _ string, lease time.Duration, limit int) ([]Due, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	var due []Due
	for _, r := range b.rows {
		if r.dropped != "" || r.Version <= r.Shown || now.Before(r.notBefore) || now.Before(r.leased) || len(due) == limit {
			continue
		}
		if r.Parent != nil && b.message(*r.Parent) == nil {
			continue
		}
		r.leased = now.Add(lease)
		due = append(due, r.Due)
	}
	slices.SortFunc(due, func(x, y Due) int { return cmp.Compare(x.ID, y.ID) })
	return due, nil
}

func (b *box) message(s Subject) *chat.MessageRef {
	for _, r := range b.rows {
		if r.Subject == s {
			return r.Message
		}
	}
	return nil
}

func (b *box) Begin(_ context.Context, d Due) error {
	return b.change(d, func(r *boxed) { r.Posting = true; r.begun++ })
}

func (b *box) Shown(_ context.Context, d Due, version int64, ref chat.MessageRef) error {
	return b.change(d, func(r *boxed) { r.Shown, r.Message, r.Posting, r.Attempts = version, &ref, false, 0 })
}

func (b *box) Later(_ context.Context, d Due, t time.Time, _ string) error {
	return b.change(d, func(r *boxed) { r.notBefore = t; r.Attempts++ })
}

func (b *box) Drop(_ context.Context, d Due, why string) error {
	return b.change(d, func(r *boxed) { r.dropped = why })
}

func (b *box) change(d Due, f func(*boxed)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b.rows[d.ID])
	b.rows[d.ID].leased = time.Time{}
	return nil
}

func (b *box) MessageOf(_ context.Context, s Subject) (chat.MessageRef, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ref := b.message(s)
	if ref == nil {
		return chat.MessageRef{}, false, nil
	}
	return *ref, true, nil
}

func (b *box) SubjectOf(context.Context, chat.Place) (Subject, bool, error) {
	return Subject{}, false, nil
}
func (b *box) Changed() <-chan struct{}                            { return b.changed }
func (b *box) Backlog(context.Context) (int, time.Duration, error) { return 0, 0, nil }
func (b *box) row(id int64) boxed {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *b.rows[id]
}

// world is a Renderer whose subjects have a version and a text.
type world struct {
	mu      sync.Mutex
	version map[int64]int64
	text    map[int64]string
}

func (w *world) set(id, version int64, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.version[id], w.text[id] = version, text
}

func (w *world) Render(_ context.Context, s Subject) (chat.Card, int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := w.version[s.ID]
	if !ok {
		return chat.Card{}, 0, fault.New(fault.Missing, "world", "", "It is gone.")
	}
	if w.text[s.ID] == "panic" {
		panic("no words")
	}
	return chat.Card{Text: w.text[s.ID], Mention: []chat.Person{{ID: "ann"}}, Channel: true}, v, nil
}

// wall is a Sender that keeps what was said and can be slow or out of order.
type wall struct {
	mu     sync.Mutex
	said   []string
	edits  []time.Time
	keys   map[string]string
	places []chat.Place
	slow   map[string]chan struct{} // channels that hang until closed
	fail   func(n int) error        // of the n-th call
	calls  int
}

func newWall() *wall { return &wall{keys: map[string]string{}, slow: map[string]chan struct{}{}} }

func (w *wall) Name() string { return "wall" }

func (w *wall) call(ctx context.Context, at chat.Place) error {
	w.mu.Lock()
	hang := w.slow[at.Channel]
	w.calls++
	n, fail := w.calls, w.fail
	w.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return fault.New(fault.Unreachable, "wall", "", "It hangs.")
		}
	}
	if fail != nil {
		return fail(n)
	}
	return nil
}

func (w *wall) Post(ctx context.Context, to chat.Place, c chat.Card, key string) (chat.MessageRef, error) {
	err := w.call(ctx, to)
	w.mu.Lock()
	defer w.mu.Unlock()
	if id, known := w.keys[key]; known {
		return chat.MessageRef{Place: to, ID: id}, nil
	}
	if errors.Is(err, errLost) || err == nil {
		w.keys[key] = fmt.Sprintf("m%d", len(w.keys)+1)
		w.said = append(w.said, "post "+c.Text)
		w.places = append(w.places, to)
	}
	return chat.MessageRef{Place: to, ID: w.keys[key]}, err
}

func (w *wall) Edit(ctx context.Context, ref chat.MessageRef, c chat.Card) error {
	if err := w.call(ctx, ref.Place); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(c.Mention) > 0 || c.Channel {
		w.said = append(w.said, "an edit that mentions")
	}
	w.said = append(w.said, "edit "+c.Text)
	w.edits = append(w.edits, time.Now())
	return nil
}

func (w *wall) Whisper(context.Context, chat.Place, chat.Person, chat.Card, string) error { return nil }

func (w *wall) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.said)
}

var errLost = fault.New(fault.Unreachable, "wall", "", "The answer was lost.")

type rig struct {
	*Dispatcher
	box   *box
	world *world
	wall  *wall
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{box: newBox(), world: &world{version: map[int64]int64{}, text: map[int64]string{}}, wall: newWall()}
	r.Dispatcher = NewDispatcher(r.box, map[string]chat.Sender{"wall": r.wall},
		map[string]Renderer{OperationSubject: r.world, EventSubject: r.world}, "one", nil)
	r.Limits.Retry, r.Limits.Poll, r.Limits.Pace = time.Millisecond, 5*time.Millisecond, time.Millisecond
	return r
}

func (r *rig) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (r *rig) say(id, version int64, channel, text string) {
	r.world.set(id, version, text)
	r.box.want(Due{ID: id, Subject: Subject{OperationSubject, id}, Place: chat.Place{Chat: "wall", Channel: channel}, Version: version})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never happened: %s", what)
		}
	}
}

func (r *rig) shows(t *testing.T, id, version int64) {
	t.Helper()
	until(t, fmt.Sprintf("row %d shows version %d", id, version), func() bool { return r.box.row(id).Shown >= version })
}

func TestAMessageIsPostedOnceAndThenEdited(t *testing.T) {
	r := newRig(t)
	r.start(t)
	r.say(1, 1, "deploys", "queued")
	r.shows(t, 1, 1)
	r.say(1, 2, "deploys", "running")
	r.shows(t, 1, 2)
	if got := r.wall.lines(); !slices.Equal(got, []string{"post queued", "edit running"}) {
		t.Errorf("got %q", got)
	}
}

func TestManyVersionsAreFewEditsAndTheLastIsShown(t *testing.T) {
	r := newRig(t)
	r.Limits.Pace = 50 * time.Millisecond
	r.start(t)
	r.say(1, 1, "deploys", "1")
	r.shows(t, 1, 1)
	for v := int64(2); v <= 200; v++ {
		r.say(1, v, "deploys", fmt.Sprint(v))
		time.Sleep(time.Millisecond)
	}
	r.shows(t, 1, 200)
	got := r.wall.lines()
	if got[len(got)-1] != "edit 200" || len(got) > 30 {
		t.Errorf("%d calls, the last %q", len(got), got[len(got)-1])
	}
	r.wall.mu.Lock()
	defer r.wall.mu.Unlock()
	for i := 1; i < len(r.wall.edits); i++ {
		if gap := r.wall.edits[i].Sub(r.wall.edits[i-1]); gap < 45*time.Millisecond {
			t.Errorf("edits %d and %d are %s apart", i-1, i, gap)
		}
	}
}

func TestAnEditThatChangesNothingIsNotSent(t *testing.T) {
	r := newRig(t)
	r.start(t)
	r.say(1, 1, "deploys", "who agrees?")
	r.shows(t, 1, 1)
	r.say(1, 2, "deploys", "who agrees?")
	r.shows(t, 1, 2)
	if got := r.wall.lines(); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}

func TestASlowChannelDelaysNoOther(t *testing.T) {
	r := newRig(t)
	hang := make(chan struct{})
	r.wall.slow["slow"] = hang
	r.start(t)
	for id := int64(1); id <= 100; id++ {
		r.say(id, 1, "slow", "late")
	}
	r.say(101, 1, "quick", "now")
	r.shows(t, 101, 1)
	if r.box.row(1).Shown != 0 {
		t.Error("the slow channel was not slow")
	}
	close(hang)
	for id := int64(1); id <= 100; id++ {
		r.shows(t, id, 1)
	}
}

func TestAThreadKeepsItsOrderBelowItsRoot(t *testing.T) {
	r := newRig(t)
	r.start(t)
	for id := int64(2); id <= 20; id++ {
		r.world.set(id, 1, fmt.Sprint(id))
		r.box.want(Due{ID: id, Subject: Subject{EventSubject, id}, Parent: &Subject{OperationSubject, 1}, Place: chat.Place{Chat: "wall", Channel: "deploys"}, Version: 1})
	}
	r.say(1, 1, "deploys", "1")
	for id := int64(1); id <= 20; id++ {
		r.shows(t, id, 1)
	}
	for i, line := range r.wall.lines() {
		if line != fmt.Sprintf("post %d", i+1) {
			t.Fatalf("got %q", r.wall.lines())
		}
	}
	if at := r.wall.places[7]; at.Thread != "m1" || at.Channel != "deploys" {
		t.Errorf("an event was posted at %+v", at)
	}
}

func TestALostAnswerIsOneMessage(t *testing.T) {
	r := newRig(t)
	r.wall.fail = func(n int) error {
		if n == 1 {
			return errLost
		}
		return nil
	}
	r.start(t)
	r.say(1, 1, "deploys", "once")
	r.shows(t, 1, 1)
	if got := r.wall.lines(); len(got) != 1 {
		t.Errorf("got %q", got)
	}
	if begun := r.box.row(1).begun; begun != 2 {
		t.Errorf("a post was begun %d times", begun)
	}
}

func TestAChatThatIsDownIsTriedAgainAndCaughtUp(t *testing.T) {
	r := newRig(t)
	r.wall.fail = func(n int) error {
		if n < 5 {
			return fault.New(fault.Unreachable, "wall", "", "It is down.")
		}
		return nil
	}
	r.start(t)
	r.say(1, 1, "deploys", "old")
	until(t, "a failure", func() bool { return r.box.row(1).Attempts > 1 })
	r.say(1, 2, "deploys", "new")
	r.shows(t, 1, 2)
	if got := r.wall.lines(); !slices.Equal(got, []string{"post new"}) {
		t.Errorf("got %q", got)
	}
}

func TestAChatIsLeftAloneAsLongAsItAsks(t *testing.T) {
	r := newRig(t)
	r.wall.fail = func(n int) error {
		return &chat.Wait{For: time.Hour, Err: fault.New(fault.Unreachable, "wall", "", "Slow down.")}
	}
	r.start(t)
	r.say(1, 1, "deploys", "x")
	until(t, "it is put off", func() bool { return time.Until(r.box.row(1).notBefore) > 50*time.Minute })
}

func TestWhatIsGoneIsDropped(t *testing.T) {
	r := newRig(t)
	r.start(t)
	r.say(1, 1, "deploys", "here")
	r.box.want(Due{ID: 2, Subject: Subject{OperationSubject, 2}, Place: chat.Place{Chat: "wall", Channel: "deploys"}, Version: 1})
	r.box.want(Due{ID: 3, Subject: Subject{OperationSubject, 1}, Place: chat.Place{Chat: "gone"}, Version: 1})
	r.box.want(Due{ID: 4, Subject: Subject{"alert", 1}, Place: chat.Place{Chat: "wall"}, Version: 1})
	for _, id := range []int64{2, 3, 4} {
		until(t, fmt.Sprintf("row %d is dropped", id), func() bool { return r.box.row(id).dropped != "" })
	}
	r.shows(t, 1, 1)
}

func TestARendererThatPanicsStopsNothing(t *testing.T) {
	r := newRig(t)
	r.start(t)
	r.say(1, 1, "deploys", "panic")
	r.say(2, 1, "deploys", "fine")
	r.shows(t, 2, 1)
	r.world.set(1, 1, "mended")
	r.shows(t, 1, 1)
}

func TestEveryCardIsRedacted(t *testing.T) {
	r := newRig(t)
	r.Redact = func(s string) string {
		if s == "secret" {
			return "[redacted]"
		}
		return s
	}
	r.start(t)
	r.say(1, 1, "deploys", "secret")
	r.shows(t, 1, 1)
	if got := r.wall.lines(); !slices.Equal(got, []string{"post [redacted]"}) {
		t.Errorf("got %q", got)
	}
}

func TestRunEndsWithTheCallInHandFinished(t *testing.T) {
	r := newRig(t)
	hang := make(chan struct{})
	r.wall.slow["deploys"] = hang
	stop := r.start(t)
	r.say(1, 1, "deploys", "in hand")
	r.say(2, 1, "deploys", "next")
	until(t, "a call", func() bool { r.wall.mu.Lock(); defer r.wall.mu.Unlock(); return r.wall.calls > 0 })
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	select {
	case <-stopped:
		t.Fatal("it ended with a call in hand")
	case <-time.After(20 * time.Millisecond):
	}
	close(hang)
	<-stopped
	if got := r.box.row(1); got.Shown != 1 {
		t.Errorf("the call in hand was not finished: %+v", got)
	}
	if got := r.box.row(2); got.Shown != 0 || !got.leased.IsZero() {
		t.Errorf("the next one was not given back: %+v", got)
	}
}

func TestBackoffDoublesUpToALimit(t *testing.T) {
	d := NewDispatcher(newBox(), nil, nil, "one", nil)
	for attempts, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		if got := d.backoff(attempts); got != want {
			t.Errorf("after %d: %s, want %s", attempts, got, want)
		}
	}
	if got := d.backoff(1000); got != d.Limits.Most {
		t.Errorf("got %s", got)
	}
}
