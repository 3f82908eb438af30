package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"maitred/bot/slack/slacktest"
	"maitred/chat"
	"maitred/fault"
)

// speaking is a Chat at a fake Slack that has ann, bob and a few channels.
func speaking(t *testing.T) (*Chat, *slacktest.Slack) {
	t.Helper()
	s := slacktest.New(t)
	for _, name := range []string{"ann", "bob"} {
		s.AddUser(slacktest.User{Name: name})
	}
	s.Channel("deploys")
	s.Invite("deploys")
	return again(s), s
}

// again is a Chat that remembers nothing.
func again(s *slacktest.Slack) *Chat {
	return New(Options{BotToken: s.BotToken, AppToken: s.AppToken, SigningSecret: s.SigningSecret, APIURL: s.URL()})
}

var (
	deploys = chat.Place{Chat: Name, Channel: slacktest.ChannelID("deploys")}
	ann     = chat.Person{Chat: Name, ID: slacktest.UserID("ann"), Who: "ann"}
	running = chat.Card{Title: "Deploy v1 of ocpizza", State: chat.Working, Word: "running", Text: "Deploy #1 is running.", Mention: []chat.Person{ann}}
	over    = chat.Card{Title: "Deploy v1 of ocpizza", State: chat.Good, Text: "Deploy #1 is done."}
)

func post(t *testing.T, c *Chat, to chat.Place, card chat.Card, key string) chat.MessageRef {
	t.Helper()
	ref, err := c.Post(t.Context(), to, card, key)
	if err != nil {
		t.Fatalf("post %s: %v", key, err)
	}
	return ref
}

// only is the one message that is in the channel.
func only(t *testing.T, s *slacktest.Slack, channel string) slacktest.Message {
	t.Helper()
	all := s.Messages(channel)
	if len(all) != 1 {
		t.Fatalf("#%s has %d messages: %v", channel, len(all), all)
	}
	return all[0]
}

func TestAMessageIsPostedOnceAndEditedInPlace(t *testing.T) {
	c, s := speaking(t)
	ref := post(t, c, deploys, running, "due-1")
	if twice := post(t, c, deploys, running, "due-1"); twice != ref {
		t.Errorf("the same key is at %v and %v", ref, twice)
	}
	if m := only(t, s, "deploys"); !strings.Contains(m.Text, "Deploy #1 is running.") || strings.Join(s.Mentions(m), "") != "ann" {
		t.Errorf("shown %q, mentions %q", m.Text, s.Mentions(m))
	}
	if err := c.Edit(t.Context(), ref, over); err != nil {
		t.Fatal(err)
	}
	if m := only(t, s, "deploys"); m.Text != "Deploy #1 is done." || !strings.Contains(s.Reads(m), "✓ done") {
		t.Errorf("shown %q %q", m.Text, s.Reads(m))
	}
	post(t, c, ref.InThread(), over, "due-2")
	if all := s.Messages("deploys"); all[1].Thread != ref.ID {
		t.Errorf("the answer is in thread %q of %q", all[1].Thread, ref.ID)
	}
}

func TestAPostWhoseAnswerWasLostIsNotRepeated(t *testing.T) {
	c, s := speaking(t)
	root := post(t, c, deploys, running, "due-1")
	for i, at := range []chat.Place{deploys, root.InThread()} {
		key := fmt.Sprintf("lost-%d", i)
		s.LoseAnswers("chat.postMessage", 1)
		if _, err := c.Post(t.Context(), at, over, key); !fault.Is(err, fault.Unreachable) {
			t.Fatalf("a lost answer is %v", err)
		}
		ref := post(t, c, at, over, key)
		if m, ok := s.Message("deploys", ref.ID); !ok || m.Text != "Deploy #1 is done." {
			t.Errorf("%v is %v", ref, m)
		}
	}
	if all := s.Messages("deploys"); len(all) != 3 {
		t.Errorf("%d messages, not 3: %v", len(all), all)
	}
}

