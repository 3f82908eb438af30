package engine

import (
	"context"
	"fmt"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// Cancel ends what has not begun, and asks what runs to stop: its step is
// stopped, what it changed is taken back, and its end says what was and was not
// applied. Faults: Refused (nothing to stop), Missing.
func (e *Engine) Cancel(ctx context.Context, id int64, by chat.Person) (platform.Operation, error) {
	op, err := e.Store.Operation(ctx, id)
	if err != nil {
		return op, err
	}
	err = e.update(ctx, op.Target, func(tx Tx) error {
		op, err = tx.Operation(ctx, id)
		if err != nil {
			return err
		}
		if err := cancellable(op); err != nil {
			return err
		}
		if op.State != platform.Running {
			return e.end(ctx, tx, &op, platform.Cancelled, "by:"+by.Label(),
				fmt.Sprintf("%s was cancelled by %s before it began. Nothing was changed.", Title(op), by.Label()))
		}
		op.Cancel = &platform.Cancellation{Person: by, At: e.now()}
		if err := tx.Save(ctx, &op); err != nil {
			return err
		}
		return e.tell(ctx, tx, op, Event{Kind: CancelAsked, By: &by,
			Say: fmt.Sprintf("%s asked to cancel it. The step that runs is stopped, and what was changed is taken back.", by.Label())})
	})
	if err == nil && op.State == platform.Running {
		e.notice(id)
		return op, nil
	}
	return e.after(ctx, op, err)
}

// cancellable is nil when there is something to stop.
func cancellable(op platform.Operation) error {
	no := func(hint, format string, args ...any) error {
		return fault.New(fault.Refused, "engine.cancel", hint, "%s", fmt.Sprintf(format, args...))
	}
	here := fmt.Sprintf("/operation %d", op.ID)
	switch op.State {
	case platform.Waiting, platform.Queued:
		return nil
	case platform.Running:
		if op.Cancel != nil {
			return no(here, "%s asked to cancel #%d already; it is being stopped.", op.Cancel.Person.Label(), op.ID)
		}
		return nil
	case platform.Undoing:
		return no(here, "%s is being taken back already; that is not stopped half-way.", Title(op))
	case platform.Unknown:
		return no(fmt.Sprintf("/settle %d done|not-done|give-up WHY", op.ID),
			"Nobody knows yet what a step of %s did, so there is nothing to stop. Look, and say what is true.", Title(op))
	}
	return no(here, "%s has ended already: %s.", Title(op), op.State)
}
