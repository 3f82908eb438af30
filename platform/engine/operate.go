package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// outcome is how a step, or a whole walk, came out.
type outcome string

const (
	done    outcome = "done"
	failed  outcome = "failed"
	unsure  outcome = "unknown"   // nobody knows whether it happened
	dropped outcome = "cancelled" // a person stopped it
	left    outcome = "left"      // maitred stops: it is resumed by the next start
	gone    outcome = "gone"      // the operation has changed hands: nothing more is done here
)

var (
	errLeft      = errors.New("left for the next start")
	errCancelled = errors.New("cancelled by a person")
)

// runner walks the plan of one operation under one fence.
type runner struct {
	e        *Engine
	id       int64
	op       platform.Operation // as it was when it was last read or moved; the walk's alone
	fence    int64
	provider platform.Provider
	actions  map[string]platform.Action
	records  map[recordKey]platform.StepRecord
	redact   func(string) string // nil withholds
	step     stepFunc

	ctx    context.Context // of what runs now; its cause says why it ends
	cancel context.CancelCauseFunc
	back   bool          // it goes back, and no cancel stops that any more
	asked  chan struct{} // somebody asked to cancel
	once   sync.Once
}

type recordKey struct {
	index int
	undo  bool
}

// operate is the interpreter: the body of every workflow. Its truth is the row
// of the operation and the records of its steps, so walking the same plan again
// finds what was done and goes on from there.
func (e *Engine) operate(ctx context.Context, h handed, step stepFunc) (outcome, error) {
	r := &runner{e: e, id: h.ID, fence: h.Fence, step: step, asked: make(chan struct{}, 1), records: map[recordKey]platform.StepRecord{}}
	if !e.enter(ctx, h.ID, r) {
		return left, nil
	}
	defer e.exit(h.ID, r)
	out := r.walk(h)
	if out == left {
		e.exit(h.ID, r)
	}
	e.Log.Debug("walk ended", zap.Int64("operation", h.ID), zap.Int64("fence", h.Fence), zap.String("outcome", string(out)))
	return out, nil
}

// enter registers r, unless the engine stops.
func (e *Engine) enter(ctx context.Context, id int64, r *runner) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping.Load() {
		return false
	}
	r.ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	e.runners[id] = r
	e.work.Add(1)
	return true
}

func (e *Engine) exit(id int64, r *runner) {
	r.once.Do(func() {
		e.mu.Lock()
		if e.runners[id] == r {
			delete(e.runners, id)
		}
		e.mu.Unlock()
		r.stop(errLeft)
		e.work.Done()
	})
}

// notice makes the runner of an operation look for a cancellation at once.
func (e *Engine) notice(id int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.runners[id]; r != nil {
		select {
		case r.asked <- struct{}{}:
		default:
		}
	}
}

// stop ends what r does now. The first cause counts.
func (r *runner) stop(cause error) {
	r.cancel(cause)
}

// walk goes through the plan to whatever end it has.
func (r *runner) walk(h handed) outcome {
	if out := r.read(h); out != done {
		return out
	}
	watching := make(chan struct{})
	defer close(watching)
	go r.watch(watching)
	if r.op.State == platform.Running {
		out, rec := r.forward()
		switch out {
		case left, gone:
			return out
		case unsure:
			return r.wonder(rec)
		case done:
			return r.succeed()
		default:
			if out := r.turn(out, rec); out != done {
				return out
			}
		}
	}
	if r.op.State != platform.Undoing {
		return done
	}
	return r.backward()
}

