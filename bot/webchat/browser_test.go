package webchat_test

import (
	"testing"
	"time"

	"maitred/bot/webchat/webchattest"
	"maitred/chat"
)

func TestBrowserCompletesByKeyboard(t *testing.T) {
	s := newSite(t)
	b := webchattest.Open(t, s.URL)
	b.Picture("empty")
	b.Type("#composer-text", "/de")
	b.Until(`document.querySelectorAll("#completions-channel li").length >= 2`)
	b.Picture("completion")
	b.Press("Tab")
	b.Until(`document.querySelector("#composer-text").value === "/deploy "`)
	b.Until(`document.querySelectorAll("#completions-channel li").length === 2`)
	b.Press("ArrowDown")
	b.Press("ArrowDown")
	b.Until(`document.querySelector("#completions-channel li[aria-selected=true]").id === document.querySelector("#composer-text").getAttribute("aria-activedescendant")`)
	b.Press("Enter")
	b.Until(`document.querySelector("#composer-text").value === "/deploy ocpizza@v1.2.0 "`)
	b.Press("Enter")
	b.Sees("#messages", "/deploy ocpizza@v1.2.0")
	if in := s.door.last(t); in.Line != "/deploy ocpizza@v1.2.0" || in.Person.ID != "dev" {
		t.Errorf("heard %+v", in)
	}
	b.Press("ArrowUp")
	b.Until(`document.querySelector("#composer-text").value === "/deploy ocpizza@v1.2.0"`)
}

func TestBrowserFollowsCardsAndThreads(t *testing.T) {
	s := newSite(t)
	b := webchattest.Open(t, s.URL+"/c/deploys?as=lead")
	s.post(t, "/c/deploys/say", fields{"as": "dev", "key": "1", "text": "/deploy ocpizza@v1.1.0"})
	waiting := deploying()
	waiting.State, waiting.Steps = chat.Waiting, nil
	root, err := s.chat.Post(t.Context(), top, waiting, "op")
	if err != nil {
		t.Fatal(err)
	}
	ask, err := s.chat.Post(t.Context(), root.InThread(), asked(), "ask")
	if err != nil {
		t.Fatal(err)
	}
	b.Until(`document.querySelector("#messages .replies .badge.hot")?.textContent === "@ you"`)
	b.Picture("mentioned")
	b.Click(".replies")
	b.Until(`document.querySelectorAll("#thread-messages > article").length === 2 && document.activeElement.id === "thread-text"`)
	b.Picture("thread")
	b.Click(`#panel [data-line="/approve 2"]`)
	waitFor(t, "the click", func() bool { return len(s.heard()) == 2 })
	if in := s.door.last(t); in.Line != "/approve 2" || in.Person.ID != "lead" || in.Place != root.InThread() {
		t.Errorf("heard %+v", in)
	}
	decided := asked()
	decided.State, decided.Word, decided.Buttons = chat.Good, "approved", nil
	decided.Fields = append(decided.Fields, chat.Field{Label: "Decided", Value: "approved by lead at 14:02"})
	_ = s.chat.Edit(t.Context(), ask, decided)
	_ = s.chat.Edit(t.Context(), root, deploying())
	b.Until(`!document.querySelector('[data-line="/approve 2"]')`)
	b.Until(`document.querySelectorAll('#messages .step.running').length === 1 && document.querySelectorAll('#panel .step.running').length === 1`)
	b.Picture("running")
	b.Click(`#messages [data-line="/cancel 2"]`)
	b.Until(`document.querySelector("#confirm").open`)
	b.Picture("confirm")
	b.Press("Escape")
	b.Until(`!document.querySelector("#confirm").open && !document.querySelector("#panel").hidden`)
	b.Press("Escape")
	b.Until(`document.querySelector("#panel").hidden`)
	if n := len(s.heard()); n != 2 {
		t.Errorf("%d lines were heard, want 2: nothing was confirmed", n)
	}
	s.everything(t)
	b.Sees("#messages", "came back to")
	b.Picture("cards")
	b.Click("#theme")
	b.Until(`document.documentElement.dataset.theme === "dark"`)
	b.Picture("dark")
}

