package commands

import (
	"context"
	"fmt"

	"maitred/chat"
	"maitred/platform"
)

// Queue is /queue [APP]: what is live, and behind what.
type Queue struct{ Which }

func (*Queue) roams() bool { return true }

// Run asks the engine.
func (q *Queue) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	live, err := s.Operations.Live(ctx)
	if err != nil {
		return Answer{}, err
	}
	card := chat.Card{Title: "Queue"}
	voice := s.voice()
	for _, op := range live {
		if q.App != "" && op.Target.App != q.App {
			continue
		}
		card.Notes = append(card.Notes, fmt.Sprintf("%s Asked for by %s %s.", sentence(voice.headline(op)), op.Requester.Label(), ago(c.Now.Sub(op.Created))))
		if op.State == platform.Unknown {
			card.State = chat.Unsure
		}
	}
	switch n := len(card.Notes); {
	case n == 0 && q.App != "":
		card.Title = ""
		card.Text = fmt.Sprintf("Nothing is running or waiting for %s.", q.App)
	case n == 0:
		card.Title = ""
		card.Text = "Nothing is running or waiting."
	default:
		card.Text = capital(count(n, "operation is", "operations are")) + " running or waiting."
		if n == 1 {
			card.Text = card.Notes[0]
		}
	}
	return Answer{Card: card}, nil
}

// Operation is /operation [ID]: the history of one.
type Operation struct{ Number }

// Run reads what the engine keeps.
func (o *Operation) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	op, err := s.Operations.Operation(ctx, int64(o.ID))
	if err != nil {
		return Answer{}, err
	}
	card, err := s.voice().card(ctx, op)
	if err != nil {
		return Answer{}, err
	}
	events, err := s.Operations.Events(ctx, op.ID)
	if err != nil {
		return Answer{}, err
	}
	for _, e := range events {
		who := "maitred"
		if e.By != nil {
			who = e.By.Label()
		}
		card.Notes = append(card.Notes, fmt.Sprintf("%s, %s: %s", when(e.At, c), who, sentence(e.Say)))
	}
	card.Mention = nil
	return Answer{Card: card}, nil
}
