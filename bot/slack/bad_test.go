package slack

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"maitred/bot/slack/slacktest"
	"maitred/chat"
	"maitred/fault"
)

func TestOnlyWhatSlackSignedALittleAgoCounts(t *testing.T) {
	e := listening(t, HTTP, slacktest.Options{})
	body := []byte("command=%2Fdeploy&text=ocpizza&user_id=U0ANN&user_name=ann&channel_id=C0DEPLOYS&team_id=T0TEAM&trigger_id=")
	now := e.slack.Now()
	e.chat.options.Now = func() time.Time { return now } // so that the edges are exact
	tests := map[string]struct {
		at     time.Time
		change func(h http.Header)
		body   string
		status int
		reason string
	}{
		"now":                     {at: now, status: 200},
		"five minutes old":        {at: now.Add(-5 * time.Minute).Add(time.Second), status: 200},
		"five minutes ahead":      {at: now.Add(5 * time.Minute), status: 200},
		"older":                   {at: now.Add(-5*time.Minute - 2*time.Second), status: 401, reason: "too old"},
		"further ahead":           {at: now.Add(5*time.Minute + 2*time.Second), status: 401, reason: "from the future"},
		"no signature":            {at: now, change: func(h http.Header) { h.Del("X-Slack-Signature") }, status: 401, reason: "not signed"},
		"no time":                 {at: now, change: func(h http.Header) { h.Del("X-Slack-Request-Timestamp") }, status: 401, reason: "not signed"},
		"a time that is none":     {at: now, change: func(h http.Header) { h.Set("X-Slack-Request-Timestamp", "soon") }, status: 401, reason: "no time"},
		"another time":            {at: now, change: func(h http.Header) { h.Set("X-Slack-Request-Timestamp", "1") }, status: 401, reason: "wrong signature"},
		"another body":            {at: now, body: "command=%2Fstop", status: 401, reason: "wrong signature"},
		"another version":         {at: now, change: func(h http.Header) { h.Set("X-Slack-Signature", "v1"+h.Get("X-Slack-Signature")[2:]) }, status: 401, reason: "wrong signature"},
		"half a signature":        {at: now, change: func(h http.Header) { h.Set("X-Slack-Signature", h.Get("X-Slack-Signature")[:20]) }, status: 401, reason: "wrong signature"},
		"a signature that is not": {at: now, change: func(h http.Header) { h.Set("X-Slack-Signature", "v0=zz") }, status: 401, reason: "wrong signature"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			own := append(append([]byte{}, body...), strings.ReplaceAll(name, " ", "-")...)
			h := e.slack.Sign(test.at, own)
			if test.change != nil {
				test.change(h)
			}
			if test.body != "" {
				own = []byte(test.body)
			}
			before, heard := 0.0, len(e.all())
			if test.reason != "" {
				before = value(t, e.chat.metrics.refused.WithLabelValues(test.reason))
			}
			a, err := e.slack.Send(t.Context(), e.url, "application/x-www-form-urlencoded", own, h)
			if err != nil || a.Status != test.status {
				t.Fatalf("status %d (%s), %v", a.Status, a.Body, err)
			}
			if test.status == 200 {
				heard++
			} else if counted := value(t, e.chat.metrics.refused.WithLabelValues(test.reason)); counted != before+1 {
				t.Errorf("counted %v times as %q, before %v", counted, test.reason, before)
			}
			if now := len(e.all()); now != heard {
				t.Errorf("%d lines were heard, want %d", now, heard)
			}
		})
	}
}

func TestRequestsThatSayNothing(t *testing.T) {
	e := listening(t, HTTP, slacktest.Options{})
	tests := map[string]struct {
		kind, body string
		status     int
	}{
		"a check of the certificate": {"application/x-www-form-urlencoded", "ssl_check=1&token=x", 200},
		"no form":                    {"application/x-www-form-urlencoded", "a=%zz", 400},
		"nothing known":              {"application/x-www-form-urlencoded", "hello=there", 400},
		"no type":                    {"", "x", 400},
		"an empty body":              {"application/x-www-form-urlencoded", "", 400},
		"a novel":                    {"application/json", strings.Repeat("x", 1<<20+1), 413},
		"a megabyte of an event":     {"application/json", `{"type":"event_callback","team_id":"T0TEAM","event":{"type":"app_mention","user":"U0ANN","channel":"C0DEPLOYS","ts":"1.1","text":"@maitred ` + strings.Repeat("x", 1<<20-300) + `"}}`, 200},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := e.slack.Send(t.Context(), e.url, test.kind, []byte(test.body), e.slack.Sign(e.slack.Now(), []byte(test.body)))
			if err != nil || a.Status != test.status {
				t.Errorf("status %d (%s), %v", a.Status, a.Body, err)
			}
		})
	}
	if r, err := http.Get(e.url); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %v, %v", r, err)
	} else {
		r.Body.Close() //nolint:errcheck // nothing was read
	}
	if err := e.slack.Challenge(t.Context()); err != nil {
		t.Errorf("url verification: %v", err)
	}
}

