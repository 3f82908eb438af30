package engine

import (
	"context"

	"maitred/platform"
)

// Operation reads one operation. Faults: Missing.
func (e *Engine) Operation(ctx context.Context, id int64) (platform.Operation, error) {
	return e.Store.Operation(ctx, id)
}

// List reads operations, newest first.
func (e *Engine) List(ctx context.Context, f Filter) ([]platform.Operation, error) {
	return e.Store.Operations(ctx, f)
}

// Live reads every operation that has not ended, oldest first.
func (e *Engine) Live(ctx context.Context) ([]platform.Operation, error) { return e.Store.Live(ctx) }

// Steps reads the step records of an operation.
func (e *Engine) Steps(ctx context.Context, id int64) ([]platform.StepRecord, error) {
	return e.Store.Steps(ctx, id)
}

// Decisions reads who said what about an operation, oldest first.
func (e *Engine) Decisions(ctx context.Context, id int64) ([]platform.Decision, error) {
	return e.Store.Decisions(ctx, id)
}

// Events reads the history of an operation, oldest first.
func (e *Engine) Events(ctx context.Context, id int64) ([]Event, error) {
	return e.Store.Events(ctx, id)
}

// Event reads one event.
func (e *Engine) Event(ctx context.Context, event int64) (Event, error) {
	return e.Store.Event(ctx, event)
}
