package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"maitred/platform"
)

// dish is a line of the menu and who says it.
type dish struct{ as, line string }

// served numbers what leaves a trace of its own.
var served int

// fresh gives the line a number of its own where it wants one.
func (d dish) fresh() dish {
	if bytes.Contains([]byte(d.line), []byte("%")) {
		served++
		d.line = fmt.Sprintf(d.line, served)
	}
	return d
}

// menu is what is ordered, each as often as it is listed.
func menu(dir string, soak bool) []dish {
	ran := filepath.Join(dir, "ran")
	often := map[dish]int{
		{"dev", "/maintenance on ocpizza"}:  2,
		{"dev", "/maintenance off ocpizza"}: 2,
		{"dev", "/backup capture ocpizza"}:  3,
		{"dev", "/restart ocpizza"}:         3,
		{"lead", "/run ocpizza sh -c \"echo begun-%[1]d >>" + ran + "; sleep 0.2; echo ended\""}: 2,
		{"dev", "/run ocpizza sh -c \"echo begun-%[1]d >>" + ran + "; sleep 0.2; echo ended\""}:  1,
		{"lead", "/deploy ocpizza@v1.0.0"}: 2,
		{"dev", "/deploy ocpizza@v1.0.0"}:  2,
		{"dev", "/deploy ocpizza@v1.1.0"}:  1,
		{"lead", "/rollback ocpizza"}:      1,
		{"dev", "/rollback ocpizza"}:       1,
		{"dev", "/update ocpizza@v1.0.0"}:  1,
		{"dev", "/status ocpizza"}:         1,
	}
	if soak {
		often[dish{"lead", "/update ocpizza@v1.1.0"}] = 1
		often[dish{"lead", "/deploy ocpizza@v1.2.0"}] = 1
		often[dish{"lead", "/update ocpizza@v1.2.0"}] = 1
	}
	var all []dish
	for d, n := range often {
		for range n {
			all = append(all, d)
		}
	}
	return all
}

// asked is a line that was said, under one key for good.
type asked struct {
	dish
	key    string
	answer *orderAnswer // nil until there is one
}

// orderAnswer is what POST /v1/say answers.
type orderAnswer struct {
	lineAnswer
	Started bool `json:"started"`
}

func (a orderAnswer) refused() bool {
	return slices.ContainsFunc(a.Said, func(s struct {
		Text    string `json:"text"`
		Refused bool   `json:"refused"`
	}) bool {
		return s.Refused
	})
}

// book is what was asked and what was answered.
type book struct {
	d       *running
	client  *http.Client
	lines   []*asked
	begun   int            // lines that began an operation
	ended   map[int64]bool // operations seen at their end
	decided map[int64]bool // operations on which the lead's word was taken, and the word

	repeated int // lines said again with their key
}

func newBook(d *running) book {
	return book{d: d, client: &http.Client{Timeout: 30 * time.Second}, ended: map[int64]bool{}, decided: map[int64]bool{}}
}

func (b *book) write(as, line string) *asked {
	a := &asked{dish: dish{as, line}, key: fmt.Sprintf("kill-%d", len(b.lines)+1)}
	b.lines = append(b.lines, a)
	return a
}

// must says a line and wants an answer.
func (b *book) must(as, line string) orderAnswer {
	b.d.t.Helper()
	a := b.write(as, line)
	b.insist(a)
	return *a.answer
}

// whisper says a line of which nobody knows whether it is answered. The channel
// is closed when that is known.
func (b *book) whisper(d dish) <-chan struct{} {
	a, known := b.write(d.as, d.line), make(chan struct{})
	go func() {
		defer close(known)
		if answer, err := b.say(a); err == nil {
			b.note(a, answer)
		}
	}()
	return known
}

// insist says a line until it is answered.
func (b *book) insist(a *asked) {
	b.d.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		answer, err := b.say(a)
		if err == nil {
			b.note(a, answer)
			return
		}
		if time.Now().After(deadline) {
			b.d.t.Fatalf("%s: %s: %v\n%s", a.as, a.line, err, b.d.told())
		}
	}
}

// say is one request.
func (b *book) say(a *asked) (answer orderAnswer, err error) {
	body, err := json.Marshal(map[string]string{"text": a.line, "as": a.as, "channel": "deploys", "key": a.key})
	if err != nil {
		return answer, err
	}
	resp, err := b.client.Post("http://"+b.d.listen+"/v1/say", "application/json", bytes.NewReader(body))
	if err != nil {
		return answer, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer, err
	}
	if resp.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("%s: %.300s", resp.Status, raw)
	}
	return answer, json.Unmarshal(raw, &answer)
}

// note keeps the first answer of a line, which every later one must repeat.
func (b *book) note(a *asked, answer orderAnswer) {
	if a.answer == nil {
		a.answer = &answer
		if answer.Started {
			b.begun++
		}
		return
	}
	b.repeated++
	if a.answer.Operation != answer.Operation || a.answer.Started != answer.Started {
		b.d.t.Errorf("%s (%s): first it was operation %d, said again %d", a.line, a.key, a.answer.Operation, answer.Operation)
	}
}

// repeat says again what was not answered, and one line that was.
func (b *book) repeat() {
	b.d.t.Helper()
	for _, a := range b.lines {
		if a.answer == nil {
			b.insist(a)
			b.insist(a)
		}
	}
	b.insist(b.lines[rand.N(len(b.lines))])
}

// repeatAll says every line again.
func (b *book) repeatAll() {
	b.d.t.Helper()
	for _, a := range b.lines {
		b.insist(a)
	}
}

// alive are the operations that have not ended, as maitred tells them.
func (b *book) alive() (list []onWire) {
	for id := int64(1); ; id++ {
		if b.ended[id] {
			continue
		}
		resp, err := b.client.Get(fmt.Sprintf("http://%s/v1/operations/%d", b.d.listen, id))
		if err != nil {
			return list
		}
		var o onWire
		err = json.NewDecoder(resp.Body).Decode(&o)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || err != nil {
			return list
		}
		if o.State.Ended() {
			b.ended[id] = true
			continue
		}
		list = append(list, o)
	}
}

// onWire is an operation as GET /v1/operations/{id} tells it.
type onWire struct {
	ID    int64          `json:"id"`
	State platform.State `json:"state"`
	Steps []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	} `json:"steps"`
}
