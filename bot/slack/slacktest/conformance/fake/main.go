// Command fake lets a program that is not written in Go start fake Slacks and
// play people in them: one JSON object per POST on a loopback port, which it
// prints. It serves the conformance run only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"maitred/bot/slack/slacktest"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	d := &desk{fakes: map[int]*slacktest.Slack{}}
	fmt.Fprintln(os.Stderr, http.Serve(l, d)) // until it is killed
}

// desk takes the orders.
type desk struct {
	mu    sync.Mutex
	fakes map[int]*slacktest.Slack
	next  int
}

// order is what is to be done; each action reads what it needs.
type order struct {
	Fake    int               `json:"fake"`
	Do      string            `json:"do"`
	Wrong   []string          `json:"wrong"`
	Person  string            `json:"person"`
	Channel string            `json:"channel"`
	TS      string            `json:"ts"`
	Text    string            `json:"text"`
	Name    string            `json:"name"`
	Names   []string          `json:"names"`
	Values  map[string]string `json:"values"`
	Number  float64           `json:"number"`
	Times   int               `json:"times"`
	All     bool              `json:"all"`
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	out, err := d.do(ctx, o)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(out) //nolint:errcheck
}

type object = map[string]any

func (d *desk) do(ctx context.Context, o order) (any, error) {
	if o.Do == "mistakes" {
		return slacktest.Mistakes(), nil
	}
	if o.Do == "new" {
		return d.open(o)
	}
	d.mu.Lock()
	s := d.fakes[o.Fake]
	if s != nil && o.Do == "close" {
		delete(d.fakes, o.Fake)
	}
	d.mu.Unlock()
	if s == nil {
		return nil, errors.New("there is no such fake")
	}
	for _, try := range []func(context.Context, *slacktest.Slack, order) (any, bool, error){people, look, control} {
		if out, known, err := try(ctx, s, o); known {
			return out, err
		}
	}
	return nil, fmt.Errorf("nobody knows how to do %q", o.Do)
}

// open starts a Slack that is in a hurry, so that a run takes seconds.
func (d *desk) open(o order) (any, error) {
	s, err := slacktest.Start(slacktest.Options{
		Wrong: o.Wrong, AckWithin: 900 * time.Millisecond, PingEvery: 200 * time.Millisecond, Grace: 300 * time.Millisecond,
		Retries: []time.Duration{0, 50 * time.Millisecond, 100 * time.Millisecond},
	})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	d.fakes[d.next] = s
	return object{
		"fake": d.next, "api": s.URL(), "secret": s.SigningSecret, "bot": s.BotToken, "app": s.AppToken,
		"team": s.TeamID, "botUser": s.BotUserID, "botID": s.BotID, "appID": s.AppID,
	}, nil
}

// told waits for what became of a delivery.
func told(ctx context.Context, d *slacktest.Delivery) object {
	if d == nil {
		return object{"silent": true}
	}
	err := d.Wait(ctx)
	ack, acked := d.Acked()
	out := object{"acked": acked, "payload": d.Payload, "ack": string(ack), "attempts": len(d.Attempts())}
	if err != nil {
		out["error"] = err.Error()
	}
	return out
}

// people is what a person does.
func people(ctx context.Context, s *slacktest.Slack, o order) (any, bool, error) {
	p := s.Person(o.Person)
	at := slacktest.Message{Channel: s.Channel(o.Channel), TS: o.TS}
	switch o.Do {
	case "slash":
		return told(ctx, p.Slash(o.Channel, o.Text)), true, nil
	case "type":
		m, d := p.Type(o.Channel, o.Text)
		return object{"message": m, "delivery": told(ctx, d)}, true, nil
	case "reply":
		m, d := p.Reply(at, o.Text)
		return object{"message": m, "delivery": told(ctx, d)}, true, nil
	case "click":
		m, ok := s.Message(o.Channel, o.TS)
		if !ok {
			return nil, true, errors.New("there is no such message")
		}
		return told(ctx, p.Click(m, o.Name)), true, nil
	case "submit":
		return told(ctx, p.Submit(o.Values)), true, nil
	case "choices":
		d, offered := p.Choices(o.Name, o.Text)
		list, err := offered()
		out := told(ctx, d)
		out["offered"] = list
		if err != nil {
			out["error"] = err.Error()
		}
		return out, true, nil
	case "home":
		return told(ctx, p.OpenHome()), true, nil
	}
	return nil, false, nil
}

// look is what can be seen.
func look(_ context.Context, s *slacktest.Slack, o order) (any, bool, error) {
	p := s.Person(o.Person)
	switch o.Do {
	case "see":
		type seen struct {
			slacktest.Message
			Reads   string
			Buttons []slacktest.Button
		}
		list := []seen{}
		for _, m := range p.See(o.Channel) {
			list = append(list, seen{m, s.Reads(m), m.Buttons()})
		}
		return list, true, nil
	case "view":
		v, ok := p.View()
		return object{"open": ok, "reads": s.ReadsView(v), "errors": v.Errors}, true, nil
	case "seeHome":
		v, ok := p.Home()
		return object{"open": ok, "reads": s.ReadsView(v)}, true, nil
	case "calls":
		return s.Calls(o.Names...), true, nil
	case "files":
		return s.Files(), true, nil
	case "connections":
		opened := 0
		for _, c := range s.Calls("apps.connections.open") {
			if c.Error == "" {
				opened++
			}
		}
		return object{"open": s.Connections(), "pongs": s.Pongs(), "dropped": s.Dropped(), "opened": opened}, true, nil
	}
	return nil, false, nil
}

// control is what Slack itself does.
func control(ctx context.Context, s *slacktest.Slack, o order) (any, bool, error) {
	seconds := time.Duration(o.Number * float64(time.Second))
	simple := map[string]func(){
		"close":      func() { s.Close() },
		"deliverTo":  func() { s.DeliverAllTo(o.Text) },
		"group":      func() { s.SetGroup(o.Name, o.Names...) },
		"channel":    func() { s.Channel(o.Channel) },
		"deactivate": func() { s.Deactivate(o.Person) },
		"advance":    func() { s.Advance(seconds) },
		"limit":      func() { s.Limit(o.Name, o.Times, seconds) },
		"loseAcks":   func() { s.LoseAcks(o.Times) },
		"kick":       func() { s.Kick(o.Channel) },
		"invite":     func() { s.Invite(o.Channel) },
		"revoke":     func() { s.RevokeToken() },
		"restore":    func() { s.RestoreTokens() },
		"dropScope":  func() { s.DropScope(o.Name) },
		"grantScope": func() { s.GrantScope(o.Name) },
		"duplicate":  func() { s.Duplicate(o.Times) },
		"cut":        func() { s.Cut(o.All) },
		"halfOpen":   func() { s.HalfOpen(o.All) },
		"sweep":      func() { s.Sweep() },
		"refresh":    func() { s.Refresh(o.All) },
	}
	if f := simple[o.Do]; f != nil {
		f()
		return object{}, true, nil
	}
	switch o.Do {
	case "challenge":
		err := s.Challenge(ctx)
		return object{"error": fmt.Sprint(err)}, true, nil
	case "send": // a signed body, sent Number seconds away from now; Name spoils the signature
		h := s.Sign(time.Now().Add(seconds), []byte(o.Values["body"]))
		if o.Name != "" {
			h.Set("X-Slack-Signature", o.Name)
		}
		a, err := s.Send(ctx, o.Text, o.Values["type"], []byte(o.Values["body"]), h)
		return object{"status": a.Status, "body": string(a.Body)}, true, err
	}
	return nil, false, nil
}
