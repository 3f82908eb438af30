package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"maitred/bot/slack/slacktest"
	"maitred/chat"
	"maitred/fault"
)

// notebook is a door that keeps what it hears, once each.
type notebook struct {
	mu    sync.Mutex
	heard []chat.Inbound
	broke error // it cannot store anything
	offer []chat.Completion
	lines []string // that it was asked to complete
	cards []chat.Card
}

func (n *notebook) Receive(_ context.Context, in chat.Inbound) (chat.Ack, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.broke != nil {
		return chat.Ack{}, n.broke
	}
	if slices.ContainsFunc(n.heard, func(h chat.Inbound) bool { return h.Key == in.Key }) {
		return chat.Ack{Known: true}, nil
	}
	n.heard = append(n.heard, in)
	return chat.Ack{}, nil
}

func (n *notebook) Complete(_ context.Context, who chat.Person, _ chat.Place, line string) []chat.Completion {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, who.ID+": "+line)
	return n.offer
}

func (n *notebook) Home(context.Context, chat.Person) []chat.Card {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cards
}

func (n *notebook) all() []chat.Inbound {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.heard)
}

func (n *notebook) breakDown(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broke = err
}

// ear is a Chat that hears a fake Slack and writes into a notebook.
type ear struct {
	*notebook
	chat  *Chat
	slack *slacktest.Slack
	log   *observer.ObservedLogs
	url   string // in HTTP mode
}

// hearing runs test in both modes.
func inBothModes(t *testing.T, o slacktest.Options, test func(t *testing.T, e *ear)) {
	for _, mode := range []Mode{Socket, HTTP} {
		t.Run(string(mode), func(t *testing.T) { test(t, listening(t, mode, o)) })
	}
}

func listening(t *testing.T, mode Mode, so slacktest.Options) *ear {
	t.Helper()
	s := slacktest.New(t, so)
	core, logs := observer.New(zap.DebugLevel)
	e := &ear{notebook: &notebook{}, slack: s, log: logs}
	e.chat = New(Options{
		BotToken: s.BotToken, AppToken: s.AppToken, SigningSecret: s.SigningSecret, APIURL: s.URL(), Mode: mode,
		Groups: func() []string { return []string{slacktest.GroupID("leads")} }, Now: s.Now, Log: zap.New(core),
	})
	for _, name := range []string{"ann", "bob"} {
		s.Person(name)
	}
	s.Channel("deploys")
	s.Invite("deploys")
	if mode == HTTP {
		prefix, h := e.chat.Handler()
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		e.url = server.URL + prefix
		s.DeliverAllTo(e.url)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.chat.Run(ctx, e) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	e.until(t, "it is ready", func() bool {
		return e.chat.Ready(ctx) == nil && e.chat.self.Load() != nil && (mode == HTTP || s.Connections() == 2)
	})
	return e
}

func (e *ear) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
	}
}

// acked waits until Slack has its acknowledgement.
func acked(t *testing.T, d *slacktest.Delivery) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := d.Wait(ctx); err != nil {
		t.Fatalf("%s: %v", d.Payload, err)
	}
	payload, _ := d.Acked()
	return string(payload)
}

// logged reports whether the log has the phrase.
func (e *ear) logged(phrase string) bool { return e.log.FilterMessage(phrase).Len() > 0 }

func TestWhatPeopleDoIsHeard(t *testing.T) {
	inBothModes(t, slacktest.Options{}, func(t *testing.T, e *ear) {
		ann := e.slack.Person("ann")
		root, mentioned := ann.Type("deploys", "@maitred deploy ocpizza@feature/a&b")
		acked(t, mentioned)
		_, inThread := ann.Reply(root, "<hi> @maitred approve 214")
		acked(t, inThread)
		_, direct := ann.Type(slacktest.DirectID("ann"), "approve 214")
		acked(t, direct)
		acked(t, ann.Slash("deploys", "/deploy ocpizza  to production"))
		acked(t, ann.Slash("deploys", "/maitred"))
		ref, err := e.chat.Post(t.Context(), deploys, chat.Card{Text: "Sure?", Buttons: []chat.Button{{Label: "Go", Line: "/approve 214"}}}, "k")
		if err != nil {
			t.Fatal(err)
		}
		posted, _ := e.slack.Message("deploys", ref.ID)
		acked(t, ann.Click(posted, "Go"))

		want := []struct{ line, channel, thread, source string }{
			{"@maitred deploy ocpizza@feature/a&amp;b", slacktest.ChannelID("deploys"), "", "typed"},
			{"&lt;hi&gt; @maitred approve 214", slacktest.ChannelID("deploys"), root.TS, "typed"},
			{"@maitred approve 214", slacktest.DirectID("ann"), "", "typed"},
			{"/deploy ocpizza  to production", slacktest.ChannelID("deploys"), "", "typed"},
			{"/maitred", slacktest.ChannelID("deploys"), "", "typed"},
			{"/approve 214", slacktest.ChannelID("deploys"), "", "clicked"},
		}
		heard := e.all()
		if len(heard) != len(want) {
			t.Fatalf("heard %d: %+v", len(heard), heard)
		}
		for i, w := range want {
			in := heard[i]
			if in.Line != w.line || in.Place != (chat.Place{Chat: Name, Channel: w.channel, Thread: w.thread}) || string(in.Source) != w.source || in.Person.ID != ann.ID || in.Person.Chat != Name {
				t.Errorf("%d: heard %+v, want %+v", i, in, w)
			}
		}
	})
}

