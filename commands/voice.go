package commands

import (
	"context"

	"maitred/chat"
	"maitred/fault"
	"maitred/notifications"
)

// Voice words operations and their events. It is the notifications.Renderer of
// both.
type Voice struct{ services Services }

var _ notifications.Renderer = (*Voice)(nil)

// NewVoice returns the Voice that reads from s.
func NewVoice(s Services) *Voice { return &Voice{s} }

func (s Services) voice() *Voice { return NewVoice(s) }

// Render words the newest state of what is shown. The version is the
// operation's, also for its events: their buttons follow it.
func (v *Voice) Render(ctx context.Context, s notifications.Subject) (chat.Card, int64, error) {
	switch s.Kind {
	case notifications.OperationSubject:
		op, err := v.services.Operations.Operation(ctx, s.ID)
		if err != nil {
			return chat.Card{}, 0, err
		}
		card, err := v.card(ctx, op)
		return card, op.Version, err
	case notifications.EventSubject:
		e, err := v.services.Operations.Event(ctx, s.ID)
		if err != nil {
			return chat.Card{}, 0, err
		}
		op, err := v.services.Operations.Operation(ctx, e.Operation)
		if err != nil {
			return chat.Card{}, 0, err
		}
		card, err := v.event(ctx, op, e)
		return card, op.Version, err
	}
	return chat.Card{}, 0, fault.New(fault.Missing, "commands.voice", "", "Nobody knows how to show %s %d.", s.Kind, s.ID)
}
