package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"maitred/bot"
	"maitred/bot/bottest"
	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
	"maitred/store/storetest"
)

var deploys = chat.Place{Chat: "room", Channel: "deploys"}

func said(room *bottest.Room, who, key, line string) chat.Inbound {
	return chat.Inbound{Key: key, Person: room.Person(who), Place: deploys, Line: line, Source: chat.Typed, At: time.Now()}
}

// answered waits for the answer to a line.
func answered(t *testing.T, h *bottest.House, key string) bot.Heard {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	heard, err := h.Bot.Wait(ctx, key)
	if err != nil {
		t.Fatalf("no answer to %s: %v", key, err)
	}
	return heard
}

func hear(t *testing.T, h *bottest.House, in chat.Inbound) chat.Ack {
	t.Helper()
	ack, err := h.Bot.Receive(context.Background(), in)
	if err != nil {
		t.Fatalf("receive %s: %v", in.Key, err)
	}
	return ack
}

func TestARedeliveryIsKnownAndDoesNothing(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		room := bottest.NewRoom("room")
		h := bottest.Open(t, p, room)
		in := said(room, "lea", "twice", "/deploy ocpizza v1.1.0")
		if ack := hear(t, h, in); ack.Known {
			t.Error("the first delivery is known")
		}
		var wg sync.WaitGroup
		for range 10 { // a chat repeated one message eleven times
			wg.Go(func() {
				if ack := hear(t, h, in); !ack.Known {
					t.Error("a redelivery is news")
				}
			})
		}
		wg.Wait()
		if got := answered(t, h, "twice"); !got.Started || got.Operation != 1 {
			t.Errorf("got %+v", got)
		}
		if all, err := h.Engine.List(context.Background(), engine.Filter{}); err != nil || len(all) != 1 {
			t.Errorf("%d operations, %v", len(all), err)
		}
	})
}

func TestADuplicateIsAuditedAsOne(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		room := bottest.NewRoom("room")
		h := bottest.Open(t, p, room)
		hear(t, h, said(room, "ann", "first", "/deploy ocpizza v1.1.0")) // waits for a lead
		if got := answered(t, h, "first"); !got.Started {
			t.Fatalf("got %+v", got)
		}
		hear(t, h, said(room, "bob", "second", "/deploy ocpizza v1.1.0"))
		if got := answered(t, h, "second"); got.Started || got.Operation != 1 {
			t.Fatalf("got %+v", got)
		}
		rows, err := h.Store.Audit(context.Background(), commands.AuditFilter{Verb: "deploy"})
		if err != nil || len(rows) != 2 || rows[0].Outcome != "duplicate" || rows[0].Detail != "#1" || rows[1].Outcome != "ok" {
			t.Errorf("the audit has %+v, %v", rows, err)
		}
	})
}

// crashed is a store in which lines were heard by a process that is gone.
func crashed(t *testing.T, p storetest.Place, lines ...chat.Inbound) {
	t.Helper()
	s := p.Open(t)
	for _, in := range lines {
		if _, err := s.Hear(context.Background(), in, nil, "one", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatACrashLeft(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		room := bottest.NewRoom("room")
		old := said(room, "lea", "old", "/deploy ocpizza v1.1.0 to production")
		old.At = old.At.Add(-3 * time.Minute)
		crashed(t, p,
			said(room, "vic", "read", "/status"),
			said(room, "lea", "young", "/deploy ocpizza v1.0.0 to staging"),
			said(room, "ann", "lock", "/lock ocpizza testing"),
			said(room, "vic", "wrong", "/deplyo"),
			old,
		)
		h := bottest.Open(t, p, room)
		if got := answered(t, h, "read"); len(got.Said) != 1 || got.Said[0].Refused {
			t.Errorf("what reads is not answered: %+v", got)
		}
		if got := answered(t, h, "young"); !got.Started || got.Operation == 0 {
			t.Errorf("what the engine recognises is not carried out: %+v", got)
		}
		if got := answered(t, h, "wrong"); len(got.Said) != 1 || !got.Said[0].Refused {
			t.Errorf("what was not understood is not told: %+v", got)
		}
		for _, key := range []string{"lock", "old"} {
			got := answered(t, h, key)
			if got.Operation != 0 || len(got.Said) != 1 || !got.Said[0].Private || !strings.Contains(got.Said[0].Card.Title, "still wanted") {
				t.Fatalf("%s: nobody asks: %+v", key, got)
			}
			if b := got.Said[0].Card.Buttons; len(b) != 1 || b[0].Line != got.In.Line {
				t.Errorf("%s: the button types %+v", key, b)
			}
		}
		if locks, err := h.Store.Locks(context.Background()); err != nil || len(locks) != 0 {
			t.Errorf("a lock was set without asking: %+v, %v", locks, err)
		}
	})
}

// An answer that was stored and not delivered is delivered by the next start,
// once: not what was typed again, and nothing by the start after that.
func TestAnAnswerThatACrashCutShortIsTold(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		room := bottest.NewRoom("room")
		s := p.Open(t)
		in := said(room, "ann", "cut", "/lock ocpizza testing")
		if _, err := s.Hear(context.Background(), in, nil, "one", time.Minute); err != nil {
			t.Fatal(err)
		}
		words := []bot.Said{{Card: chat.Card{Text: "ann has locked ocpizza."}}}
		if err := s.Answered(context.Background(), "cut", words, 0, false, commands.AuditRow{Verb: "lock"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		h := bottest.Open(t, p, room)
		shown(t, room, 1)
		h.Restart()
		hear(t, h, said(room, "vic", "next", "/status"))
		shown(t, room, 2)
		if m := room.Messages()[0]; !strings.Contains(m.Text, "ann has locked ocpizza.") {
			t.Errorf("got %s", m)
		}
		if locks, err := h.Store.Locks(context.Background()); err != nil || len(locks) != 0 {
			t.Errorf("it was done again: %+v, %v", locks, err)
		}
	})
}

// shown waits until the room shows n messages.
func shown(t *testing.T, room *bottest.Room, n int) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); len(room.Messages()) < n; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages are shown, want %d", len(room.Messages()), n)
		}
	}
	if all := room.Messages(); len(all) > n {
		t.Fatalf("%d messages are shown, want %d: %v", len(all), n, all)
	}
}

