package commands

import (
	"context"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

func (v *Voice) headline(op platform.Operation) string { return "" }
func (v *Voice) card(ctx context.Context, op platform.Operation) (chat.Card, error) {
	return chat.Card{}, nil
}
func (v *Voice) event(ctx context.Context, op platform.Operation, e engine.Event) (chat.Card, error) {
	return chat.Card{}, nil
}
