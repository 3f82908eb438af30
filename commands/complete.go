package commands

import (
	"context"

	"maitred/chat"
)

// Complete suggests how line could be finished.
func (r *Registry) Complete(ctx context.Context, c Call, line string) []chat.Completion { return nil }
