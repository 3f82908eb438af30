package webchat_test

import (
	"errors"
	"strings"
	"testing"

	"maitred/chat"
	"maitred/fault"
)

// TestWhatIsSaidElsewhereIsShown says a line through another door to the page.
func TestWhatIsSaidElsewhereIsShown(t *testing.T) {
	s := newSite(t)
	door := s.chat.Aloud(s.door)
	dev, _ := s.chat.Person("dev")
	in := chat.Inbound{Key: "say/1", Person: dev, Place: top, Line: "/config set TOKEN=canary-4711", Source: chat.Called}
	for range 2 { // a repeated request is one message
		if _, err := door.Receive(t.Context(), in); err != nil {
			t.Fatal(err)
		}
	}
	page := s.get(t, "/c/deploys?as=lead")
	if strings.Count(page, "<code>/config set TOKEN=•••") > 1 || !strings.Contains(page, "TOKEN=•••") || strings.Contains(page, "canary") {
		t.Error("the line is not on the page once, without its secret")
	}
	if heard := s.door.last(t); heard.Line != in.Line || heard.Source != chat.Called {
		t.Errorf("heard %+v", heard)
	}
	before := s.get(t, "/c/deploys?as=lead")
	for _, quiet := range []chat.Inbound{
		{Key: "say/2", Person: dev, Place: chat.Place{Chat: "api"}, Line: "/queue of the api"},
		{Key: "say/3", Person: chat.Person{Chat: "api", ID: "robot"}, Place: top, Line: "/queue of a robot"},
	} {
		if _, err := door.Receive(t.Context(), quiet); err != nil || s.door.last(t).Line != quiet.Line {
			t.Errorf("%s was not heard: %v", quiet.Line, err)
		}
	}
	if after := s.get(t, "/c/deploys?as=lead"); strings.Count(after, "<article") != strings.Count(before, "<article") {
		t.Error("what is not said by a persona in the page is shown there")
	}
	s.door.fail = &fault.Error{Kind: fault.Unreachable, Say: "It could not be stored.", Err: errors.New("ENOSPC")}
	in.Key = "say/4"
	if _, err := door.Receive(t.Context(), in); err == nil || !strings.Contains(s.get(t, "/c/deploys?as=lead"), "Not heard") {
		t.Errorf("the line looks as if it had been heard: %v", err)
	}
}

// TestEverythingIsMarkedAsRead marks it for one persona alone.
func TestEverythingIsMarkedAsRead(t *testing.T) {
	s := newSite(t)
	s.post(t, "/c/general/say", fields{"as": "dev", "key": "k1", "text": "hello @lead @oncall"})
	unread := `<span class="badge hot"><span class="count">1`
	if code, text := s.post(t, "/seen", fields{"as": "lead", "key": "k2"}); code != 200 {
		t.Fatal(code, text)
	}
	channel := func(who string) string {
		page := s.get(t, "/c/deploys?as="+who)
		i := strings.Index(page, `data-channel-link="general"`)
		return page[i : i+300]
	}
	if strings.Contains(channel("lead"), unread) || !strings.Contains(channel("oncall"), unread) {
		t.Errorf("lead sees %s\noncall sees %s", channel("lead"), channel("oncall"))
	}
	if code, _ := s.post(t, "/seen", fields{"as": "nobody", "key": "k3"}); code != 400 {
		t.Errorf("a stranger is answered %d", code)
	}
}
