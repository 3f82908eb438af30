package commands

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// mostHome is how many operations a home shows by themselves.
const mostHome = 8

// Home is what concerns the one who calls, for chats that have a page for it:
// what waits for them, what is running, what keeps people out, and the last
// releases of each app. It shows only the targets whose status they may see.
func (r *Registry) Home(ctx context.Context, c Call) ([]chat.Card, error) {
	s := r.services
	live, err := s.Operations.Live(ctx)
	if err != nil {
		return nil, err
	}
	live = slices.DeleteFunc(live, func(op platform.Operation) bool { return !sees(c, s, "queue", op.Target) })
	waiting, err := s.waitingFor(ctx, c, live)
	if err != nil {
		return nil, err
	}
	kept, err := s.keptOut(ctx, c)
	if err != nil {
		return nil, err
	}
	cards := append(waiting, s.running(c, live), kept)
	return append(cards, s.lastReleases(ctx, c)), nil
}

func sees(c Call, s Services, verb string, t platform.Target) bool {
	return s.Policy.May(c.Person, verb, t) == nil
}

// waitingFor are the operations that the caller can decide about or settle, each
// with its buttons. When there are none, it says so.
func (s Services) waitingFor(ctx context.Context, c Call, live []platform.Operation) ([]chat.Card, error) {
	v := s.voice()
	var cards []chat.Card
	more := 0
	for _, op := range live {
		mine, err := s.waitsFor(ctx, c, op)
		if err != nil {
			return nil, err
		}
		switch {
		case !mine:
		case len(cards) == mostHome:
			more++
		default:
			cards = append(cards, chat.Card{
				Title: title(op), State: chat.Waiting, Word: "waits for you", Text: sentence(v.headline(op)),
				Fields:  fields("Operation", fmt.Sprintf("#%d", op.ID), "Requested by", op.Requester.Label(), "Commit", source(op)),
				Buttons: deciding(op),
			})
			if op.State == platform.Unknown {
				last := &cards[len(cards)-1]
				last.State, last.Word, last.Buttons = chat.Unsure, "needs a person", settling(op)
			}
		}
	}
	if more > 0 {
		cards[len(cards)-1].Notes = []string{fmt.Sprintf("%d more wait for you: /queue", more)}
	}
	if len(cards) == 0 {
		cards = []chat.Card{{Title: "Nothing waits for you", State: chat.Good, Word: "all decided", Text: "Nothing waits for you."}}
	}
	return cards, nil
}

// waitsFor reports whether op cannot go on without somebody and the caller is
// one who may say so.
func (s Services) waitsFor(ctx context.Context, c Call, op platform.Operation) (bool, error) {
	switch op.State {
	case platform.Unknown:
		return sees(c, s, "settle", op.Target), nil
	case platform.Waiting:
	default:
		return false, nil
	}
	if op.Approval == nil || op.Requester.Same(c.Person) || c.Person.Automaton || !sees(c, s, "approve", op.Target) {
		return false, nil
	}
	if !slices.ContainsFunc(s.Policy.Roles(c.Person), func(r string) bool { return slices.Contains(op.Approval.Roles, r) }) {
		return false, nil
	}
	said, err := s.Operations.Decisions(ctx, op.ID)
	return !slices.ContainsFunc(said, func(d platform.Decision) bool { return d.Person.Same(c.Person) }), err
}

// running is all that is live, a line each.
func (s Services) running(c Call, live []platform.Operation) chat.Card {
	card := chat.Card{Title: "Running and waiting", Text: "Nothing is running or waiting."}
	v := s.voice()
	for _, op := range live {
		card.Notes = append(card.Notes, fmt.Sprintf("%s Asked for by %s %s ago.", sentence(v.headline(op)), op.Requester.Label(), chat.Span(c.Now.Sub(op.Created))))
	}
	if len(live) > 0 {
		card.Text = capital(count(len(live), "operation is", "operations are")) + " running or waiting."
		card.State = chat.Working
	} else {
		card.Notes = []string{card.Text}
	}
	return card
}

// keptOut are the locks and freezes.
func (s Services) keptOut(ctx context.Context, c Call) (chat.Card, error) {
	locks, err := s.Operations.Locks(ctx)
	if err != nil {
		return chat.Card{}, err
	}
	freezes, err := s.Operations.Freezes(ctx)
	if err != nil {
		return chat.Card{}, err
	}
	card := chat.Card{Title: "Locks and freezes"}
	for _, l := range locks {
		if sees(c, s, "status", l.Target) {
			card.Notes = append(card.Notes, l.Target.String()+": "+lockNote(l, c))
		}
	}
	for _, f := range freezes {
		if f.App == "" || sees(c, s, "status", platform.Target{App: f.App}) {
			card.Notes = append(card.Notes, freezeNote(f, c))
		}
	}
	if card.Text = fmt.Sprintf("%s in force.", capital(count(len(card.Notes), "lock or freeze is", "locks or freezes are"))); len(card.Notes) == 0 {
		card.Text = "Nothing is locked or frozen."
		card.Notes = []string{card.Text}
	} else {
		card.State = chat.Warning
	}
	return card, nil
}

// lastReleases is a line for each target, asked of all platforms at once. One
// that does not answer in time says so.
func (s Services) lastReleases(ctx context.Context, c Call) chat.Card {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Second, fault.New(fault.Unreachable, "commands.home", "", "It did not answer within 5 seconds."))
	defer cancel()
	var targets []platform.Target
	for _, app := range s.Apps.Apps() {
		for _, e := range app.Environments {
			if t := (platform.Target{App: app.Name, Environment: e}); sees(c, s, "releases", t) {
				targets = append(targets, t)
			}
		}
	}
	lines := make([]string, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		all.Go(func() { lines[i] = t.String() + ": " + s.lastRelease(ctx, c, t) })
	}
	all.Wait()
	card := chat.Card{Title: "Last releases", Notes: lines, Text: fmt.Sprintf("The last releases of %s.", count(len(targets), "target", "targets"))}
	if len(targets) == 0 {
		card.Text = "There is no app whose releases you may see."
		card.Notes = []string{card.Text}
	}
	return card
}

func (s Services) lastRelease(ctx context.Context, c Call, t platform.Target) string {
	p, err := s.Apps.Provider(t)
	if err != nil {
		return fault.Of(err).Say
	}
	h, ok := p.(platform.Historian)
	if !ok {
		return "its platform keeps no releases."
	}
	releases, err := h.Releases(ctx, t, 5)
	switch {
	case err != nil:
		return fault.Of(err).Say
	case len(releases) == 0:
		return "never deployed."
	}
	for _, one := range releases {
		if one.State == platform.ReleaseLive {
			return fmt.Sprintf("%s since %s, by %s.", shownAs(one), when(one.At, c), one.By)
		}
	}
	return "none is live; the last was " + shownAs(releases[0]) + "."
}
