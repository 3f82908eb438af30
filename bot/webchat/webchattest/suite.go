package webchattest

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"maitred/bot/webchat"
	"maitred/chat"
	"maitred/fault"
)

var at = time.UnixMilli(1_760_000_000_000).UTC()

// Run checks that a store keeps the promises of webchat.Store. Each test opens
// an empty one.
func Run(t *testing.T, open func(t *testing.T) webchat.Store) {
	t.Run("what was added is read back whole", func(t *testing.T) { readBack(t, open(t)) })
	t.Run("the same key is one message", func(t *testing.T) { oneKey(t, open(t)) })
	t.Run("only the viewer sees a whisper", func(t *testing.T) { whisper(t, open(t)) })
	t.Run("changes are told in order and once", func(t *testing.T) { changes(t, open(t)) })
	t.Run("threads count what hangs and what is new", func(t *testing.T) { threads(t, open(t)) })
	t.Run("unread counts fall when it was seen", func(t *testing.T) { unread(t, open(t)) })
	t.Run("what is not there is missing", func(t *testing.T) { absent(t, open(t)) })
	t.Run("pages of messages do not overlap", func(t *testing.T) { paging(t, open(t)) })
	t.Run("changes of many writers are all told", func(t *testing.T) { crowd(t, open(t)) })
}

func add(t *testing.T, s webchat.Store, m webchat.Message) webchat.Message {
	t.Helper()
	if m.Channel == "" {
		m.Channel = "deploys"
	}
	if m.Key == "" {
		m.Key = "text-" + m.Text
	}
	m.At = at
	stored, known, err := s.AddMessage(t.Context(), m, nil)
	if err != nil || known {
		t.Fatalf("add %q: known %v, %v", m.Key, known, err)
	}
	return stored
}

