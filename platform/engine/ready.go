package engine

import (
	"context"

	"maitred/fault"
)

// Started is closed once Run has taken up what an earlier run left and takes
// new work.
func (e *Engine) Started() <-chan struct{} { return e.started }

// Ready is nil while the engine takes work.
func (e *Engine) Ready(context.Context) error {
	select {
	case <-e.started:
	default:
		return fault.New(fault.Busy, "engine.ready", "", "The engine does not take work yet.")
	}
	if e.stopping.Load() {
		return fault.New(fault.Busy, "engine.ready", "", "The engine is stopping.")
	}
	if err := e.leased(); err != nil {
		return &fault.Error{Kind: fault.Busy, Op: "engine.ready", Say: "This replica could not renew its lease.", Err: err}
	}
	return nil
}
