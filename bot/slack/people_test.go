package slack

import (
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/bot/slack/slacktest"
	"maitred/chat"
	"maitred/fault"
)

func TestSlackSaysWhoSomebodyIs(t *testing.T) {
	e := listening(t, Socket, slacktest.Options{})
	for _, u := range []slacktest.User{
		{Name: "gus", Guest: true}, {Name: "sol", Single: true}, {Name: "sid", Stranger: true}, {Name: "kim", TeamID: "T0OTHER"},
		{Name: "del", Deleted: true}, {Name: "bot", Bot: true}, {Name: "tokio", Zone: "Asia/Tokyo"},
	} {
		e.slack.AddUser(u)
	}
	e.slack.SetGroup("leads", "bob", "gus")
	e.slack.SetGroup("others", "ann")
	leads := []string{slacktest.GroupID("leads")}
	tests := map[string]struct {
		who  string
		want chat.Person
		kind fault.Kind
		no   string
	}{
		"a member":                        {who: "ann", want: chat.Person{Zone: "Europe/Paris"}},
		"a member of a trusted group":     {who: "bob", want: chat.Person{Zone: "Europe/Paris", Groups: leads}},
		"a zone":                          {who: "tokio", want: chat.Person{Zone: "Asia/Tokyo"}},
		"a guest in a trusted group":      {who: "gus", want: chat.Person{Zone: "Europe/Paris", Guest: true}},
		"a guest of one channel":          {who: "sol", want: chat.Person{Zone: "Europe/Paris", Guest: true}},
		"somebody of Slack Connect":       {who: "sid", want: chat.Person{Zone: "Europe/Paris", Guest: true}},
		"somebody of another workspace":   {who: "kim", want: chat.Person{Zone: "Europe/Paris", Guest: true}},
		"a bot":                           {who: "bot", want: chat.Person{Zone: "Europe/Paris", Automaton: true}},
		"a deactivated account":           {who: "del", kind: fault.Forbidden, no: "deactivated"},
		"somebody whom Slack never heard": {who: "nobody-at-all", kind: fault.Missing, no: "user_not_found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			who := chat.Person{Chat: Name, ID: slacktest.UserID(test.who), Name: test.who, Who: test.who}
			got, err := e.chat.Know(t.Context(), who, false)
			if test.no != "" {
				if !fault.Is(err, test.kind) || !strings.Contains(fault.Of(err).Say, test.no) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || got.Guest != test.want.Guest || got.Automaton != test.want.Automaton || got.Zone != test.want.Zone || !slices.Equal(got.Groups, test.want.Groups) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func TestWhatSlackSaidIsRememberedForAWhile(t *testing.T) {
	e := listening(t, Socket, slacktest.Options{})
	e.slack.SetGroup("leads")
	know := func(anew bool) []string {
		t.Helper()
		who, err := e.chat.Know(t.Context(), ann, anew)
		if err != nil {
			t.Fatal(err)
		}
		return who.Groups
	}
	calls := func() int { return len(e.slack.Calls("usergroups.users.list", "users.info")) }
	know(false)
	before := calls()
	for range 100 {
		know(false)
	}
	if n := calls() - before; n != 0 {
		t.Errorf("%d calls for what is remembered", n)
	}
	e.slack.SetGroup("leads", "ann")
	if groups := know(false); len(groups) != 0 {
		t.Errorf("groups %v", groups)
	}
	e.slack.Advance(3 * time.Second)
	if groups := know(true); len(groups) != 1 {
		t.Errorf("asked anew, ann is in %v", groups)
	}
	e.slack.SetGroup("leads")
	e.slack.Advance(3 * time.Minute) // a little older still counts, while Slack is asked again
	know(false)
	e.until(t, "it was asked for again", func() bool { return len(know(false)) == 0 })
	e.slack.SetGroup("leads", "ann")
	e.slack.Advance(time.Hour)
	if groups := know(false); len(groups) != 1 {
		t.Errorf("after an hour ann is in %v", groups)
	}
}

func TestAMissingScopeIsNamed(t *testing.T) {
	e := listening(t, Socket, slacktest.Options{})
	e.slack.DropScope("users:read")
	if _, err := e.chat.Know(t.Context(), ann, false); !fault.Is(err, fault.Unsupported) || !strings.Contains(fault.Of(err).Say, "users:read") {
		t.Errorf("got %v", err)
	}
	e.slack.GrantScope("users:read")
	e.slack.DropScope("usergroups:read")
	e.slack.SetGroup("leads", "ann")
	if _, err := e.chat.Know(t.Context(), ann, false); err != nil {
		t.Errorf("nobody is served because groups cannot be read: %v", err)
	}
	if _, err := e.chat.Know(t.Context(), ann, true); !fault.Is(err, fault.Unsupported) || !strings.Contains(fault.Of(err).Say, "usergroups:read") {
		t.Errorf("got %v", err)
	}
}
