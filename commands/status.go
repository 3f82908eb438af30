package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
)

// Status is /status [APP] [to ENV]: what runs, and what stands in the way. Where
// no app can be meant it is about all of them, in short.
type Status struct{ Where }

func (*Status) roams() bool { return true }

// Run asks the platform and the engine.
func (st *Status) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	if st.App == "" {
		return overview(ctx, s)
	}
	p, err := s.Apps.Provider(st.Target())
	if err != nil {
		return Answer{}, err
	}
	now, err := p.Status(ctx, st.Target())
	if err != nil {
		return Answer{}, err
	}
	card := statusCard(st.Target(), now, c)
	if err := obstacles(ctx, c, s, st.Target(), &card); err != nil {
		return Answer{}, err
	}
	return Answer{Card: card}, nil
}

func statusCard(t platform.Target, now platform.Status, c Call) chat.Card {
	card := chat.Card{Title: t.String()}
	var verdict string
	switch on := now.Maintenance != nil && now.Maintenance.On; {
	case now.Release == nil:
		card.Word, verdict = "never deployed", "was never deployed"
	case !now.Running:
		card.State, card.Word, verdict = chat.Bad, "stopped", "is stopped"
	case !now.Healthy:
		card.State, card.Word, verdict = chat.Bad, "unhealthy", "runs but does not answer as it should"
	case on:
		card.State, card.Word, verdict = chat.Warning, "maintenance", "is healthy behind its maintenance page"
	default:
		card.State, card.Word, verdict = chat.Good, "healthy", "is healthy"
	}
	if r := now.Release; r != nil {
		since, by := r.Since()
		card.Text = fmt.Sprintf("%s %s, on %s.", t, verdict, shownAs(*r))
		card.Fields = fields("Release", shownAs(*r), "Commit", commit(r.SHA), "Since", when(since, c), "By", by)
	} else {
		card.Text = fmt.Sprintf("%s %s.", t, verdict)
		card.Buttons = append(card.Buttons, chat.Button{Label: "Deploy", Line: "/deploy " + aimed(t)})
	}
	card.Fields = append(card.Fields, fields("Seen", now.Evidence, "Processes", processes(now.Processes), "Address", now.URL)...)
	if m := now.Maintenance; m != nil && m.On {
		card.Fields = append(card.Fields, chat.Field{Label: "Maintenance", Value: "on " + sinceBy(*m, c)})
		card.Buttons = append(card.Buttons, chat.Button{Label: "Maintenance off", Line: "/maintenance off " + aimed(t)})
	}
	if now.Release != nil && !now.Running {
		card.Buttons = append(card.Buttons, chat.Button{Label: "Start", Line: "/start " + aimed(t)})
	}
	card.Notes = append(card.Notes, now.Notes...)
	return card
}

func processes(all []platform.Process) string {
	up := 0
	for _, p := range all {
		if p.State == "up" {
			up++
		}
	}
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d up", up, len(all))
}

// obstacles adds what would stop or delay a change: locks, freezes, live work.
func obstacles(ctx context.Context, c Call, s Services, t platform.Target, card *chat.Card) error {
	locks, err := s.Operations.Locks(ctx)
	if err != nil {
		return err
	}
	freezes, err := s.Operations.Freezes(ctx)
	if err != nil {
		return err
	}
	live, err := s.Operations.List(ctx, engine.Filter{App: t.App, Environment: t.Environment, States: alive, Limit: mostObstacles})
	if err != nil {
		return err
	}
	slices.Reverse(live) // as they came
	for _, l := range locks {
		if l.Target == t || l.Target == (platform.Target{App: t.App}) {
			card.Notes = append(card.Notes, lockNote(l, c))
		}
	}
	for _, f := range freezes {
		if f.App == "" || f.App == t.App {
			card.Notes = append(card.Notes, freezeNote(f, c))
		}
	}
	for _, op := range live {
		card.Notes = append(card.Notes, sentence(s.voice().headline(op)))
	}
	return nil
}

// mostObstacles is how many operations on their way are told; /queue has all.
const mostObstacles = 20

// alive are the states of operations that are on their way.
var alive = slices.DeleteFunc(slices.Clone(platform.States), platform.State.Ended)

func lockNote(l engine.Lock, c Call) string {
	return fmt.Sprintf("Locked by %s until %s%s.", l.Person.Label(), when(l.Expires, c), because(l.Why))
}

func freezeNote(f engine.Freeze, c Call) string {
	until := "until /unfreeze"
	if !f.Expires.IsZero() {
		until = "until " + when(f.Expires, c)
	}
	return fmt.Sprintf("%s frozen by %s %s%s.", frozen(f.App), f.Person.Label(), until, because(f.Why))
}

// overview is one line for each target, asked of all platforms at once.
func overview(ctx context.Context, s Services) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, fault.New(fault.Unreachable, "commands.status", "", "It did not answer within 10 seconds."))
	defer cancel()
	var targets []platform.Target
	for _, app := range s.Apps.Apps() {
		for _, e := range app.Environments {
			targets = append(targets, platform.Target{App: app.Name, Environment: e})
		}
	}
	lines := make([]string, len(targets))
	state := make([]chat.State, len(targets))
	var wait sync.WaitGroup
	for i, t := range targets {
		wait.Go(func() { lines[i], state[i] = glance(ctx, s, t) })
	}
	wait.Wait()
	card := say("%s: %s.", capital(count(len(targets), "target", "targets")), strings.Join(lines, "; "))
	card.Title, card.State = "Status", chat.Good
	card.Notes = lines
	for _, st := range state {
		if st == chat.Bad || st == chat.Warning && card.State != chat.Bad {
			card.State = st
		}
	}
	return Answer{Card: card}, nil
}

func glance(ctx context.Context, s Services, t platform.Target) (string, chat.State) {
	p, err := s.Apps.Provider(t)
	if err != nil {
		return t.String() + ": " + fault.Of(err).Say, chat.Bad
	}
	now, err := p.Status(ctx, t)
	if err != nil {
		return t.String() + ": " + fault.Of(err).Say, chat.Bad
	}
	card := statusCard(t, now, Call{})
	word := card.Word
	if now.Release != nil {
		word += ", " + shownAs(*now.Release)
	}
	return t.String() + ": " + word, card.State
}