func TestWhatHadStartedItsOperationIsOnlyEnded(t *testing.T) {
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		room := bottest.NewRoom("room")
		h := bottest.Open(t, p, room)
		in := said(room, "lea", "half", "/deploy ocpizza v1.1.0 to staging")
		in.Person = h.Policy.Know(in.Person)
		if _, err := h.Store.Hear(context.Background(), in, nil, "one", time.Minute); err != nil {
			t.Fatal(err)
		}
		source, _ := h.Shop.Resolve(context.Background(), platform.Target{App: "ocpizza"}, "v1.1.0")
		op, err := h.Engine.Submit(context.Background(), engine.Request{
			Key: "half", Inbound: true, Kind: platform.Deploy, Target: platform.Target{App: "ocpizza", Environment: "staging"},
			Source: &source, Requester: in.Person, Place: deploys,
		})
		if err != nil {
			t.Fatal(err)
		}
		h.Restart() // before anybody had answered
		if got := answered(t, h, "half"); !got.Started || got.Operation != op.ID || len(got.Said) != 0 {
			t.Errorf("got %+v", got)
		}
		if all, _ := h.Engine.List(context.Background(), engine.Filter{}); len(all) != 1 {
			t.Errorf("%d operations", len(all))
		}
		rows, err := h.Store.Audit(context.Background(), commands.AuditFilter{Verb: "deploy"})
		if err != nil || !slices.ContainsFunc(rows, func(r commands.AuditRow) bool { return r.Person.Who == "lea" && r.Outcome == "ok" }) {
			t.Errorf("the audit does not know: %+v, %v", rows, err)
		}
	})
}

func TestAnotherReplicaAnswersForADeadOne(t *testing.T) {
	p := storetest.PostgreSQL(t)
	room := bottest.NewRoom("room")
	dead := p.Open(t) // it has heard something and will never answer, nor renew its lease
	if _, err := dead.Hear(context.Background(), said(room, "vic", "left", "/status"), nil, "dead", 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	h := bottest.Open(t, p, room, func(c *bot.Config) { c.Replica, c.Lease = "alive", 300*time.Millisecond })
	if got := answered(t, h, "left"); len(got.Said) != 1 || got.Said[0].Refused {
		t.Errorf("got %+v", got)
	}
	err := dead.Answered(context.Background(), "left", nil, 0, false, commands.AuditRow{Verb: "status"})
	if !fault.Is(err, fault.Refused) {
		t.Errorf("the dead one answers after all: %v", err)
	}
}

// deaf is a store that cannot write.
type deaf struct{ *store.Store }

func (deaf) Hear(context.Context, chat.Inbound, map[string][]byte, string, time.Duration) (bool, error) {
	return false, fault.New(fault.Unreachable, "deaf", "", "The disk is full.")
}

func TestWhatIsNotStoredIsNotAcknowledged(t *testing.T) {
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room, func(c *bot.Config) { c.Store = deaf{c.Store.(*store.Store)} })
	if _, err := h.Bot.Receive(context.Background(), said(room, "vic", "lost", "/status")); !fault.Is(err, fault.Unreachable) {
		t.Errorf("got %v", err)
	}
	if n := len(room.Messages()); n != 0 {
		t.Errorf("%d messages were shown", n)
	}
}