func TestAMessageIsFoundAgainAfterARestart(t *testing.T) {
	c, s := speaking(t)
	ref := post(t, c, deploys, running, "due-1")
	reply := post(t, c, ref.InThread(), running, "due-2")
	fresh := again(s)
	for key, want := range map[string]chat.MessageRef{"due-1": ref, "due-2": reply} {
		got, found, err := fresh.Find(t.Context(), want.Place, key)
		if err != nil || !found || got != want {
			t.Errorf("%s: %v %t %v, not %v", key, got, found, err, want)
		}
	}
	if _, found, err := fresh.Find(t.Context(), deploys, "due-3"); found || err != nil {
		t.Errorf("what was never said is found: %t %v", found, err)
	}
	s.DropScope("channels:history")
	if _, found, err := again(s).Find(t.Context(), deploys, "due-1"); found || err != nil {
		t.Errorf("without the permission to read: %t %v", found, err)
	}
}

func TestWhatSlackRefusesIsToldForWhatItIs(t *testing.T) {
	c, s := speaking(t)
	ref := post(t, c, deploys, running, "due-1")
	for word, kind := range map[string]fault.Kind{
		"channel_not_found": fault.Missing, "not_in_channel": fault.Missing, "is_archived": fault.Missing, "missing_scope": fault.Unsupported,
		"internal_error": fault.Unreachable, "invalid_blocks": fault.Internal,
	} {
		s.Fail("chat.postMessage", 1, word)
		if _, err := c.Post(t.Context(), deploys, over, "due-"+word); !fault.Is(err, kind) {
			t.Errorf("%s is %v", word, err)
		}
	}
	s.DeleteMessage("deploys", ref.ID)
	if err := c.Edit(t.Context(), ref, over); !fault.Is(err, fault.Missing) {
		t.Errorf("a deleted message is %v", err)
	}
	s.Slow("chat.postMessage", time.Minute)
	ctx, cancel := within(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Post(ctx, deploys, over, "due-slow"); !fault.Is(err, fault.Unreachable) {
		t.Errorf("a slow Slack is %v", err)
	}
}

func TestARevokedTokenIsNotReadyUntilItIsRestored(t *testing.T) {
	c, s := speaking(t)
	c.deaf.Store(nil)
	s.RevokeToken()
	if _, err := c.Post(t.Context(), deploys, over, "due-1"); !fault.Is(err, fault.Unreachable) {
		t.Errorf("post: %v", err)
	}
	if err := c.Ready(t.Context()); !fault.Is(err, fault.Unreachable) || !strings.Contains(err.Error(), "token") {
		t.Errorf("ready: %v", err)
	}
	s.RestoreTokens()
	post(t, c, deploys, over, "due-1")
	if err := c.Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
	only(t, s, "deploys")
}

func TestRetryAfterHoldsOneMethodAndNoOther(t *testing.T) {
	c, s := speaking(t)
	ref := post(t, c, deploys, running, "due-1")
	s.Limit("chat.update", 1, 30*time.Second)
	err := c.Edit(t.Context(), ref, over)
	if wait := chat.Patience(err); wait != 30*time.Second || !fault.Is(err, fault.Unreachable) {
		t.Fatalf("the wait is %s: %v", wait, err)
	}
	if err := c.Edit(t.Context(), ref, over); chat.Patience(err) < 25*time.Second {
		t.Errorf("the second edit: %v", err)
	}
	if n := len(s.Calls("chat.update")); n != 1 {
		t.Errorf("Slack was asked %d times", n)
	}
	post(t, c, deploys, over, "due-2")
}

func TestASlowCallDelaysNoOtherChannel(t *testing.T) {
	c, s := speaking(t)
	s.Slow("chat.postMessage", 150*time.Millisecond)
	var places []chat.Place
	for i := range 20 {
		name := fmt.Sprintf("room%d", i)
		s.Channel(name)
		s.Invite(name)
		places = append(places, chat.Place{Chat: Name, Channel: slacktest.ChannelID(name)})
	}
	began := time.Now()
	var all sync.WaitGroup
	for i, at := range places {
		all.Go(func() {
			if _, err := c.Post(t.Context(), at, over, fmt.Sprintf("due-%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > 20*150*time.Millisecond/3 {
		t.Errorf("20 channels took %s", took)
	}
}

func TestAWhisperIsSeenByOneAlone(t *testing.T) {
	c, s := speaking(t)
	whisper := func(to chat.Place, key string) {
		t.Helper()
		for range 2 { // the same key twice
			if err := c.Whisper(t.Context(), to, ann, over, key); err != nil {
				t.Fatalf("whisper %s: %v", key, err)
			}
		}
	}
	s.Person("ann").Type("deploys", "hello")
	root := s.Messages("deploys")[0]
	whisper(chat.Place{Chat: Name, Channel: deploys.Channel, Thread: root.TS}, "one")
	all := s.Messages("deploys")
	if len(all) != 2 || all[1].Only != ann.ID || all[1].Thread != root.TS {
		t.Fatalf("shown %+v", all)
	}
	s.Channel("private")
	s.Kick("private")
	whisper(chat.Place{Chat: Name, Channel: slacktest.ChannelID("private")}, "two")
	if m := only(t, s, slacktest.DirectID("ann")); m.Text != "Deploy #1 is done." {
		t.Errorf("a direct message says %q", m.Text)
	}
	if err := c.Whisper(t.Context(), deploys, chat.Person{Chat: "webchat", ID: "ann"}, over, "three"); !fault.Is(err, fault.Missing) {
		t.Errorf("somebody of another chat: %v", err)
	}
}

// responseURL is the address for private answers that came with a command.
func responseURL(t *testing.T, d *slacktest.Delivery) string {
	t.Helper()
	var p struct {
		URL string `json:"response_url"`
	}
	if err := json.Unmarshal(d.Payload, &p); err != nil || p.URL == "" {
		t.Fatalf("no address in %s: %v", d.Payload, err)
	}
	return p.URL
}

func TestASlashCommandIsAnsweredWhereMaitredIsNoMember(t *testing.T) {
	c, s := speaking(t)
	s.Channel("elsewhere")
	s.Kick("elsewhere")
	address := responseURL(t, s.Person("ann").Slash("elsewhere", "/deploy"))
	c.replies.keep("key", reply{URL: address, At: time.Now()})
	if err := c.Whisper(t.Context(), chat.Place{Chat: Name, Channel: slacktest.ChannelID("elsewhere")}, ann, over, "key-said-0"); err != nil {
		t.Fatal(err)
	}
	if m := only(t, s, "elsewhere"); m.Only != ann.ID || m.Text != "Deploy #1 is done." {
		t.Errorf("shown %+v", m)
	}
	for range most {
		c.replies.use("key")
	}
	if url := c.replies.use("key"); url != "" {
		t.Errorf("the address is used more often than it works")
	}
}

func TestLongOutputHangsOnTheMessage(t *testing.T) {
	c, s := speaking(t)
	card := chat.Card{Text: "It printed.", Output: strings.Repeat("one line of a log\n", 1000)}
	ref := post(t, c, deploys, card, "due-1")
	post(t, c, deploys, card, "due-1")
	files := s.Files()
	if len(files) != 1 || string(files[0].Data) != card.Output || files[0].Thread != ref.ID {
		t.Fatalf("%d files: %+v", len(files), files)
	}
	if err := c.Whisper(t.Context(), deploys, ann, card, "in-said-0"); err != nil {
		t.Fatal(err)
	}
	files = s.Files()
	if len(files) != 2 || files[1].Channel != slacktest.DirectID("ann") {
		t.Fatalf("a private output went to %+v", files)
	}
	s.DropScope("files:write")
	ref = post(t, c, deploys, card, "due-2")
	all := s.Messages("deploys")
	if last := all[len(all)-1]; last.Thread != ref.ID || !strings.Contains(last.Text, "files:write") {
		t.Errorf("without the permission to upload: %q", last.Text)
	}
}

func TestNothingIsSentThatSlackRefuses(t *testing.T) {
	c, s := speaking(t)
	s.Person("ann").Type("deploys", "hello")
	card := chat.Card{Title: "x", Text: strings.Repeat("<!here> ", 5000), Output: strings.Repeat("`", 9000), Notes: make([]string, 99), Channel: true}
	for i := range card.Notes {
		card.Notes[i] = strings.Repeat("note ", 300)
	}
	ref := post(t, c, deploys, card, "due-1")
	if err := c.Edit(t.Context(), ref, card); err != nil {
		t.Error(err)
	}
	if err := c.Whisper(context.WithoutCancel(t.Context()), deploys, ann, card, "w"); err != nil {
		t.Error(err)
	}
	if r := s.Refusals(); len(r) > 0 {
		t.Errorf("refused: %q", r)
	}
}