func TestWhatCannotBeReadIsLoggedAndAcknowledged(t *testing.T) {
	event := func(e map[string]any) map[string]any {
		return map[string]any{"type": "event_callback", "team_id": "T0TEAM", "event_id": "Ev1", "event": e}
	}
	tests := map[string]struct {
		kind    string
		payload any
		logs    string // a log line; nothing is heard in any case
	}{
		"a command without a user":        {slacktest.KindCommand, map[string]any{"command": "/deploy", "team_id": "T0TEAM", "channel_id": "C1", "trigger_id": "t"}, "delivery not understood"},
		"a click without an action":       {slacktest.KindInteractive, map[string]any{"type": "block_actions", "user": map[string]any{"id": "U0ANN"}}, "delivery not understood"},
		"a click of another shape":        {slacktest.KindInteractive, map[string]any{"type": "block_actions", "actions": "many"}, "delivery not understood"},
		"an unknown interaction":          {slacktest.KindInteractive, map[string]any{"type": "shortcut", "user": map[string]any{"id": "U0ANN"}}, "interaction not asked for"},
		"a form that is not ours":         {slacktest.KindInteractive, map[string]any{"type": "view_submission", "user": map[string]any{"id": "U0ANN"}, "view": map[string]any{"id": "V1", "private_metadata": "x"}}, "delivery not understood"},
		"an unknown event":                {slacktest.KindEvent, event(map[string]any{"type": "reaction_added", "item": map[string]any{"channel": "C1"}}), "event not asked for"},
		"an event of another shape":       {slacktest.KindEvent, event(map[string]any{"type": "app_mention", "channel": map[string]any{"id": "C1"}}), "delivery not understood"},
		"a mention without a channel":     {slacktest.KindEvent, event(map[string]any{"type": "app_mention", "user": "U0ANN", "text": "x", "ts": "1.1"}), "delivery not understood"},
		"a change of a message":           {slacktest.KindEvent, event(map[string]any{"type": "message", "subtype": "message_changed", "channel": "C1", "ts": "1.1", "hidden": true}), ""},
		"what maitred says itself":        {slacktest.KindEvent, event(map[string]any{"type": "message", "channel": "C1", "ts": "1.1", "user": "U0MAITRED", "text": "/deploy"}), ""},
		"what another bot says":           {slacktest.KindEvent, event(map[string]any{"type": "message", "channel": "D1", "ts": "1.1", "user": "U0BOT", "bot_id": "B1", "text": "/deploy"}), ""},
		"too many events":                 {slacktest.KindEvent, map[string]any{"type": "app_rate_limited", "team_id": "T0TEAM", "minute_rate_limited": 1}, "slack drops events: there are more than 30,000 in an hour"},
		"an unknown envelope":             {slacktest.KindEvent, map[string]any{"type": "something_new", "team_id": "T0TEAM"}, "delivery of an unknown type"},
		"a mention in another workspace":  {slacktest.KindEvent, map[string]any{"type": "event_callback", "team_id": "T0OTHER", "event": map[string]any{"type": "app_mention", "user": "U1", "channel": "C1", "ts": "1.1", "text": "deploy"}}, "delivery of another workspace"},
		"a click in another workspace":    {slacktest.KindInteractive, map[string]any{"type": "block_actions", "team": map[string]any{"id": "T0OTHER"}, "user": map[string]any{"id": "U1"}, "channel": map[string]any{"id": "C1"}, "actions": []any{map[string]any{"type": "button", "value": "/deploy"}}}, "delivery of another workspace"},
		"a command in another workspace":  {slacktest.KindCommand, map[string]any{"command": "/deploy", "team_id": "T0OTHER", "user_id": "U1", "channel_id": "C1", "trigger_id": "t"}, "delivery of another workspace"},
		"a block that nobody knows":       {slacktest.KindInteractive, map[string]any{"type": "block_actions", "message": map[string]any{"blocks": []any{map[string]any{"type": 7}}}}, "delivery not understood"},
		"an event that is no event":       {slacktest.KindEvent, map[string]any{"type": "event_callback", "team_id": "T0TEAM", "event": 7}, "delivery not understood"},
		"tokens that are taken away":      {slacktest.KindEvent, event(map[string]any{"type": "tokens_revoked", "tokens": map[string]any{}}), "the app was taken out of slack"},
		"somebody who opens the messages": {slacktest.KindEvent, event(map[string]any{"type": "app_home_opened", "user": "U0ANN", "tab": "messages"}), ""},
	}
	inBothModes(t, slacktest.Options{}, func(t *testing.T, e *ear) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				e.log.TakeAll()
				got := acked(t, e.slack.Inject(test.kind, test.payload))
				if test.kind == slacktest.KindCommand && !strings.Contains(got, "maitred") {
					t.Errorf("whoever typed is told %q", got)
				}
				if test.logs != "" && !e.logged(test.logs) {
					t.Errorf("the log says %v", e.log.All())
				}
			})
		}
		if heard := e.all(); len(heard) != 0 {
			t.Errorf("heard %+v", heard)
		}
		acked(t, e.slack.Person("ann").Slash("deploys", "/maitred status")) // and goes on
		if heard := e.all(); len(heard) != 1 {
			t.Errorf("heard %+v", heard)
		}
	})
}

