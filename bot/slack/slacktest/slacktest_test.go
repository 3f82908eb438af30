package slacktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"maitred/bot/slack/slacktest"
)

// app is a very small app: it acknowledges with what reply says, and remembers.
type app struct {
	t     *testing.T
	slack *slacktest.Slack
	reply func(kind string) any // nil is no acknowledgement
	got   chan map[string]any
}

func connected(t *testing.T, opts slacktest.Options) (*app, *websocket.Conn) {
	t.Helper()
	a := &app{t: t, slack: slacktest.New(t, opts), got: make(chan map[string]any, 100), reply: func(string) any { return map[string]any{} }}
	return a, a.dial()
}

func (a *app) call(method string, in url.Values, token string) (map[string]any, *http.Response) {
	a.t.Helper()
	r, err := http.NewRequest(http.MethodPost, a.slack.URL()+method, strings.NewReader(in.Encode()))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, nil
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		a.t.Fatal(err)
	}
	return out, resp
}

func (a *app) dial() *websocket.Conn {
	a.t.Helper()
	out, _ := a.call("apps.connections.open", nil, a.slack.AppToken)
	c, _, err := websocket.DefaultDialer.Dial(out["url"].(string), nil)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { c.Close() })
	var hello map[string]any
	if err := c.ReadJSON(&hello); err != nil || hello["type"] != "hello" {
		a.t.Fatalf("no hello: %v %v", hello, err)
	}
	go a.serve(c)
	return c
}

func (a *app) serve(c *websocket.Conn) {
	for {
		var in map[string]any
		if c.ReadJSON(&in) != nil {
			return
		}
		if reply := a.reply(str(in["type"])); reply != nil && in["envelope_id"] != nil {
			c.WriteJSON(map[string]any{"envelope_id": in["envelope_id"], "payload": reply}) //nolint:errcheck
		}
		a.got <- in
	}
}

func str(v any) string { s, _ := v.(string); return s }

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// quick is a Slack that does not wait for long.
var quick = slacktest.Options{AckWithin: 200 * time.Millisecond, Grace: 50 * time.Millisecond}

func TestWhatIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	a, _ := connected(t, quick)
	ann := a.slack.Person("ann")
	a.reply = func(string) any { return nil }

	if err := ann.Slash("deploys", "/deploy x").Wait(soon(t)); !errors.Is(err, slacktest.ErrTimeout) {
		t.Errorf("a command that nobody acknowledges: %v", err)
	}
	out, _ := a.call("chat.postMessage", url.Values{"channel": {slacktest.ChannelID("deploys")}, "text": {"x"},
		"blocks": {`[{"type":"actions","elements":[{"type":"button","text":{"type":"plain_text","text":"Go"},"value":"/go"}]}]`}}, a.slack.BotToken)
	m, ok := a.slack.Message("deploys", str(out["ts"]))
	if !ok {
		t.Fatalf("not posted: %v", out)
	}
	click := ann.Click(m, "Go")
	if err := click.Wait(soon(t)); !errors.Is(err, slacktest.ErrTrouble) || len(click.Attempts()) != 1 {
		t.Errorf("a click is tried once: %v, %d attempts", err, len(click.Attempts()))
	}
	_, mention := ann.Type("deploys", "@maitred status")
	for n := 2; n <= 4; n++ { // at once, after a minute, after five
		if err := a.slack.Wait(soon(t), func() bool { return len(mention.Attempts()) >= n-1 }); err != nil {
			t.Fatal(err)
		}
		a.slack.Advance([]time.Duration{0, time.Minute, 5 * time.Minute}[n-2])
	}
	if err := mention.Wait(soon(t)); !errors.Is(err, slacktest.ErrTimeout) || len(mention.Attempts()) != 4 {
		t.Errorf("an event is tried four times: %v, %d attempts", err, len(mention.Attempts()))
	}
}

func TestAcknowledgementsThatDoNotCount(t *testing.T) {
	t.Parallel()
	a, _ := connected(t, quick)
	a.reply = func(string) any { return map[string]any{"text": strings.Repeat("x", slacktest.MaxAck)} }
	if err := a.slack.Person("ann").Slash("deploys", "/deploy x").Wait(soon(t)); !errors.Is(err, slacktest.ErrTimeout) {
		t.Errorf("a large acknowledgement counts: %v", err)
	}
	a.reply = func(string) any { return map[string]any{"text": strings.Repeat("x", slacktest.MaxAck-200)} }
	if err := a.slack.Person("ann").Slash("deploys", "/deploy x").Wait(soon(t)); err != nil && len(a.slack.Dropped()) < 2 {
		t.Errorf("a smaller one does not: %v", err)
	}
	// The client above sends more than 4 KiB in several frames, which does not count either.
	if dropped := strings.Join(a.slack.Dropped(), "; "); !strings.Contains(dropped, "several frames") {
		t.Errorf("fragments are not noticed: %s", dropped)
	}
}