func readBack(t *testing.T, s webchat.Store) {
	card := &chat.Card{Title: "Deploy", State: chat.Good, Steps: []chat.StepLine{{Name: "build", State: chat.StepDone, Took: time.Second}}, Text: "Deployed. ✓"}
	form := &chat.Form{Title: "Value", Line: "/config set A", Fields: []chat.FormField{{Name: "value", Kind: chat.SecretField, Required: true}}}
	m := webchat.Message{Key: "k", Channel: "deploys", Author: "dev", Viewer: "lead", Mentions: []string{"lead", "oncall"}, Text: "half a \x00 line", Card: card, Form: form, File: "log.txt", At: at}
	stored, _, err := s.AddMessage(t.Context(), m, []byte("contents"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Message(t.Context(), stored.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Card, card) || !reflect.DeepEqual(got.Form, form) || !reflect.DeepEqual(got.Mentions, m.Mentions) || !got.At.Equal(at) || got.Author != "dev" {
		t.Errorf("read back %+v", got)
	}
	if data, err := s.MessageFile(t.Context(), stored.ID); err != nil || string(data) != "contents" {
		t.Errorf("file %q, %v", data, err)
	}
}

func oneKey(t *testing.T, s webchat.Store) {
	first := add(t, s, webchat.Message{Key: "same", Text: "first"})
	second, known, err := s.AddMessage(t.Context(), webchat.Message{Key: "same", Channel: "deploys", Text: "second", At: at}, nil)
	if err != nil || !known || second.ID != first.ID || second.Text != "first" {
		t.Errorf("second is %+v, known %v, %v", second, known, err)
	}
}

func whisper(t *testing.T, s webchat.Store) {
	add(t, s, webchat.Message{Text: "open"})
	add(t, s, webchat.Message{Text: "secret", Viewer: "dev"})
	for viewer, want := range map[string]int{"dev": 2, "lead": 1} {
		listed, err := s.Messages(t.Context(), "deploys", 0, viewer, 0, 10)
		told, err2 := s.MessagesSince(t.Context(), 0, viewer, 10)
		if err != nil || err2 != nil || len(listed) != want || len(told) != want {
			t.Errorf("%s sees %d and is told %d, want %d (%v %v)", viewer, len(listed), len(told), want, err, err2)
		}
	}
}

func changes(t *testing.T, s webchat.Store) {
	a, b := add(t, s, webchat.Message{Text: "a"}), add(t, s, webchat.Message{Text: "b"})
	for _, word := range []string{"one", "two", "three"} {
		a.Card = &chat.Card{Text: word}
		if _, err := s.ChangeMessage(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	told, err := s.MessagesSince(t.Context(), a.Seq, "dev", 10)
	if err != nil || len(told) != 2 || told[0].ID != b.ID || told[1].ID != a.ID || told[1].Card.Text != "three" {
		t.Fatalf("told %+v, %v", told, err)
	}
	if last, err := s.LastChange(t.Context()); err != nil || last != told[1].Seq {
		t.Errorf("the last change is %d, want %d (%v)", last, told[1].Seq, err)
	}
}

func threads(t *testing.T, s webchat.Store) {
	root, bare := add(t, s, webchat.Message{Text: "root"}), add(t, s, webchat.Message{Text: "bare"})
	before, _ := s.LastChange(t.Context())
	add(t, s, webchat.Message{Text: "by dev", Author: "dev", Thread: root.ID})
	last := add(t, s, webchat.Message{Text: "for lead", Thread: root.ID, Mentions: []string{"lead"}})
	add(t, s, webchat.Message{Text: "whispered", Thread: root.ID, Viewer: "oncall"})
	told, err := s.MessagesSince(t.Context(), before, "lead", 10)
	if err != nil || len(told) != 3 {
		t.Fatalf("told %d changes, want the two replies and their root (%v)", len(told), err)
	}
	check := func(viewer string, want webchat.Thread) {
		t.Helper()
		got, err := s.Threads(t.Context(), []int64{root.ID, bare.ID}, viewer)
		want.Last = at
		if err != nil || len(got) != 1 || !reflect.DeepEqual(got[root.ID], want) {
			t.Errorf("%s: %+v, %v; want %+v", viewer, got, err, want)
		}
	}
	check("lead", webchat.Thread{Replies: 2, New: 2, Mentioned: true})
	check("dev", webchat.Thread{Replies: 2, New: 1})
	if err := s.MarkSeen(t.Context(), "lead", "deploys", root.ID, last.ID); err != nil {
		t.Fatal(err)
	}
	check("lead", webchat.Thread{Replies: 2})
}

func unread(t *testing.T, s webchat.Store) {
	root := add(t, s, webchat.Message{Text: "root", Author: "dev"})
	reply := add(t, s, webchat.Message{Text: "reply", Thread: root.ID, Mentions: []string{"lead"}})
	add(t, s, webchat.Message{Text: "loud", Channel: "general", Mentions: []string{webchat.Everybody}})
	check := func(viewer, channel string, want webchat.Unread) {
		t.Helper()
		got, err := s.Unread(t.Context(), viewer)
		if err != nil || got[channel] != want {
			t.Errorf("%s in #%s: %+v, %v; want %+v", viewer, channel, got[channel], err, want)
		}
	}
	check("lead", "deploys", webchat.Unread{Messages: 1, Mentions: 1})
	check("dev", "deploys", webchat.Unread{})
	check("dev", "general", webchat.Unread{Messages: 1, Mentions: 1})
	seen := func(thread, message int64) {
		t.Helper()
		if err := s.MarkSeen(t.Context(), "lead", "deploys", thread, message); err != nil {
			t.Fatal(err)
		}
	}
	seen(0, root.ID)
	check("lead", "deploys", webchat.Unread{Mentions: 1})
	seen(root.ID, reply.ID)
	seen(root.ID, 1)
	check("lead", "deploys", webchat.Unread{})

	check("oncall", "deploys", webchat.Unread{Messages: 1})
	if err := s.MarkAllSeen(t.Context(), "dev"); err != nil {
		t.Fatal(err)
	}
	check("dev", "general", webchat.Unread{})
	check("oncall", "deploys", webchat.Unread{Messages: 1})
	late := add(t, s, webchat.Message{Text: "late", Channel: "general"})
	check("dev", "general", webchat.Unread{Messages: 1})
	if err := s.MarkSeen(t.Context(), "dev", "general", 0, late.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkAllSeen(t.Context(), "dev"); err != nil {
		t.Fatal(err)
	}
	check("dev", "general", webchat.Unread{})
}

func absent(t *testing.T, s webchat.Store) {
	_, errMessage := s.Message(t.Context(), 77)
	_, errFile := s.MessageFile(t.Context(), 77)
	_, errChange := s.ChangeMessage(t.Context(), webchat.Message{ID: 77})
	_, _, errThread := s.AddMessage(t.Context(), webchat.Message{Key: "k", Channel: "deploys", Thread: 77, At: at}, nil)
	for name, err := range map[string]error{"message": errMessage, "file": errFile, "change": errChange, "thread": errThread} {
		if !fault.Is(err, fault.Missing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if found, err := s.Messages(t.Context(), "deploys", 77, "dev", 0, 5); err != nil || len(found) != 0 {
		t.Errorf("a reply to nothing was stored: %v, %v", found, err)
	}
}

func paging(t *testing.T, s webchat.Store) {
	for _, text := range []string{"a", "b", "c", "d", "e"} {
		add(t, s, webchat.Message{Text: text})
	}
	newest, err := s.Messages(t.Context(), "deploys", 0, "dev", 0, 2)
	if err != nil || len(newest) != 2 || newest[0].Text != "d" || newest[1].Text != "e" {
		t.Fatalf("newest %+v, %v", newest, err)
	}
	older, err := s.Messages(t.Context(), "deploys", 0, "dev", newest[0].ID, 2)
	if err != nil || len(older) != 2 || older[0].Text != "b" || older[1].Text != "c" {
		t.Errorf("older %+v, %v", older, err)
	}
}

// crowd reads along while many write: whoever follows the numbers must not miss
// a change that became visible after a higher number.
func crowd(t *testing.T, s webchat.Store) {
	const writers, each = 8, 10
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				key := string(rune('a'+w)) + "-" + string(rune('0'+i))
				if _, _, err := s.AddMessage(t.Context(), webchat.Message{Key: key, Channel: "deploys", At: at}, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	told, seq := map[string]bool{}, int64(0)
	for over := false; !over; {
		select {
		case <-done:
			over = true // one more look
		default:
		}
		for found := 1; found > 0; {
			batch, err := s.MessagesSince(t.Context(), seq, "dev", 7)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range batch {
				told[m.Key], seq = true, m.Seq
			}
			found = len(batch)
		}
	}
	if len(told) != writers*each {
		t.Errorf("%d of %d messages were told", len(told), writers*each)
	}
}