// read fetches the operation and what is known of its steps.
func (r *runner) read(h handed) outcome {
	err := r.persist(func(ctx context.Context) error {
		op, err := r.e.Store.Operation(ctx, h.ID)
		if err != nil {
			return err
		}
		records, err := r.e.Store.Steps(ctx, h.ID)
		if err != nil {
			return err
		}
		r.op = op
		for _, rec := range records {
			r.records[recordKey{rec.Index, rec.Undo}] = rec
		}
		return nil
	})
	if err != nil {
		return outcomeOf(err)
	}
	if r.op.Fence != h.Fence || r.op.State != platform.Running && r.op.State != platform.Undoing {
		return gone
	}
	r.provider, err = r.e.provider(r.op.Target)
	if err != nil {
		r.e.Log.Warn("operation without a platform", zap.Int64("operation", h.ID), zap.Error(err))
		r.actions = map[string]platform.Action{}
	} else {
		r.actions = r.provider.Actions()
	}
	r.redact = func(s string) string { return s }
	if r.e.Redact != nil {
		// Not for long: nothing can be cancelled before the walk begins.
		ctx, cancel := context.WithTimeout(r.ctx, r.e.Grace)
		r.redact, err = r.e.Redact(ctx, r.op.Target)
		cancel()
		if err != nil {
			r.e.Log.Warn("output is withheld: the secrets of the target cannot be read", zap.Error(err))
			r.redact = nil
		}
	}
	if r.op.Cancel != nil && r.op.State == platform.Running {
		r.cancel(errCancelled)
	}
	return done
}

// watch looks for a cancellation, or a new fence, until the walk has ended.
func (r *runner) watch(ended <-chan struct{}) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-r.asked:
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		op, err := r.e.Store.Operation(ctx, r.id)
		cancel()
		switch {
		case err != nil:
		case op.Fence != r.fence:
			r.cancelNow(ErrFenced)
		case op.Cancel != nil && op.State == platform.Running:
			r.cancelNow(errCancelled)
		}
	}
}

// cancelNow ends the context of now, which changes between the phases.
func (r *runner) cancelNow(cause error) {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	if r.back && errors.Is(cause, errCancelled) {
		return
	}
	r.cancel(cause)
}

// renew gives the walk a fresh context for its way back, unless maitred stops.
func (r *runner) renew() {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	r.back = true
	if cause := context.Cause(r.ctx); cause != nil && !errors.Is(cause, errCancelled) {
		return
	}
	r.ctx, r.cancel = context.WithCancelCause(context.WithoutCancel(r.ctx))
	if r.e.stopping.Load() {
		r.cancel(platform.ErrStopping)
	}
}

// forward does the steps in order, until one does not come out done.
func (r *runner) forward() (outcome, platform.StepRecord) {
	for i := range r.op.Plan.Steps {
		out, rec := r.checkpointed(i, false)
		if out != done {
			return out, rec
		}
	}
	return done, platform.StepRecord{}
}

// checkpointed does a step under the library's own record as well.
func (r *runner) checkpointed(i int, undo bool) (outcome, platform.StepRecord) {
	var rec platform.StepRecord
	name := r.op.Plan.Steps[i].Name
	if undo {
		name = "undo " + name
	}
	var out outcome
	_, err := r.step(name, func() (outcome, error) {
		out, rec = r.perform(i, undo)
		if out == left {
			r.e.exit(r.op.ID, r) // the library is kept waiting until its end, so that it notes nothing
		}
		return out, nil
	})
	if out == "" { // the library knew it, or failed; our own record is the truth
		if err != nil {
			r.e.Log.Debug("checkpoint failed", zap.Int64("operation", r.op.ID), zap.String("step", name), zap.Error(err))
		}
		return r.perform(i, undo)
	}
	return out, rec
}

// succeed ends the operation well.
func (r *runner) succeed() outcome {
	return r.finish(func(tx Tx, op *platform.Operation) error {
		say := fmt.Sprintf("%s succeeded after %s.", Title(*op), r.took(*op))
		if op.Release != "" {
			say = fmt.Sprintf("%s succeeded after %s: %s is live.", Title(*op), r.took(*op), op.Release)
		}
		if op.Cancel != nil {
			say += fmt.Sprintf(" The cancel of %s came after the last step.", op.Cancel.Person.Label())
		}
		return r.e.end(context.WithoutCancel(r.ctx), tx, op, platform.Succeeded, "", say)
	})
}

