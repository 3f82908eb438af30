package slacktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The kinds of deliveries, as Socket Mode calls them.
const (
	KindCommand     = "slash_commands"
	KindInteractive = "interactive"
	KindEvent       = "events_api"
)

const reasonTimeout = "http_timeout"

// Delivery is one thing that Slack tells the app.
type Delivery struct {
	Kind    string
	Payload json.RawMessage
	At      time.Time

	s        *Slack
	done     chan struct{}
	attempts []Attempt
	ack      json.RawMessage
	err      error
	settle   func(json.RawMessage) error // what an acknowledgement with content does
}

// Attempt is one try to deliver.
type Attempt struct {
	Took time.Duration
	Lost string // why it does not count; empty when it was acknowledged
}

// Wait returns nil when it was acknowledged, and otherwise what went wrong, as
// the person would see it.
func (d *Delivery) Wait(ctx context.Context) error {
	select {
	case <-d.done:
		d.s.mu.Lock()
		defer d.s.mu.Unlock()
		return d.err
	case <-ctx.Done():
		return fmt.Errorf("Slack is still waiting for an acknowledgement: %w", context.Cause(ctx))
	}
}

// Done is closed when it was acknowledged, or given up.
func (d *Delivery) Done() <-chan struct{} { return d.done }

// Acked reports whether it was acknowledged, and what with.
func (d *Delivery) Acked() (payload json.RawMessage, ok bool) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	n := len(d.attempts)
	return d.ack, n > 0 && d.attempts[n-1].Lost == ""
}

// Attempts are the tries so far.
func (d *Delivery) Attempts() []Attempt {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	return append([]Attempt(nil), d.attempts...)
}

// Took is how long the last attempt waited for its acknowledgement.
func (d *Delivery) Took() time.Duration {
	a := d.Attempts()
	if len(a) == 0 {
		return 0
	}
	return a[len(a)-1].Took
}

// Deliveries are all that Slack told the app or tried to.
func (s *Slack) Deliveries() []*Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Delivery(nil), s.sent...)
}

// What a person sees when the app does not answer.
var (
	ErrTimeout  = errors.New("operation_timeout: the app did not respond")
	ErrDispatch = errors.New("dispatch_failed: the app could not be reached")
	ErrTrouble  = errors.New("we had some trouble connecting. Try again?")
)

// deliver sends in the background. The lock is held.
func (s *Slack) deliver(kind string, payload any, settle func(json.RawMessage) error) *Delivery {
	d := &Delivery{Kind: kind, Payload: s.spoilPayload(kind, payload), At: s.now(), s: s, done: make(chan struct{}), settle: settle}
	s.sent = append(s.sent, d)
	twice := kind == KindEvent && s.controls.takeDuplicate()
	s.bump()
	s.spawn(d.run)
	if twice {
		s.spawn(func() { d.attempt(0, "") })
	}
	return d
}

func (d *Delivery) run() {
	a := d.attempt(0, "")
	if d.Kind == KindEvent && !d.s.wrong[NoEventRetries] || d.s.wrong[RetriedClicks] { // only events are tried again
		for n, wait := range d.s.opt.Retries {
			if a.lost == "" || a.lost == "no_retry" || !d.s.sleep(wait) {
				break
			}
			a = d.attempt(n+1, retryReason(a.lost))
		}
	}
	d.finish(a)
}

func retryReason(lost string) string {
	switch lost {
	case reasonTimeout, "http_error", "connection_failed":
		return lost
	}
	return "connection_failed"
}

// attempt tries once.
func (d *Delivery) attempt(n int, reason string) ackFrame {
	begin := time.Now()
	d.s.mu.Lock()
	to := d.s.where.Events
	switch {
	case d.Kind == KindCommand:
		to = d.s.where.Commands
	case d.Kind == KindInteractive && isSuggestion(d.Payload):
		to = d.s.where.Options
	case d.Kind == KindInteractive:
		to = d.s.where.Interactive
	}
	d.s.mu.Unlock()
	var a ackFrame
	if to != "" {
		a = d.s.overHTTP(d, to, n, reason)
	} else {
		a = d.s.overSocket(d, n, reason)
	}
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	d.attempts = append(d.attempts, Attempt{Took: time.Since(begin), Lost: a.lost})
	d.s.bump()
	return a
}

func isSuggestion(payload json.RawMessage) bool {
	var head struct{ Type string }
	return json.Unmarshal(payload, &head) == nil && head.Type == "block_suggestion"
}

func (d *Delivery) finish(a ackFrame) {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	d.ack = a.payload
	switch {
	case a.lost == "" && d.settle != nil:
		d.err = d.settle(a.payload)
	case a.lost == "":
	case d.Kind == KindInteractive:
		d.err = fmt.Errorf("%w (%s)", ErrTrouble, a.lost)
	case a.lost == reasonTimeout:
		d.err = ErrTimeout
	default:
		d.err = fmt.Errorf("%w (%s)", ErrDispatch, a.lost)
	}
	close(d.done)
	d.s.bump()
}

func meaningful(payload json.RawMessage) bool {
	var in map[string]any
	if json.Unmarshal(payload, &in) != nil {
		return len(payload) > 0
	}
	return len(in) > 0
}

// Again delivers the same once more, as a late retry does: for an event the
// event_id is the same and the attempt is counted.
func (d *Delivery) Again(reason string) {
	n := len(d.Attempts())
	d.s.spawn(func() { d.attempt(max(n, 1), reason) })
}

// AgainRenamed delivers the same event under a new event_id and without saying
// that it is a retry, which has been seen in the wild.
func (d *Delivery) AgainRenamed() *Delivery {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	var in map[string]any
	if json.Unmarshal(d.Payload, &in) == nil {
		in["event_id"] = d.s.id("Ev")
	}
	return d.s.deliver(d.Kind, in, nil)
}

// Inject delivers any payload, for what no person can cause.
func (s *Slack) Inject(kind string, payload any) *Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.deliver(kind, payload, nil)
}