func TestABlockThatTheLibraryDoesNotKnowKeepsNothingBack(t *testing.T) {
	e := listening(t, Socket, slacktest.Options{})
	acked(t, e.slack.Inject(slacktest.KindInteractive, map[string]any{
		"type": "block_actions", "trigger_id": "t1", "team": map[string]any{"id": "T0TEAM"}, "user": map[string]any{"id": "U0ANN", "username": "ann"},
		"channel": map[string]any{"id": "C0DEPLOYS"}, "message": map[string]any{"ts": "1.1", "blocks": []any{map[string]any{"type": "section", "text": 7}}},
		"actions": []any{map[string]any{"type": "button", "action_id": "a", "value": "/approve 214"}},
	}))
	if heard := e.all(); len(heard) != 1 || heard[0].Line != "/approve 214" {
		t.Errorf("heard %+v", heard)
	}
	e.slack.RawFrame(`{"type":"hello again"}`)
	e.slack.RawFrame(`not even json`)
	acked(t, e.slack.Person("ann").Slash("deploys", "/maitred status"))
}

func TestARevokedTokenIsToldAndARestoredOneUsed(t *testing.T) {
	e := listening(t, Socket, slacktest.Options{})
	e.slack.RevokeAppToken()
	e.slack.Cut(true)
	e.until(t, "it is not ready", func() bool {
		err := e.chat.Ready(t.Context())
		return err != nil && strings.Contains(fault.Of(err).Say, "app token")
	})
	e.slack.RestoreTokens()
	e.until(t, "it is ready again", func() bool { return e.chat.Ready(t.Context()) == nil && e.slack.Connections() == 2 })
	acked(t, e.slack.Person("ann").Slash("deploys", "/maitred status"))

	e.slack.RevokeToken()
	if _, err := e.chat.Post(t.Context(), deploys, chat.Card{Text: "Hello."}, "k"); !fault.Is(err, fault.Unreachable) {
		t.Errorf("posted with a revoked token: %v", err)
	}
	if err := e.chat.Ready(t.Context()); err == nil || !strings.Contains(fault.Of(err).Say, "bot token") {
		t.Errorf("ready says %v", err)
	}
	e.slack.RestoreTokens()
	e.until(t, "it is ready again", func() bool { return e.chat.Ready(t.Context()) == nil })
}

func TestGhostConnectionsAreTold(t *testing.T) {
	e := listening(t, Socket, slacktest.Options{})
	e.slack.Ghosts(3)
	e.slack.Cut(true)
	const warning = "slack counts connections that maitred does not have; clicks that go there are lost"
	e.until(t, "somebody is told of the ghosts", func() bool { e.chat.ghosts(time.Now()); return e.logged(warning) })
	if n := value(t, e.chat.metrics.ghosts); n < 1 {
		t.Errorf("%v ghosts are counted", n)
	}
}

func TestAStopSaysGoodBye(t *testing.T) {
	s := slacktest.New(t)
	c := again(s)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, &notebook{}) }()
	e := &ear{slack: s, chat: c}
	e.until(t, "it is connected", func() bool { return c.count() == 2 })
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	e.until(t, "slack counts none", func() bool { return s.Connections() == 0 })
	if n := len(s.Deliveries()); n != 0 {
		t.Errorf("%d deliveries", n)
	}
}

// value is what a counter or gauge shows.
func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}