func TestTheSameIsHeardOnce(t *testing.T) {
	inBothModes(t, slacktest.Options{Retries: []time.Duration{0, 0}}, func(t *testing.T, e *ear) {
		ann := e.slack.Person("ann")
		e.slack.Duplicate(1)
		_, twice := ann.Type("deploys", "@maitred status")
		acked(t, twice)
		twice.Again("http_timeout")
		acked(t, twice.AgainRenamed())
		command := ann.Slash("deploys", "/deploy ocpizza")
		acked(t, command)
		command.Again("http_timeout")
		acked(t, e.slack.Inject(slacktest.KindCommand, json.RawMessage(command.Payload)))
		e.until(t, "everything came", func() bool { return len(twice.Attempts()) >= 3 && len(command.Attempts()) == 2 })
		if heard := e.all(); len(heard) != 2 {
			t.Errorf("heard %d times: %+v", len(heard), heard)
		}
	})
}

func TestWhatIsNotStoredIsNotAcknowledged(t *testing.T) {
	inBothModes(t, slacktest.Options{Retries: []time.Duration{50 * time.Millisecond}, AckWithin: 200 * time.Millisecond}, func(t *testing.T, e *ear) {
		ann := e.slack.Person("ann")
		e.breakDown(fault.New(fault.Unreachable, "test", "", "The store does not answer."))
		if got := acked(t, ann.Slash("deploys", "/deploy ocpizza")); !strings.Contains(got, "The store does not answer.") {
			t.Errorf("whoever typed is told %q", got)
		}
		_, mention := ann.Type("deploys", "@maitred deploy ocpizza")
		e.until(t, "the first delivery is not acknowledged", func() bool { return len(mention.Attempts()) > 0 })
		if a := mention.Attempts(); a[0].Lost == "" {
			t.Errorf("what was not stored was acknowledged: %+v", a)
		}
		e.breakDown(nil)
		acked(t, mention) // the retry: it is the only one that arrived
		if heard := e.all(); len(heard) != 1 || heard[0].Line != "@maitred deploy ocpizza" {
			t.Errorf("heard %+v", heard)
		}
	})
}

func TestAFormThatIsNotStoredStaysOpen(t *testing.T) {
	inBothModes(t, slacktest.Options{}, func(t *testing.T, e *ear) {
		ann := e.slack.Person("ann")
		openForm(t, e, chat.Form{Title: "Set SECRET_KEY", Line: "/config set ocpizza SECRET_KEY", Submit: "Set", Text: "The new value.",
			Fields: []chat.FormField{{Name: "value", Label: "SECRET_KEY", Kind: chat.SecretField, Required: true}, {Name: "why", Label: "Why", Kind: chat.AreaField}}})
		e.breakDown(fault.New(fault.Unreachable, "test", "", "The store does not answer."))
		acked(t, ann.Submit(map[string]string{"value": "s3cret", "why": "leaked"}))
		if v, open := ann.View(); !open || !strings.Contains(fmt.Sprint(v.Errors), "The store does not answer.") {
			t.Errorf("the form is open: %v, and says %v", open, v.Errors)
		}
		e.breakDown(nil)
		acked(t, ann.Submit(map[string]string{"value": "s3cret", "why": "leaked"}))
		if _, open := ann.View(); open {
			t.Error("the form is still open")
		}
		in := e.all()[len(e.all())-1]
		if in.Line != "/config set ocpizza SECRET_KEY" || in.Source != chat.Submitted || in.Secrets["value"] != "s3cret" || in.Fields["why"] != "leaked" || in.Fields["value"] != "" || in.Place != deploys {
			t.Errorf("heard %+v", in)
		}
	})
}