// wonder ends the walk at a step of which nobody knows whether it happened.
func (r *runner) wonder(rec platform.StepRecord) outcome {
	ctx := context.WithoutCancel(r.ctx)
	return r.move(func(tx Tx, op *platform.Operation) error {
		op.State = platform.Unknown
		if err := tx.Save(ctx, op); err != nil {
			return err
		}
		what := "The step " + rec.Name
		if rec.Undo {
			what = "Taking back the step " + rec.Name
		}
		why := rec.Error
		if why == "" {
			why = "maitred was stopped while it ran"
		}
		return r.e.tell(ctx, tx, *op, Event{Kind: BecameUnknown, Step: rec.Name, Undo: rec.Undo, Say: fmt.Sprintf(
			"%s of %s was begun at %s UTC, and nobody knows whether it happened: %s It is not repeated without a person. Look at %s, then type /settle %d done|not-done|give-up WHY.",
			what, Title(*op), rec.Started.UTC().Format("15:04:05"), sentence(why), op.Target, op.ID)})
	})
}

// finish is a move that ends the operation, after which the line goes on.
func (r *runner) finish(fn func(tx Tx, op *platform.Operation) error) outcome {
	out := r.move(func(tx Tx, op *platform.Operation) error {
		gather(op, slices.Collect(maps.Values(r.records)))
		if err := fn(tx, op); err != nil {
			return err
		}
		return tx.Audit(context.WithoutCancel(r.ctx), op.Place, op.Kind.Verb(), fmt.Sprintf("#%d", op.ID), string(op.State), op.Message)
	})
	if out == done {
		r.e.metrics.ended(r.op)
		r.e.advance(context.WithoutCancel(r.ctx), r.op.Target)
	}
	return out
}

// move changes the operation while it is still under the runner's fence.
func (r *runner) move(fn func(tx Tx, op *platform.Operation) error) outcome {
	err := r.persist(func(ctx context.Context) error {
		return r.e.update(ctx, r.op.Target, func(tx Tx) error {
			op, err := tx.Operation(ctx, r.op.ID)
			if err != nil {
				return err
			}
			if op.Fence != r.fence {
				return ErrFenced
			}
			if op.State != platform.Running && op.State != platform.Undoing {
				r.op = op // an earlier try was stored, and the answer was lost
				return nil
			}
			if err := fn(tx, &op); err != nil {
				return err
			}
			r.op = op
			return nil
		})
	})
	return outcomeOf(err)
}

// gather takes over what the steps made; of several, the last one's.
func gather(op *platform.Operation, records []platform.StepRecord) {
	slices.SortFunc(records, func(a, b platform.StepRecord) int { return cmp.Compare(a.Index, b.Index) })
	for _, rec := range records {
		if rec.Undo {
			continue
		}
		if rec.State == chat.StepDone && rec.Result.Release != "" {
			op.Release = rec.Result.Release
		}
		if rec.Result.Backup != "" {
			op.Backup = rec.Result.Backup
		}
	}
}

func (r *runner) took(op platform.Operation) string {
	return chat.Span(r.e.now().Sub(op.Started))
}

// persist writes, again and again while the store does not answer: what was done
// must not be forgotten because the disk was full for a minute.
func (r *runner) persist(write func(ctx context.Context) error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 30*time.Second)
		err := write(ctx)
		cancel()
		if err == nil || errors.Is(err, ErrFenced) || fault.Is(err, fault.Missing) {
			return err
		}
		r.e.Log.Warn("not stored, trying again", zap.Int64("operation", r.id), zap.Error(err))
		select {
		case <-r.e.stopped:
			return errLeft
		case <-time.After(wait):
		}
	}
}

// outcomeOf is what the end of a write means for the walk.
func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return done
	case errors.Is(err, errLeft):
		return left
	}
	return gone
}