func TestBrowserFillsInAForm(t *testing.T) {
	s := newSite(t)
	b := webchattest.Open(t, s.URL)
	err := s.chat.OpenForm(t.Context(), chat.Inbound{Key: "in", Person: dev, Place: top}, chat.Form{
		Title: "Set SECRET_KEY of ocpizza", Text: "The value is sealed before it is stored, and never shown.", Line: "/config set SECRET_KEY", Submit: "Set the variable",
		Fields: []chat.FormField{
			{Name: "value", Label: "Value", Kind: chat.SecretField, Required: true, Help: "Paste it here; nobody sees it."},
			{Name: "environment", Label: "Environment", Kind: chat.ChoiceField, Choices: []string{"production", "staging"}, Value: "production", Required: true},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Until(`document.querySelector("#form").open && document.activeElement.name === "value"`)
	b.Type(`#form input[name="value"]`, "canary-4711")
	b.Picture("form")
	b.Click(`#form [type="submit"]`)
	b.Until(`!document.querySelector("#form").open`)
	b.Sees("#messages", "the form was sent")
	b.Until(`!document.documentElement.outerHTML.includes("canary")`)
	if in := s.door.last(t); in.Secrets["value"] != "canary-4711" || in.Fields["environment"] != "production" {
		t.Errorf("heard %+v", in)
	}
	b.Picture("form-sent")
}

func TestBrowserSwitchesPersona(t *testing.T) {
	s := newSite(t)
	b := webchattest.Open(t, s.URL)
	root, _ := s.chat.Post(t.Context(), top, chat.Card{Text: "root"}, "r")
	_, _ = s.chat.Post(t.Context(), root.InThread(), asked(), "a")
	_ = s.chat.Whisper(t.Context(), top, dev, chat.Card{Text: "dev may not freeze ocpizza.", State: chat.Bad, Word: "refused"}, "w")
	b.Until(`document.querySelector('[data-persona="lead"] .badge:not([hidden]) .count')?.textContent === "1"`)
	b.Sees("#messages", "Only visible to you", "may not freeze")
	b.Picture("whisper")
	b.Click(`[data-persona="lead"]`)
	b.Until(webchattest.Live + ` && document.body.dataset.as === "lead"`)
	b.Until(`!document.querySelector("#messages").textContent.includes("may not freeze")`)
}

// deploying is a card with everything on it.
func deploying() chat.Card {
	return chat.Card{
		Title: "Deploy ocpizza v1.1.0 to production", State: chat.Working, Text: "Deploy #2 of ocpizza v1.1.0 is running.",
		Fields: []chat.Field{{Label: "Requested by", Value: "dev"}, {Label: "Commit", Value: "`4f1c2ab` Add a menu of the day"}, {Label: "Approvals", Value: "1 of 1, by lead"}},
		Steps: []chat.StepLine{
			{Name: "fetch", State: chat.StepDone, Say: "4f1c2ab", Took: 120 * time.Millisecond},
			{Name: "build", State: chat.StepDone, Say: "3 assets", Took: 3100 * time.Millisecond},
			{Name: "migrate", State: chat.StepRunning, Say: "0002_daily_menu"},
			{Name: "start", State: chat.StepPending}, {Name: "probe", State: chat.StepPending}, {Name: "switch", State: chat.StepPending}, {Name: "verify", State: chat.StepPending},
		},
		Notes:   []string{"Its database will be ahead of r1 from here on."},
		Buttons: []chat.Button{{Label: "Cancel", Line: "/cancel 2", Confirm: "Stop deploy #2 and take back what it did?", Danger: true}},
	}
}

func asked() chat.Card {
	return chat.Card{
		Title: "Deploy ocpizza v1.1.0 to production?", State: chat.Waiting, Text: "dev asks to deploy ocpizza v1.1.0 to production.",
		Mention: []chat.Person{{Chat: "webchat", ID: "lead"}},
		Fields:  []chat.Field{{Label: "Commit", Value: "`4f1c2ab`"}, {Label: "Expires", Value: "in an hour"}},
		Notes:   []string{"`4f1c2ab` Add a menu of the day (Ann)", "`91be034` Prices in a table (Bob)"},
		Buttons: []chat.Button{{Label: "Approve", Line: "/approve 2"}, {Label: "Reject", Line: "/reject 2", Danger: true}},
	}
}

// everything posts one card of each sort.
func (s *site) everything(t *testing.T) {
	t.Helper()
	for key, card := range map[string]chat.Card{
		"good": {Title: "Deploy ocpizza v1.1.0 to production", State: chat.Good, Word: "live", Text: "ocpizza v1.1.0 is live.",
			Fields:  []chat.Field{{Label: "Release", Value: "r2 (v1.1.0)"}, {Label: "Took", Value: "6.4 s"}, {Label: "Open", Value: "http://127.0.0.1:8081/"}},
			Buttons: []chat.Button{{Label: "Roll back to v1.0.0", Line: "/rollback ocpizza to r1 if r2", Confirm: "Go back to v1.0.0?", Danger: true}}},
		"out": {State: chat.Good, Text: "The command ended with exit code 0 after 1.2 s.", Output: "applying 0001_orders.sql\napplying 0002_daily_menu.sql\n2 migrations applied"},
	} {
		if _, err := s.chat.Post(t.Context(), top, card, key); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.chat.Whisper(t.Context(), top, chat.Person{ID: "lead"}, chat.Card{State: chat.Bad, Word: "refused", Title: "Not understood", Text: "There is no command /depoly.", Notes: []string{"There is no command `/depoly`. Did you mean `/deploy ocpizza`?"}}, "w")
	_, _ = s.chat.Post(t.Context(), top, chat.Card{Title: "Deploy ocpizza v1.2.0 to production", State: chat.Bad, Word: "failed, undone", Text: "Deploy #3 came back to v1.0.0.",
		Steps: []chat.StepLine{{Name: "build", State: chat.StepDone}, {Name: "start", State: chat.StepUndone}, {Name: "probe", State: chat.StepFailed, Say: "not healthy in 10 s"}, {Name: "switch", State: chat.StepSkipped}, {Name: "notify", State: chat.StepUnknown}},
		Notes: []string{"ocpizza came back to v1.0.0; it answered all the time."}}, "bad")
}

func (s *site) heard() []chat.Inbound {
	s.door.mu.Lock()
	defer s.door.mu.Unlock()
	return s.door.heard
}

func waitFor(t *testing.T, what string, fact func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !fact(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}
