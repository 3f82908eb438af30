package webchat_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"maitred/bot/webchat"
	"maitred/bot/webchat/webchattest"
	"maitred/chat"
)

// events reads a stream until it has seen n events of a name.
func (s *site) events(t *testing.T, as, after, lastID, name string, n int, then func()) (data []string, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/stream?as="+as+"&after="+after, nil)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	event, trigger := "", "hello"
	if name == "unread" {
		trigger = name // the first one is told at once
	}
	for lines := bufio.NewScanner(answer.Body); len(data) < n && lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case key == "event":
			event = value
			if value == trigger && then != nil {
				then()
				then = nil
			}
		case key == "id":
			id = value
		case key == "data" && event == name:
			data = append(data, value)
		}
	}
	if len(data) < n {
		t.Fatalf("%d of %d %s events came", len(data), n, name)
	}
	return data, id
}

func TestStreamGoesOnWhereItWasCutOff(t *testing.T) {
	s := newSite(t)
	post := func(text string) {
		if _, err := s.chat.Post(t.Context(), top, chat.Card{Text: text}, text); err != nil {
			t.Error(err)
		}
	}
	data, id := s.events(t, "lead", "0", "", "message", 1, func() { post("first") })
	if !strings.Contains(data[0], "first") {
		t.Errorf("told %s", data)
	}
	post("second")
	_ = s.chat.Whisper(t.Context(), top, dev, chat.Card{Text: "for dev alone"}, "w")
	post("third")
	data, _ = s.events(t, "lead", "0", id, "message", 2, nil)
	if !strings.Contains(data[0], "second") || !strings.Contains(data[1], "third") {
		t.Errorf("told %s", data)
	}
	if data, _ = s.events(t, "dev", id, "", "message", 3, nil); !strings.Contains(data[1], "for dev alone") || !strings.Contains(data[1], "Only visible to you") {
		t.Errorf("dev is told %s", data)
	}
	if data, _ = s.events(t, "lead", "99999", "", "reset", 1, nil); len(data) != 1 {
		t.Error("a page that knows a newer store than this one must start again")
	}
}

func TestUnreadIsTold(t *testing.T) {
	s := newSite(t)
	data, _ := s.events(t, "dev", "0", "", "unread", 2, func() {
		_, _ = s.chat.Post(t.Context(), chat.Place{Chat: "webchat", Channel: "general"}, chat.Card{Text: "look", Mention: []chat.Person{{Chat: "webchat", ID: "lead"}}}, "m")
	})
	if last := data[len(data)-1]; !strings.Contains(last, `"general":{"messages":1,"mentions":0}`) || !strings.Contains(last, `"lead":1`) {
		t.Errorf("told %s", last)
	}
}

func TestPostsOfAnOpenPageGoOnAfterARestart(t *testing.T) {
	kept := webchattest.NewMemory()
	before := serve(t, webchat.New(options(kept)), &door{})
	after := serve(t, webchat.New(options(kept)), &door{})
	after.client.Jar = before.client.Jar // the same browser
	after.token = before.token
	if code, _ := after.post(t, "/c/deploys/say", fields{"as": "dev", "key": "1", "text": "hi"}); code != 403 {
		t.Fatalf("a token of the earlier start is good for %d", code)
	}
	data, _ := after.events(t, "dev", "0", "", "hello", 1, nil)
	var hello struct{ Token string }
	if err := json.Unmarshal([]byte(data[0]), &hello); err != nil {
		t.Fatal(err)
	}
	after.token = hello.Token
	if code, text := after.post(t, "/c/deploys/say", fields{"as": "dev", "key": "1", "text": "hi"}); code != 200 {
		t.Error(code, text)
	}
}
