package engine

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// Settle is a person's word on a step of which nobody knows whether it
// happened. Done goes on after it, not-done does it now, give-up ends the
// operation as failed and takes nothing back. Faults: Refused (nothing is
// unknown), Invalid, Missing.
func (e *Engine) Settle(ctx context.Context, id int64, s platform.Settlement) (platform.Operation, error) {
	op, err := e.Store.Operation(ctx, id)
	if err != nil {
		return op, err
	}
	usage := fmt.Sprintf("/settle %d done|not-done|give-up WHY", id)
	switch s.Verdict {
	case platform.WasDone, platform.WasNotDone, platform.GiveUp:
	default:
		return op, fault.New(fault.Invalid, "engine.settle", usage, "%q is no verdict: say done, not-done or give-up.", s.Verdict)
	}
	if strings.TrimSpace(s.Why) == "" {
		return op, fault.New(fault.Invalid, "engine.settle", usage, "Say how you know.")
	}
	if s.Person.Automaton || s.Person.Guest || s.Person.Who == "" {
		return op, fault.New(fault.Forbidden, "engine.settle", usage, "Only a known person may settle what a step did.")
	}
	var old handed
	err = e.update(ctx, op.Target, func(tx Tx) error {
		op, err = tx.Operation(ctx, id)
		if err != nil {
			return err
		}
		if op.State != platform.Unknown {
			return fault.New(fault.Refused, "engine.settle", fmt.Sprintf("/operation %d", id),
				"There is nothing to settle: %s is %s.", Title(op), op.State)
		}
		old = handed{op.ID, op.Fence}
		return e.settle(ctx, tx, &op, s)
	})
	if err == nil {
		e.drop(old)
	}
	return e.after(ctx, op, err)
}

// settle writes the verdict into the step's record and hands the operation on.
func (e *Engine) settle(ctx context.Context, tx Tx, op *platform.Operation, s platform.Settlement) error {
	records, err := tx.Steps(ctx, op.ID)
	if err != nil {
		return err
	}
	rec, found := unsettled(records)
	if !found {
		return fault.New(fault.Internal, "engine.settle", "", "#%d is unknown, but none of its steps is.", op.ID)
	}
	who := s.Person
	if err := e.tell(ctx, tx, *op, Event{Kind: Settled, By: &who, Step: rec.Name, Undo: rec.Undo,
		Say: fmt.Sprintf("%s settled the step %s as %s: %s", who.Label(), rec.Name, s.Verdict, sentence(s.Why))}); err != nil {
		return err
	}
	op.Fence++
	switch s.Verdict {
	case platform.WasDone:
		rec.State, rec.Ended = chat.StepDone, e.now()
		rec.Result.Say = strings.TrimSpace(rec.Result.Say + " settled as done by " + who.Label())
		if rec.Undo {
			if err := tx.SaveStep(ctx, takenBack(records, rec, op.Fence)); err != nil {
				return err
			}
		}
	case platform.WasNotDone:
		rec.State, rec.Handle, rec.Error = chat.StepPending, "", ""
	case platform.GiveUp:
		rec.State, rec.Ended = chat.StepFailed, e.now()
		rec.Fence = op.Fence
		if err := tx.SaveStep(ctx, rec); err != nil {
			return err
		}
		gather(op, records) // what was made before stays
		return e.end(ctx, tx, op, platform.Failed, "step:"+rec.Name,
			fmt.Sprintf("%s was given up by %s: nobody knows whether the step %s happened. Nothing was taken back; look at %s before the next operation.",
				Title(*op), who.Label(), rec.Name, op.Target))
	}
	rec.Fence = op.Fence
	if err := tx.SaveStep(ctx, rec); err != nil {
		return err
	}
	op.State, op.Owner = platform.Running, e.Replica
	if rec.Undo {
		op.State = platform.Undoing
	}
	if err := tx.Save(ctx, op); err != nil {
		return err
	}
	return e.queue.put(tx, handed{op.ID, op.Fence})
}

// unsettled finds the step that is unknown.
func unsettled(records []platform.StepRecord) (platform.StepRecord, bool) {
	for _, r := range records {
		if r.State == chat.StepUnknown {
			return r, true
		}
	}
	return platform.StepRecord{}, false
}

// takenBack is the record of the step that undo took back.
func takenBack(records []platform.StepRecord, undo platform.StepRecord, fence int64) platform.StepRecord {
	for _, r := range records {
		if r.Index == undo.Index && !r.Undo {
			r.State, r.Fence = chat.StepUndone, fence
			return r
		}
	}
	return platform.StepRecord{Operation: undo.Operation, Index: undo.Index, Name: undo.Name, State: chat.StepUndone, Fence: fence}
}
