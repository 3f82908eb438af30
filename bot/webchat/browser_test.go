package webchat_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

func TestBrowserNeedsNoMouse(t *testing.T) {
	s := newSite(t)
	root, _ := s.chat.Post(t.Context(), top, deploying(), "r")
	_, _ = s.chat.Post(t.Context(), root.InThread(), asked(), "a")
	b := webchattest.Open(t, s.URL+"/c/deploys?as=lead")
	b.Until(`document.activeElement.id === "composer-text"`)
	b.Until(`(document.querySelector("#messages .replies").focus(), true)`)
	b.Press("Enter")
	b.Until(`document.activeElement.id === "thread-text"`)
	b.Type("#thread-text", "approve")
	b.Press("Enter")
	b.Sees("#thread-messages", "approve")
	if in := s.door.last(t); in.Line != "approve" || in.Place != root.InThread() || in.Person.ID != "lead" {
		t.Errorf("heard %+v", in)
	}
	b.Press("Escape")
	b.Until(`document.querySelector("#panel").hidden && document.activeElement.matches("#messages .replies")`)
	b.Until(`(document.querySelector('#messages [data-line="/cancel 2"]').focus(), true)`)
	b.Press("Enter")
	b.Until(`document.querySelector("#confirm").open && document.activeElement.value === "no"`)
	b.Press("Tab")
	b.Until(`document.activeElement.id === "confirm-yes"`)
	b.Press("Enter")
	waitFor(t, "the click", func() bool { return s.door.last(t).Line == "/cancel 2" })
	b.Until(`document.activeElement.dataset.line === "/cancel 2"`)
	unnamed := `[...document.querySelectorAll("a, button, input, textarea, select, [role=listbox], dialog")].filter((e) => !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.innerText || e.textContent.trim() || e.closest("label"))).map((e) => e.outerHTML.slice(0, 80))`
	b.Until(unnamed + ".length === 0")
}

// A page of another site may try what browsers allow without asking: a plain
// request and a form.
func TestBrowserKeepsOtherSitesOut(t *testing.T) {
	s := newSite(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		body := `{"as":"lead","key":"evil","text":"/approve 2"}`
		fmt.Fprintf(w, `<iframe name="sink"></iframe><form method="post" target="sink" enctype="text/plain" action="%[1]s/c/deploys/say"><input name='%[2]s'></form>
			<script>
			Promise.allSettled([
				fetch("%[1]s/c/deploys/say", {method: "POST", mode: "no-cors", credentials: "include", body: '%[2]s'}),
				fetch("%[1]s/c/deploys/say", {method: "POST", credentials: "include", headers: {"Content-Type": "application/json"}, body: '%[2]s'}),
				fetch("%[1]s/c/deploys?as=lead").then((r) => r.text()),
			]).then((all) => {
				document.querySelector("iframe").onload = () => { document.title = all.map((a) => a.status).join(" "); };
				document.querySelector("form").submit();
			});
			</script>`, s.URL, body)
	}))
	defer evil.Close()
	b := webchattest.Open(t, s.URL) // the visitor has the cookie
	b.Visit(strings.Replace(evil.URL, "127.0.0.1", "localhost", 1))
	b.Until(`document.title === "rejected rejected rejected"`)
	b.Go(s.URL)
	if heard := s.heard(); len(heard) != 0 {
		t.Errorf("another site said %+v", heard)
	}
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