// odd is a registry whose Run is another.
type odd struct {
	bot.Registry
	run func(ctx context.Context, o *commands.Order) (commands.Answer, error)
}

func (r odd) Run(ctx context.Context, _ commands.Call, o *commands.Order) (commands.Answer, error) {
	return r.run(ctx, o)
}

func oddly(run func(ctx context.Context, o *commands.Order) (commands.Answer, error)) func(*bot.Config) {
	return func(c *bot.Config) {
		c.Registry, c.Log = odd{c.Registry, run}, zap.NewNop()
	}
}

func TestWhatIsOursToMendGivesAwayNothingButAReference(t *testing.T) {
	tests := map[string]func(context.Context, *commands.Order) (commands.Answer, error){
		"a plain error": func(context.Context, *commands.Order) (commands.Answer, error) {
			return commands.Answer{}, errors.New("dial postgres://secret@db")
		},
		"a panic": func(context.Context, *commands.Order) (commands.Answer, error) { panic("secret") },
	}
	for name, run := range tests {
		t.Run(name, func(t *testing.T) {
			room := bottest.NewRoom("room")
			h := bottest.Open(t, storetest.SQLite(t), room, oddly(run))
			hear(t, h, said(room, "vic", "k", "/status"))
			got := answered(t, h, "k")
			if len(got.Said) != 1 || !got.Said[0].Refused || !got.Said[0].Private {
				t.Fatalf("got %+v", got)
			}
			if text := bottest.Reads(got.Said[0].Card); !strings.Contains(text, "reference") || strings.Contains(text, "secret") {
				t.Errorf("it says %q", text)
			}
		})
	}
}

func TestASlowCommandDelaysNobody(t *testing.T) {
	free := make(chan struct{})
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room, oddly(func(ctx context.Context, o *commands.Order) (commands.Answer, error) {
		if o.Verb == "logs" {
			select {
			case <-free:
			case <-ctx.Done():
			}
		}
		return commands.Answer{Card: chat.Card{Text: o.Verb}}, nil
	}))
	for i := range 20 {
		hear(t, h, said(room, "ann", fmt.Sprint("slow", i), "/logs"))
	}
	hear(t, h, said(room, "vic", "quick", "/status"))
	if got := answered(t, h, "quick"); got.Said[0].Card.Text != "status" {
		t.Errorf("got %+v", got)
	}
	close(free)
	for i := range 20 {
		answered(t, h, fmt.Sprint("slow", i))
	}
}

func TestALineThatTakesTooLongIsGivenUp(t *testing.T) {
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room, oddly(func(ctx context.Context, _ *commands.Order) (commands.Answer, error) {
		<-ctx.Done()
		return commands.Answer{}, ctx.Err()
	}), func(c *bot.Config) { c.Patience = 50 * time.Millisecond })
	hear(t, h, said(room, "vic", "k", "/status"))
	if got := answered(t, h, "k"); !strings.Contains(got.Said[0].Card.Text, "took longer than 50 ms") {
		t.Errorf("got %+v", got)
	}
}

// flaky is a chat that cannot be reached at first.
type flaky struct {
	*bottest.Room
	mu   sync.Mutex
	left int
}

func (f *flaky) Post(ctx context.Context, to chat.Place, c chat.Card, key string) (chat.MessageRef, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left--; f.left >= 0 {
		return chat.MessageRef{}, &chat.Wait{For: time.Millisecond, Err: fault.New(fault.Unreachable, "flaky", "", "Slow down.")}
	}
	return f.Room.Post(ctx, to, c, key)
}

func TestAnAnswerIsSaidAgainUntilTheChatTakesIt(t *testing.T) {
	room := bottest.NewRoom("room")
	chatty := &flaky{Room: room, left: 2}
	h := bottest.Open(t, storetest.SQLite(t), room, func(c *bot.Config) { c.Senders = map[string]chat.Sender{"room": chatty} })
	hear(t, h, said(room, "vic", "k", "/status"))
	answered(t, h, "k")
	shown(t, room, 1)
	if all := room.Messages(); !strings.Contains(all[0].Text, "never deployed") {
		t.Errorf("the room shows %v", all)
	}
}

