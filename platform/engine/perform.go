package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// errSlow is the cause of a step's end by its time limit.
var errSlow = errors.New("it took too long")

// perform does one step, or takes it back, unless its record says that this was
// done. The intent is written before anything happens, and the result after.
func (r *runner) perform(i int, undo bool) (outcome, platform.StepRecord) {
	key := recordKey{i, undo}
	rec := r.record(i, undo)
	switch rec.State {
	case chat.StepDone, chat.StepUndone, chat.StepSkipped:
		return done, rec
	case chat.StepFailed:
		if !undo && errors.Is(context.Cause(r.ctx), errCancelled) {
			return dropped, rec
		}
		return failed, rec
	case chat.StepUnknown:
		return unsure, rec
	}
	begun := rec.State == chat.StepRunning
	action, known := r.actions[r.verb(i, undo)]
	switch {
	case !begun && r.ctx.Err() != nil:
		return r.ending(), rec
	case begun && action.Once != nil:
		return r.close(rec, unsure, platform.Result{}, fault.New(fault.Unreachable, "engine.once", "", "maitred was stopped while it ran, and its answer never came."), nil)
	}
	rec.State, rec.Fence, rec.Attempt = chat.StepRunning, r.fence, rec.Attempt+1
	if rec.Started.IsZero() {
		rec.Started = r.e.now()
	}
	if out := r.save(rec); out != done {
		return out, rec
	}
	if r.e.leased() != nil {
		return left, rec // frozen while it wrote: the work may be another's by now
	}
	tail := &tail{}
	if !known {
		err := fault.New(fault.Internal, "engine.step", "", "The %s platform no longer knows the action %s.", r.kind(), r.verb(i, undo))
		return r.close(rec, failed, platform.Result{}, err, tail)
	}
	began := time.Now()
	out, rec, res, err := r.act(rec, action, r.call(i, undo, tail), begun, tail)
	if len(res.Data) > 0 && !json.Valid(res.Data) { // it could never be stored
		res.Data = nil
		if out == done {
			out, err = failed, fault.New(fault.Internal, "engine.result", "",
				"The %s platform answered with data that cannot be kept, so nobody could go on from it.", r.kind())
		}
	}
	r.e.metrics.step(r.verb(i, undo), out, time.Since(began))
	if out == left || out == gone {
		return out, rec
	}
	out, rec = r.close(rec, out, res, err, tail)
	r.records[key] = rec
	return out, rec
}

// record is what is known of a step; of one that was never begun, its name.
func (r *runner) record(i int, undo bool) platform.StepRecord {
	if rec, ok := r.records[recordKey{i, undo}]; ok {
		return rec
	}
	return platform.StepRecord{Operation: r.op.ID, Index: i, Undo: undo, Name: r.op.Plan.Steps[i].Name, State: chat.StepPending}
}

func (r *runner) verb(i int, undo bool) string {
	if undo {
		return r.op.Plan.Steps[i].Undo
	}
	return r.op.Plan.Steps[i].Action
}

func (r *runner) kind() string {
	if r.provider == nil {
		return "configured"
	}
	return r.provider.Kind()
}

// ending is what the end of the runner's context means.
func (r *runner) ending() outcome {
	switch cause := context.Cause(r.ctx); {
	case errors.Is(cause, errCancelled):
		return dropped
	case errors.Is(cause, ErrFenced):
		return gone
	}
	return left
}

// call is what an action gets.
func (r *runner) call(i int, undo bool, log *tail) platform.Run {
	step := r.op.Plan.Steps[i]
	results := map[string]json.RawMessage{}
	for k, rec := range r.records {
		if !k.undo && (rec.State == chat.StepDone || undo && k.index == i) && len(rec.Result.Data) > 0 {
			results[rec.Name] = rec.Result.Data
		}
	}
	return platform.Run{
		Operation: r.op.ID, Requester: r.op.Requester.Label(), Target: r.op.Target, Step: step,
		Key: fmt.Sprintf("%d/%s", r.op.ID, step.Name), Fence: r.fence, Results: results, Log: log,
		Secret: func(ctx context.Context, handle string) (string, error) {
			value, err := r.e.Store.Secret(ctx, handle)
			if err == nil {
				log.hide(value)
			}
			return value, err
		},
	}
}

// save writes a record under the runner's fence.
func (r *runner) save(rec platform.StepRecord) outcome {
	err := r.persist(func(ctx context.Context) error { return r.e.Store.SaveStep(ctx, rec) })
	if err == nil {
		r.records[recordKey{rec.Index, rec.Undo}] = rec
	}
	return outcomeOf(err)
}

// close writes how a step came out, and tells it where somebody must know.
func (r *runner) close(rec platform.StepRecord, out outcome, res platform.Result, cause error, log *tail) (outcome, platform.StepRecord) {
	rec.Ended = r.e.now()
	rec.Fence = r.fence
	rec.Result = r.clean(res, log)
	if log != nil {
		rec.Output = r.shown(log)
	}
	switch out {
	case done:
		rec.State = chat.StepDone
	case unsure:
		rec.State = chat.StepUnknown
	default:
		rec.State = chat.StepFailed
	}
	if cause != nil {
		rec.Error = r.text(fault.Of(cause).Say, log)
		if fault.Of(cause).Kind == fault.Internal {
			r.e.Log.Warn("step failed", fields(rec, r.text(cause.Error(), log))...)
		}
	}
	stored := r.move(func(tx Tx, op *platform.Operation) error {
		ctx := context.WithoutCancel(r.ctx)
		if err := tx.SaveStep(ctx, rec); err != nil {
			return err
		}
		if rec.Undo && out == done {
			if err := tx.SaveStep(ctx, r.undone(rec)); err != nil {
				return err
			}
		}
		if err := r.narrate(ctx, tx, *op, rec, out); err != nil {
			return err
		}
		return tx.Save(ctx, op)
	})
	if stored != done {
		return stored, rec
	}
	r.records[recordKey{rec.Index, rec.Undo}] = rec
	if rec.Undo && out == done {
		r.records[recordKey{rec.Index, false}] = r.undone(rec)
	}
	return out, rec
}

// undone is the record of the step that rec took back.
func (r *runner) undone(rec platform.StepRecord) platform.StepRecord {
	step := r.record(rec.Index, false)
	step.State, step.Fence = chat.StepUndone, r.fence
	return step
}

// narrate writes the events of a step's end: what it warned of, and its output
// or failure. A step that quietly worked is on the card and needs no message.
func (r *runner) narrate(ctx context.Context, tx Tx, op platform.Operation, rec platform.StepRecord, out outcome) error {
	for _, w := range rec.Result.Warnings {
		if err := r.e.tell(ctx, tx, op, Event{Kind: Warned, Step: rec.Name, Undo: rec.Undo, Say: w}); err != nil {
			return err
		}
	}
	if out == unsure || out == done && rec.Output == "" {
		return nil
	}
	name := "The step " + rec.Name
	if rec.Undo {
		name = "Taking back " + rec.Name
	}
	say := name + " is done."
	switch {
	case out == dropped:
		say = name + " was stopped."
	case out != done:
		say = fmt.Sprintf("%s failed: %s", name, sentence(rec.Error))
	case rec.Result.Say != "":
		say = fmt.Sprintf("%s is done: %s", name, sentence(rec.Result.Say))
	}
	return r.e.tell(ctx, tx, op, Event{Kind: StepEnded, Step: rec.Name, Undo: rec.Undo, Say: say})
}
