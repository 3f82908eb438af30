package bot

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"maitred/chat"
)

// stale is how old a line may be that submits an operation and is still carried
// out without asking: the engine recognises it by its key, but after a while the
// world is another one.
const stale = 2 * time.Minute

// takeOver takes up what nobody works on any more: rows of a replica that is
// gone, and of this one before it was started anew.
func (b *Bot) takeOver(ctx context.Context) {
	for ctx.Err() == nil {
		left, err := b.Store.Abandoned(ctx, b.Replica, b.Lease, 100)
		if err != nil {
			if ctx.Err() == nil {
				b.Log.Warn("abandoned lines not read", zap.Error(err))
			}
			return
		}
		for _, h := range left {
			b.metrics.takenOver.Inc()
			b.Log.Info("line taken over", zap.String("key", h.In.Key), zap.String("who", h.In.Person.Label()))
			b.take(h, b.resume)
		}
		if len(left) < 100 {
			return
		}
	}
}

// resume goes on with a row that was taken over. What was answered is only told;
// what had started its operation is only ended; what reads, and what the engine recognises by its key, is
// carried out; of anything else nobody knows whether it happened, and what is old
// may not be wanted any more: the person is asked.
func (b *Bot) resume(ctx context.Context, h Heard) {
	if h.Done {
		b.tell(h.In, h.Said)
		return
	}
	order, err := b.Registry.Parse(h.In.Line)
	switch {
	case h.Started && h.Operation != 0:
		r := result{}
		r.answer.Operation, r.answer.Started = h.Operation, true
		if err == nil {
			r.verb = order.Verb
			r.target, _ = b.Registry.Aim(ctx, b.call(ctx, h.In), order)
		}
		b.conclude(ctx, h.In, r)
	case err != nil, order.Reads(), order.Submits() && b.Now().Sub(h.In.At) < stale:
		b.carryOut(ctx, h)
	default:
		b.ask(h.In, order.Verb)
	}
}

// ask asks whether a line is still wanted, with a button that types it again.
func (b *Bot) ask(in chat.Inbound, verb string) {
	in.Person = b.Policy.Know(in.Person)
	card := chat.Card{
		Title: "Is this still wanted?", State: chat.Unsure,
		Fields: []chat.Field{{Label: "You said", Value: in.Line}, {Label: "At", Value: in.At.UTC().Format("15:04:05 MST")}},
		Notes:  []string{"maitred was interrupted and did not carry it out, or does not know whether it did. Nothing will happen unless you say it again."},
		Text: fmt.Sprintf("maitred was interrupted before it could answer your %s. Look whether it happened; if it did not and is still wanted, say it again.",
			in.Line),
	}
	if len(in.Fields) == 0 {
		card.Buttons = []chat.Button{{Label: "Say it again", Line: in.Line, Confirm: "Say “" + in.Line + "” again?"}}
	}
	said := []Said{{Card: card, Private: in.Source != chat.Scheduled, Refused: true}}
	b.finish(in, said, 0, false, b.record(in, verb, "", outcomeAsked, "interrupted; the person was asked whether it is still wanted"))
}