func TestACallerReadsTheStoredAnswer(t *testing.T) {
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room)
	in := said(room, "", "called", "config set ocpizza SECRET_KEY to production")
	in.Person, in.Place, in.Source = chat.Person{Chat: "api", ID: "ann"}, chat.Place{Chat: "api"}, chat.Called
	hear(t, h, in)
	got := answered(t, h, "called")
	if len(got.Said) != 1 || got.Said[0].Form == nil || got.Said[0].Card.Text == "" {
		t.Errorf("got %+v", got)
	}
	in.Key, in.Line = "called twice", "whoami"
	hear(t, h, in)
	if got := answered(t, h, "called twice"); got.Said[0].Refused || !strings.Contains(bottest.Reads(got.Said[0].Card), "ann") {
		t.Errorf("got %+v", got)
	}
	if n := len(room.Messages()); n != 0 {
		t.Errorf("the room shows %d messages", n)
	}
	if _, err := h.Bot.Wait(context.Background(), "never said"); !fault.Is(err, fault.Missing) {
		t.Errorf("got %v", err)
	}
}

func TestASecretIsSealedBeforeItIsStored(t *testing.T) {
	const canary = "correct-horse-battery"
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room)
	in := said(room, "ann", "secret", "/config set ocpizza SECRET_KEY to production")
	in.Source, in.Secrets = chat.Submitted, map[string]string{"value": canary}
	hear(t, h, in)
	got := answered(t, h, "secret")
	if !got.Started {
		t.Fatalf("got %+v", got)
	}
	if handle := got.In.Fields["value"]; handle == "" || handle == canary || in.Fields != nil {
		t.Errorf("the value was stored as %q", handle)
	}
	op, err := h.Engine.Operation(context.Background(), got.Operation)
	if err != nil || strings.Contains(fmt.Sprintf("%+v %s", op, op.Args), canary) {
		t.Errorf("the operation knows the value: %+v, %v", op, err)
	}
}

func TestIdleTalkLeavesNoTrace(t *testing.T) {
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room)
	hear(t, h, said(room, "ann", "talk", "my password is correct-horse"))
	if _, err := h.Store.Heard(context.Background(), "talk"); !fault.Is(err, fault.Missing) {
		t.Errorf("got %v", err)
	}
}

func TestCompletionOffersNothingToStrangers(t *testing.T) {
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room)
	if got := h.Bot.Complete(context.Background(), room.Person("zoe"), deploys, "/"); len(got) != 0 {
		t.Errorf("a stranger is offered %v", got)
	}
	got := h.Bot.Complete(context.Background(), room.Person("ann"), deploys, "/dep")
	if len(got) == 0 || !strings.Contains(got[0].Insert, "/deploy") {
		t.Errorf("ann is offered %v", got)
	}
}

func TestBadInputGetsOneSentenceAndANextStep(t *testing.T) {
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room)
	tests := map[string]string{
		"forty thousand characters": "/lock ocpizza " + strings.Repeat("x", 40_000),
		"bytes that are no text":    "/deploy \xff\xfe ocpizza",
		"a null":                    "/status ocpizza\x00",
		"half a quote":              `/lock ocpizza "half`,
		"nothing but a slash":       "/ ! ?",
	}
	for name, line := range tests {
		t.Run(name, func(t *testing.T) {
			hear(t, h, said(room, "ann", name, line))
			got := answered(t, h, name)
			if len(got.Said) != 1 || !got.Said[0].Refused || !got.Said[0].Private || got.Said[0].Card.Text == "" {
				t.Fatalf("got %.300v", got)
			}
			if text := got.Said[0].Card.Text; len(text) > 500 || strings.Contains(text, "inside maitred") {
				t.Errorf("it says %.300q", text)
			}
		})
	}
	rows, err := h.Store.Audit(context.Background(), commands.AuditFilter{Who: "ann"})
	if err != nil || len(rows) != len(tests) {
		t.Fatalf("%d rows of the audit, %v", len(rows), err)
	}
	for _, r := range rows {
		if r.Outcome != "invalid" || len([]rune(r.Line)) > 2000 {
			t.Errorf("the audit says %s of %.60q", r.Outcome, r.Line)
		}
	}
}

func TestTheBacklogAndTheAcksAreMeasured(t *testing.T) {
	room, registry := bottest.NewRoom("room"), prometheus.NewRegistry()
	h := bottest.Open(t, storetest.SQLite(t), room, func(c *bot.Config) { c.Metrics = registry })
	hear(t, h, said(room, "vic", "k", "/status"))
	answered(t, h, "k")
	found, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range found {
		names = append(names, f.GetName())
	}
	for _, want := range []string{"maitred_ack_seconds", "maitred_lines_total", "maitred_line_seconds", "maitred_lines_waiting"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is missing in %v", want, names)
		}
	}
}
