package engine

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
	"maitred/platform"
)

// turn is the moment when an operation stops going forward: because a step
// failed, or because a person cancelled. It goes back when there is something to
// take back, and ends at once when not.
func (r *runner) turn(out outcome, rec platform.StepRecord) outcome {
	r.renew()
	ctx := context.WithoutCancel(r.ctx)
	back := r.toUndo()
	moved := r.finishUnless(len(back) > 0, func(tx Tx, op *platform.Operation) error {
		if op.State == platform.Undoing {
			return nil // stored by an earlier try, whose answer was lost
		}
		reason, why := "step:"+rec.Name, fmt.Sprintf("%s failed in the step %s: %s", Title(*op), rec.Name, sentence(rec.Error))
		if out == dropped && op.Cancel != nil {
			reason = "by:" + op.Cancel.Person.Label()
			why = fmt.Sprintf("%s was cancelled by %s.", Title(*op), op.Cancel.Person.Label())
		}
		op.Reason, op.Message = reason, why
		if len(back) == 0 {
			state, message := r.verdict(*op, true)
			return r.e.end(ctx, tx, op, state, reason, message)
		}
		op.State = platform.Undoing
		if err := tx.Save(ctx, op); err != nil {
			return err
		}
		return r.e.tell(ctx, tx, *op, Event{Kind: UndoBegan, Step: rec.Name,
			Say: fmt.Sprintf("%s Taking back: %s.", why, list(r.names(back)))})
	})
	return moved
}

// finishUnless moves the operation, as its end unless it goes on.
func (r *runner) finishUnless(goesOn bool, fn func(tx Tx, op *platform.Operation) error) outcome {
	if goesOn {
		return r.move(fn)
	}
	return r.finish(fn)
}

// toUndo are the steps to take back, last first.
func (r *runner) toUndo() []int {
	var back []int
	for i := len(r.op.Plan.Steps) - 1; i >= 0; i-- {
		step, rec := r.op.Plan.Steps[i], r.record(i, false)
		if step.Undo == "" || rec.Attempt == 0 {
			continue
		}
		if rec.State == chat.StepDone || rec.State == chat.StepUndone || step.Always {
			back = append(back, i)
		}
	}
	return back
}

// backward takes back what was done, last first, and stops at the first undo
// that fails: what lies below may rest on it.
func (r *runner) backward() outcome {
	for _, i := range r.toUndo() {
		out, rec := r.checkpointed(i, true)
		switch out {
		case done:
			continue
		case left, gone:
			return out
		case unsure:
			return r.wonder(rec)
		}
		return r.conclude(false)
	}
	return r.conclude(true)
}

// conclude ends an operation that went back.
func (r *runner) conclude(whole bool) outcome {
	return r.finish(func(tx Tx, op *platform.Operation) error {
		op.Undone = whole
		state, message := r.verdict(*op, whole)
		return r.e.end(context.WithoutCancel(r.ctx), tx, op, state, op.Reason, message)
	})
}

// verdict is the state in which an operation that did not succeed ends, and the
// sentence that says what was and what was not applied.
func (r *runner) verdict(op platform.Operation, whole bool) (platform.State, string) {
	var holds, undone, never []string
	for i, step := range op.Plan.Steps {
		switch rec := r.record(i, false); rec.State {
		case chat.StepDone:
			holds = append(holds, step.Name)
		case chat.StepUndone:
			undone = append(undone, step.Name)
		case chat.StepPending:
			never = append(never, step.Name)
		}
	}
	parts := []string{op.Message}
	if len(undone) > 0 {
		parts = append(parts, fmt.Sprintf("Taken back: %s.", list(undone)))
	}
	if !whole {
		for i := range op.Plan.Steps {
			if rec := r.record(i, true); rec.State == chat.StepFailed {
				parts = append(parts, fmt.Sprintf("%s could not be taken back: %s", upper(rec.Name), sentence(rec.Error)))
			}
		}
	}
	if len(holds) > 0 {
		word := "Applied, and nothing to take back"
		if !whole {
			word = "Still in place"
		}
		parts = append(parts, fmt.Sprintf("%s: %s.", word, list(holds)))
	}
	if len(never) > 0 {
		parts = append(parts, fmt.Sprintf("Not applied: %s.", list(never)))
	}
	state := platform.Failed
	if strings.HasPrefix(op.Reason, "by:") {
		state = platform.Cancelled
	}
	return state, strings.Join(parts, " ")
}

func (r *runner) names(steps []int) []string {
	names := make([]string, len(steps))
	for n, i := range steps {
		names[n] = r.op.Plan.Steps[i].Name
	}
	return names
}

func upper(word string) string {
	if word == "" {
		return word
	}
	return strings.ToUpper(word[:1]) + word[1:]
}