// openForm has ann type something that is answered with a form.
func openForm(t *testing.T, e *ear, f chat.Form) {
	t.Helper()
	acked(t, e.slack.Person("ann").Slash("deploys", "/maitred form"))
	if err := e.chat.OpenForm(t.Context(), e.all()[len(e.all())-1], f); err != nil {
		t.Fatal(err)
	}
}

func TestRefsAreOfferedWhileSomebodyTypes(t *testing.T) {
	inBothModes(t, slacktest.Options{}, func(t *testing.T, e *ear) {
		ann := e.slack.Person("ann")
		openForm(t, e, chat.Form{Title: "Deploy", Line: "/deploy", Submit: "Deploy", Fields: []chat.FormField{
			{Name: "app", Label: "App", Kind: chat.ChoiceField, Choices: []string{"ocpizza", "blog"}, Required: true, Complete: "app"},
			{Name: "ref", Label: "Ref", Kind: chat.TextField, Complete: "ref"},
		}})
		e.offer = []chat.Completion{{Insert: "/deploy ocpizza@main", Label: "ocpizza@main"}, {Insert: "/deploy ocpizza@feature/a@b", Label: "ocpizza@feature/a@b"}}
		d, choices := ann.Choices("ref", "ma")
		acked(t, d)
		got, err := choices()
		if err != nil || !slices.Contains(got, "ma") {
			t.Errorf("offered %q, %v", got, err)
		}
		acked(t, ann.Submit(map[string]string{"app": "ocpizza", "ref": "ma"}))
		if in := e.all()[len(e.all())-1]; in.Fields["app"] != "ocpizza" || in.Fields["ref"] != "ma" {
			t.Errorf("heard %+v", in)
		}
	})
}

func TestAFormThatCannotOpenIsOfferedByAButton(t *testing.T) {
	e := listening(t, Socket, slacktest.Options{})
	ann := e.slack.Person("ann")
	acked(t, ann.Slash("deploys", "/maitred reject 214"))
	e.slack.Advance(4 * time.Second) // the trigger is spent
	form := chat.Form{Title: "Reject #214", Line: "/reject 214", Text: "Why not?", Fields: []chat.FormField{{Name: "why", Label: "Reason", Kind: chat.AreaField, Required: true}}}
	if err := e.chat.OpenForm(t.Context(), e.all()[0], form); err != nil {
		t.Fatal(err)
	}
	if _, open := ann.View(); open {
		t.Fatal("the form opened with a spent trigger")
	}
	seen := ann.See("deploys")
	if len(seen) != 1 || seen[0].Only != ann.ID {
		t.Fatalf("ann sees %+v", seen)
	}
	acked(t, ann.Click(seen[0], "Open the form"))
	if in := e.all()[1]; in.Line != "/reject 214" || in.Source != chat.Clicked {
		t.Errorf("heard %+v", in)
	}
	if err := e.chat.OpenForm(t.Context(), e.all()[1], form); err != nil {
		t.Fatal(err)
	}
	if _, open := ann.View(); !open {
		t.Error("the form is not open")
	}
}

func TestTheHomeIsShownToWhoeverOpensIt(t *testing.T) {
	inBothModes(t, slacktest.Options{}, func(t *testing.T, e *ear) {
		ann := e.slack.Person("ann")
		e.cards = []chat.Card{{Title: "Deploy v1", Text: "It waits for you.", Notes: []string{"It waits for you."}, Buttons: []chat.Button{{Label: "Approve", Line: "/approve 214"}}}}
		acked(t, ann.OpenHome())
		e.until(t, "the home is there", func() bool { _, ok := ann.Home(); return ok })
		if v, _ := ann.Home(); !strings.Contains(e.slack.ReadsView(v), "It waits for you.") {
			t.Errorf("it reads %q", e.slack.ReadsView(v))
		}
		acked(t, ann.ClickView("Approve"))
		if in := e.all()[0]; in.Line != "/approve 214" || in.Place.Channel != slacktest.DirectID("ann") {
			t.Errorf("heard %+v", in)
		}
	})
}
