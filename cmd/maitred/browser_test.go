package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"maitred/bot/webchat/webchattest"
)

// TestBrowserPlaysTheStory is the first hour of a newcomer, in a real browser
// against the real program: deploy, approve as the lead, see the steps tick, open
// the app, maintenance on and off, backup and restore, and a broken release that
// comes back by itself. MAITRED_SCREENSHOTS names a directory for pictures.
func TestBrowserPlaysTheStory(t *testing.T) {
	d := newDemo(t)
	d.start()
	v := &visitor{Browser: webchattest.Open(t, "http://"+d.listen), t: t, demo: d}

	v.Sees("#messages", "v1.0.0")
	v.Picture("story-01-first-look")

	deploy := v.asks("/deploy ocpizza@v1.1.0", "Deploy ocpizza v1.1.0 to production", "waits for approval")
	v.Picture("story-02-asked")
	v.becomes("lead")
	v.Until(`document.querySelector("#messages .replies .badge.hot") !== null`)
	v.approves(deploy)
	v.Until(v.card(deploy) + `.querySelector(".step.running") !== null`)
	v.Picture("story-03-steps-tick")
	v.Until(v.card(deploy) + `.querySelectorAll(".step.done").length >= 2`)
	v.Until(v.card(deploy) + `.querySelector(".card.good") !== null`)
	v.Picture("story-04-deployed")
	v.opensTheApp("v1.1.0", "story-05-the-app")

	v.asks("/maintenance on", "aintenance", "done")
	v.Visit("http://" + d.app)
	v.Sees("body", "Back in a moment")
	v.Picture("story-06-maintenance")
	v.back("dev")
	v.asks("/maintenance off", "aintenance", "done")
	v.opensTheApp("v1.1.0", "")

	v.orders("before-the-backup")
	capture := v.asks("/backup capture", "Back up ocpizza", "done")
	v.orders("after-the-backup")
	if n := v.ordered(); n != 2 {
		t.Fatalf("the app counts %d orders, want 2", n)
	}
	restore := v.asks("/backup restore", "Restore backup", "waits for approval")
	v.becomes("lead")
	v.approves(restore)
	v.Until(v.card(restore) + `.querySelector(".card.good") !== null`)
	v.Picture("story-07-restored")
	if n := v.ordered(); n != 1 {
		t.Errorf("after the restore the app counts %d orders, want the one of backup #%d", n, capture)
	}

	v.becomes("dev")
	broken := v.asks("/deploy ocpizza@v1.2.0", "Deploy ocpizza v1.2.0 to production", "waits for approval")
	v.becomes("lead")
	v.approves(broken)
	v.Until(v.card(broken) + `.querySelector(".card.bad .step.failed") !== null`)
	v.Until(v.card(broken) + `.querySelector(".step.undone") !== null`)
	v.Sees("#thread-messages", "v1.1.0")
	v.Picture("story-08-came-back")
	if o := d.until(broken, "ended", hasEnded); o.State != "failed" || !o.Undone {
		t.Errorf("the broken release ended as %+v", o)
	}
	v.opensTheApp("v1.1.0", "")
}

// TestBrowserOutlivesMaitred kills maitred under an open page: the page says so,
// finds the next one, and goes on with what it did not see.
func TestBrowserOutlivesMaitred(t *testing.T) {
	d := newDemo(t)
	d.start()
	v := &visitor{Browser: webchattest.Open(t, "http://"+d.listen), t: t, demo: d}
	v.Until(`(document.body.dataset.same = "page", true)`)
	d.kill()
	v.Sees("#banner", "maitred does not answer")
	v.Picture("story-09-cut-off")
	d.start()
	d.say("dev", "/maintenance on")
	v.Until(webchattest.Live)
	v.Until(v.card(2) + `?.querySelector(".card.good") != null`)
	v.Say("/maintenance off")
	v.Until(v.card(3) + `?.querySelector(".card.good") != null`)
	v.Until(`document.body.dataset.same === "page"`)
}

// visitor is a person at the page of a demo.
type visitor struct {
	*webchattest.Browser
	t    *testing.T
	demo *running
}

// back opens the channel as a persona.
func (v *visitor) back(persona string) {
	v.t.Helper()
	v.Go("http://" + v.demo.listen + "/c/deploys?as=" + persona)
}

// becomes chooses another persona in the page.
func (v *visitor) becomes(persona string) {
	v.t.Helper()
	v.Click(fmt.Sprintf(`[data-persona=%q]`, persona))
	v.Until(fmt.Sprintf("document.body?.dataset.as === %q && %s", persona, webchattest.Live))
}

// asks types a line that starts an operation, waits until its card has the title
// and the word, and returns its number.
func (v *visitor) asks(line, title, word string) int64 {
	v.t.Helper()
	id := v.newest() + 1
	v.Say(line)
	for _, words := range []struct{ where, what string }{{".head", title}, {".state", word}} {
		v.Until(fmt.Sprintf("%s?.querySelector(%q)?.innerText.includes(%q)", v.card(id), words.where, words.what))
	}
	return id
}

// newest is the number of the latest operation.
func (v *visitor) newest() int64 {
	v.t.Helper()
	var id int64
	for {
		if _, err := v.demo.look(v.t.Context(), id+1); err != nil {
			return id
		}
		id++
	}
}

// card is the expression of the message in the channel that shows an operation.
func (v *visitor) card(operation int64) string {
	return fmt.Sprintf(`[...document.querySelectorAll("#messages article.bot")].find((m) => m.querySelector("dl")?.innerText.includes("#%d"))`, operation)
}

// approves opens the thread of an operation and presses Approve there.
func (v *visitor) approves(operation int64) {
	v.t.Helper()
	v.Until(v.card(operation) + `.querySelector("a.replies") !== null`)
	v.Until(fmt.Sprintf(`(() => { %s.querySelector("a.replies").click(); return true })()`, v.card(operation)))
	approve := fmt.Sprintf(`#thread-messages .rule ~ article [data-line="/approve %d"]`, operation)
	v.Click(approve)
	v.Until(`document.querySelector("#confirm").open`)
	v.Click("#confirm-yes")
	v.Until(fmt.Sprintf("document.querySelector(%q) === null", approve))
}

// opensTheApp sees which release visitors of the app get.
func (v *visitor) opensTheApp(release, picture string) {
	v.t.Helper()
	v.Visit("http://" + v.demo.app)
	v.Until(fmt.Sprintf("document.body.innerText.includes(%q)", release))
	if picture != "" {
		v.Picture(picture)
	}
	v.back("dev")
}

// orders orders a pizza, as a visitor of the app does.
func (v *visitor) orders(id string) {
	v.t.Helper()
	body := fmt.Sprintf(`{"id": %q, "pizza": "Margherita"}`, id)
	r, err := http.Post("http://"+v.demo.app+"/orders", "application/json", strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode >= 300 {
		v.t.Fatalf("the order was answered with %s", r.Status)
	}
}

// ordered is how many orders the app has.
func (v *visitor) ordered() int {
	v.t.Helper()
	r, err := http.Get("http://" + v.demo.app + "/orders")
	if err != nil {
		v.t.Fatal(err)
	}
	defer r.Body.Close()
	var count struct{ Orders int }
	if err := json.NewDecoder(r.Body).Decode(&count); err != nil {
		v.t.Fatal(err)
	}
	return count.Orders
}
