package schedule

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"maitred/chat"
	"maitred/commands"
)

// book keeps schedules in memory.
type book struct {
	mu  sync.Mutex
	all []commands.Schedule
}

func (b *book) Schedules(context.Context) ([]commands.Schedule, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all), nil
}

func (b *book) Ticked(_ context.Context, id int64, t time.Time) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.all {
		if b.all[i].ID == id && b.all[i].Last.Before(t) {
			b.all[i].Last = t
			return true, nil
		}
	}
	return false, nil
}

// ear is a door that keeps what it heard; a key counts once.
type ear struct {
	mu    sync.Mutex
	heard []chat.Inbound
	deaf  bool
}

func (e *ear) Receive(_ context.Context, in chat.Inbound) (chat.Ack, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf {
		return chat.Ack{}, errors.New("the disk is full")
	}
	if slices.ContainsFunc(e.heard, func(h chat.Inbound) bool { return h.Key == in.Key }) {
		return chat.Ack{Known: true}, nil
	}
	e.heard = append(e.heard, in)
	return chat.Ack{}, nil
}

func (e *ear) Complete(context.Context, chat.Person, chat.Place, string) []chat.Completion {
	return nil
}

func (e *ear) lines() []chat.Inbound {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.heard)
}

// mouth keeps what was posted.
type mouth struct {
	chat.Sender
	said []string
}

func (m *mouth) Post(_ context.Context, _ chat.Place, c chat.Card, _ string) (chat.MessageRef, error) {
	m.said = append(m.said, c.Text)
	return chat.MessageRef{}, nil
}

func at(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

func nightly(created string) commands.Schedule {
	return commands.Schedule{
		ID: 7, Line: "/backup capture ocpizza to production", Cron: "0 2 * * *", Zone: "Europe/Paris",
		Person: chat.Person{Chat: "slack", ID: "U1", Who: "ann"}, Place: chat.Place{Chat: "slack", Channel: "C1"}, Created: at(created),
	}
}

type rig struct {
	*Clock
	book  *book
	ear   *ear
	mouth *mouth
	now   time.Time
}

func newRig(s commands.Schedule) *rig {
	r := &rig{book: &book{all: []commands.Schedule{s}}, ear: &ear{}, mouth: &mouth{}}
	r.Clock = New(Options{Store: r.book, Senders: map[string]chat.Sender{"slack": r.mouth}, Now: func() time.Time { return r.now }})
	return r
}

func (r *rig) strikeAt(t time.Time) []chat.Inbound {
	r.now = t
	r.Strike(context.Background(), r.ear)
	return r.ear.lines()
}

func TestATickIsSaidOnceInTheNameOfItsPerson(t *testing.T) {
	r := newRig(nightly("2026-11-20 12:00"))
	if got := r.strikeAt(at("2026-11-21 00:59")); len(got) != 0 {
		t.Fatalf("said before its time: %+v", got)
	}
	for range 3 {
		r.strikeAt(at("2026-11-21 01:00")) // 02:00 in Paris
	}
	got := r.ear.lines()
	if len(got) != 1 {
		t.Fatalf("said %d times", len(got))
	}
	in := got[0]
	if in.Key != "schedule-7-1795222800" || in.Source != chat.Scheduled || in.Person.ID != "U1" || in.Line != "/backup capture ocpizza to production" || in.Place.Channel != "C1" {
		t.Errorf("got %+v", in)
	}
	if len(r.mouth.said) != 0 {
		t.Errorf("in time, and yet it says %q", r.mouth.said)
	}
	if got := r.strikeAt(at("2026-11-22 01:00")); len(got) != 2 {
		t.Errorf("the next night: %d", len(got))
	}
}

func TestReplicasSayATickOnce(t *testing.T) {
	a := newRig(nightly("2026-11-20 12:00"))
	b := newRig(nightly("2026-11-20 12:00"))
	b.ear = a.ear // one door's store, two clocks that do not know of each other's ticks
	a.strikeAt(at("2026-11-21 01:00"))
	b.strikeAt(at("2026-11-21 01:00"))
	if got := a.ear.lines(); len(got) != 1 {
		t.Errorf("said %d times", len(got))
	}
}

func TestOfManyMissedTicksOneIsSaidAndTold(t *testing.T) {
	r := newRig(nightly("2026-11-20 12:00"))
	got := r.strikeAt(at("2026-11-24 08:00"))
	if len(got) != 1 || got[0].Key != "schedule-7-1795482000" {
		t.Fatalf("got %+v", got)
	}
	if len(r.mouth.said) != 1 || !strings.Contains(r.mouth.said[0], "due 4 times") || !strings.Contains(r.mouth.said[0], "24 Nov 02:00 CET") {
		t.Errorf("told %q", r.mouth.said)
	}
	if got := r.strikeAt(at("2026-11-24 08:01")); len(got) != 1 {
		t.Errorf("said again: %+v", got)
	}
}

func TestATickThatWasNotHeardIsSaidAgain(t *testing.T) {
	r := newRig(nightly("2026-11-20 12:00"))
	r.ear.deaf = true
	r.strikeAt(at("2026-11-21 01:00"))
	r.ear.deaf = false
	if got := r.strikeAt(at("2026-11-21 01:00")); len(got) != 1 {
		t.Errorf("said %d times", len(got))
	}
}

func TestAWrongExpressionHurtsNoOther(t *testing.T) {
	r := newRig(nightly("2026-11-20 12:00"))
	r.book.all = append([]commands.Schedule{{ID: 1, Cron: "what?", Created: at("2026-11-20 12:00")}}, r.book.all...)
	if got := r.strikeAt(at("2026-11-21 01:00")); len(got) != 1 {
		t.Errorf("said %d times", len(got))
	}
}

func TestTheClockSleepsUntilTheNextTick(t *testing.T) {
	r := newRig(nightly("2026-11-20 12:00"))
	r.now = at("2026-11-21 01:00").Add(-2 * time.Second)
	if wait := r.Strike(context.Background(), r.ear); wait != 2*time.Second {
		t.Errorf("it sleeps %s", wait)
	}
	r.now = at("2026-11-20 20:00")
	if wait := r.Strike(context.Background(), r.ear); wait != r.Look {
		t.Errorf("it sleeps %s and would not see a new schedule", wait)
	}
}

func TestDueOnTheDayWithoutTheHour(t *testing.T) {
	ticks, err := Parse("30 2 * * *", "Europe/Paris") // 29 March 2026 has no 02:30 there
	if err != nil {
		t.Fatal(err)
	}
	tick, missed, next := due(ticks, at("2026-03-28 12:00"), at("2026-03-30 12:00"))
	if missed != 1 || !tick.Equal(at("2026-03-30 00:30")) || !next.Equal(at("2026-03-31 00:30")) {
		t.Errorf("tick %s, %d missed, next %s", tick, missed, next)
	}
}

func TestParse(t *testing.T) {
	for _, expression := range []string{"0 2 * * *", "@daily", "@every 90m", "*/5 9-17 * * mon-fri"} {
		if _, err := Parse(expression, "Europe/Paris"); err != nil {
			t.Errorf("%s: %v", expression, err)
		}
	}
	for _, expression := range []string{"", "0 2 * *", "61 * * * *", "CRON_TZ=UTC 0 2 * * *"} {
		if _, err := Parse(expression, ""); err == nil {
			t.Errorf("%q is taken", expression)
		}
	}
	if _, err := Parse("@daily", "Mars/Olympus"); err == nil {
		t.Error("a zone that does not exist is taken")
	}
}