func TestEnvelopesGoToDeadConnectionsToo(t *testing.T) {
	t.Parallel()
	a, _ := connected(t, quick)
	a.dial()
	a.slack.HalfOpen(false)
	lost := 0
	ann := a.slack.Person("ann")
	for range 16 {
		if ann.Slash("deploys", "/deploy x").Wait(soon(t)) != nil {
			lost++
		}
	}
	if lost == 0 || lost == 16 {
		t.Errorf("%d of 16 commands were lost on a half-open connection", lost)
	}
	a.slack.Sweep()
	if n := a.slack.Connections(); n != 1 {
		t.Errorf("%d connections after the sweep", n)
	}
	if err := ann.Slash("deploys", "/deploy x").Wait(soon(t)); err != nil {
		t.Errorf("the other one does not serve: %v", err)
	}
}

func TestARecycledConnectionEndsItsWork(t *testing.T) {
	t.Parallel()
	a, c := connected(t, quick)
	hold := make(chan struct{})
	a.reply = func(string) any { <-hold; return map[string]any{} }
	d := a.slack.Person("ann").Slash("deploys", "/deploy x")
	if err := a.slack.Wait(soon(t), func() bool { return a.slack.Connections() == 1 && len(a.slack.Deliveries()) == 1 }); err != nil {
		t.Fatal(err)
	}
	a.slack.Refresh(true)
	close(hold)
	d.Wait(soon(t)) //nolint:errcheck // whether the acknowledgement was in time does not matter here
	if err := a.slack.Wait(soon(t), func() bool { return a.slack.Connections() == 0 }); err != nil {
		t.Fatal(err)
	}
	if err := a.slack.Person("ann").Slash("deploys", "/x").Wait(soon(t)); !errors.Is(err, slacktest.ErrDispatch) {
		t.Errorf("without a connection: %v", err)
	}
	c.Close()
}

func TestAnAnswerCanBeLost(t *testing.T) {
	t.Parallel()
	a, _ := connected(t, quick)
	a.slack.LoseAnswers("chat.postMessage", 1)
	in := url.Values{"channel": {a.slack.Channel("deploys")}, "text": {"twice?"}}
	if out, _ := a.call("chat.postMessage", in, a.slack.BotToken); out != nil {
		t.Errorf("answered: %v", out)
	}
	if n := len(a.slack.Messages("deploys")); n != 1 {
		t.Errorf("%d messages, though it was done", n)
	}
}

func TestUsualRateLimits(t *testing.T) {
	t.Parallel()
	a, _ := connected(t, quick)
	a.slack.Enforce(true)
	post := func(channel string) int {
		_, resp := a.call("chat.postMessage", url.Values{"channel": {a.slack.Channel(channel)}, "text": {"x"}}, a.slack.BotToken)
		return resp.StatusCode
	}
	for range 5 {
		if post("one") != http.StatusOK {
			t.Fatal("a short burst is refused")
		}
	}
	if post("one") != http.StatusTooManyRequests || post("two") != http.StatusOK {
		t.Error("the limit is per channel")
	}
	a.slack.Advance(5 * time.Second)
	if post("one") != http.StatusOK {
		t.Error("the limit does not end")
	}
}

func TestPeopleWhoMayNot(t *testing.T) {
	t.Parallel()
	a, _ := connected(t, quick)
	a.slack.AddUser(slacktest.User{Name: "gus", Guest: true})
	a.slack.AddUser(slacktest.User{Name: "sue", Stranger: true})
	a.slack.Deactivate("dan")
	for user, want := range map[string]string{"gus": "is_restricted", "sue": "is_stranger", "dan": "deleted"} {
		out, _ := a.call("users.info", url.Values{"user": {slacktest.UserID(user)}}, a.slack.BotToken)
		if u, _ := out["user"].(map[string]any); u[want] != true {
			t.Errorf("%s: %v", user, out)
		}
	}
	sue := a.slack.Person("sue").Slash("deploys", "/deploy x")
	if err := sue.Wait(soon(t)); err != nil || !strings.Contains(string(sue.Payload), `"team_id":"T0OTHER"`) {
		t.Errorf("a person of another workspace: %v %s", err, sue.Payload)
	}
}
