package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

const (
	lookAgain = 5  // how often an unreachable platform is asked what became of started work
	longest   = 30 // how much longer than the first pause one between tries may get
)

// act carries an action out in its way, within its time, and says how it came
// out. The record comes back with the handle of what was started.
func (r *runner) act(rec platform.StepRecord, a platform.Action, call platform.Run, begun bool, log *tail) (outcome, platform.StepRecord, platform.Result, error) {
	limit := orDefault(a.Timeout, r.e.Timeout)
	ctx, cancel := context.WithTimeoutCause(r.ctx, limit, errSlow)
	defer cancel()
	switch {
	case a.Once != nil:
		patient, cancel := r.patient(ctx)
		defer cancel()
		res, err := attempt(r, patient, rec, log, func() (platform.Result, error) { return a.Once(patient, call) })
		out, judged := r.judge(ctx, limit, err)
		if fault.Is(err, fault.Unreachable) && out != left && out != gone {
			return unsure, rec, res, err // the answer was lost, perhaps not the deed
		}
		return out, rec, res, judged
	case a.Do != nil:
		return r.repeat(ctx, limit, rec, a, call, log)
	case a.Start != nil:
		return r.attach(ctx, limit, rec, a, call, begun, log)
	}
	return failed, rec, platform.Result{}, fault.New(fault.Internal, "engine.act", "", "The action %s does nothing.", call.Step.Action)
}

// repeat carries a Do out, again while the platform cannot be reached.
func (r *runner) repeat(ctx context.Context, limit time.Duration, rec platform.StepRecord, a platform.Action, call platform.Run, log *tail) (outcome, platform.StepRecord, platform.Result, error) {
	wait := r.e.Retry
	for try := 0; ; try++ {
		res, err := attempt(r, ctx, rec, log, func() (platform.Result, error) { return a.Do(ctx, call) })
		if !fault.Is(err, fault.Unreachable) || try >= a.Retries || !r.pause(ctx, &wait) {
			out, err := r.judge(ctx, limit, err)
			return out, rec, res, err
		}
		rec.Attempt++
		if out := r.save(rec); out != done {
			return out, rec, res, err
		}
	}
}

// attach finds what was started, or starts it, and waits for it. What may have
// been started is looked for before anything is started again.
func (r *runner) attach(ctx context.Context, limit time.Duration, rec platform.StepRecord, a platform.Action, call platform.Run, begun bool, log *tail) (outcome, platform.StepRecord, platform.Result, error) {
	var none platform.Result
	if rec.Handle == "" {
		h, err := r.begin(ctx, rec, a, call, begun, log)
		if errors.Is(err, errHidden) {
			// maitred that stops asks nobody: the next start looks again.
			if out, _ := r.judge(ctx, limit, err); out == left || out == gone {
				return out, rec, none, err
			}
			return unsure, rec, none, err
		}
		if err != nil {
			out, err := r.judge(ctx, limit, err)
			return out, rec, none, err
		}
		rec.Handle = h
		if out := r.save(rec); out != done {
			return out, rec, none, nil
		}
	}
	wait := r.e.Retry
	for try := 0; ; try++ {
		res, err := attempt(r, ctx, rec, log, func() (platform.Result, error) { return a.Wait(ctx, call, rec.Handle) })
		lost := fault.Is(err, fault.Unreachable) && ctx.Err() == nil
		if lost && try < max(a.Retries, lookAgain) && r.pause(ctx, &wait) {
			continue
		}
		if lost && ctx.Err() == nil {
			return unsure, rec, res, err // it goes on, or not, out of sight
		}
		out, err := r.judge(ctx, limit, err)
		return out, rec, res, err
	}
}

// errHidden says that nobody could tell whether work was started.
var errHidden = errors.New("whether it was started could not be found out")

// begin returns the handle of the work, started once.
func (r *runner) begin(ctx context.Context, rec platform.StepRecord, a platform.Action, call platform.Run, begun bool, log *tail) (platform.Handle, error) {
	wait := r.e.Retry
	var lost error // of the start before
	for try := 0; ; try++ {
		if begun {
			// Looking must work even when a person cancelled: what runs has to be
			// found to be stopped.
			look, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.e.Grace)
			h, found, err := a.Find(look, call)
			cancel()
			switch {
			case err == nil && found:
				return h, nil
			case err != nil && (try >= lookAgain || !r.pause(ctx, &wait)):
				return "", &fault.Error{Kind: fault.Unreachable, Op: "engine.find", Err: errors.Join(errHidden, err),
					Say: "Whether it was started could not be found out: " + fault.Of(err).Say}
			case err != nil:
				continue
			}
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if lost != nil && try > lookAgain {
			return "", lost
		}
		h, err := attempt(r, ctx, rec, log, func() (platform.Handle, error) { return a.Start(ctx, call) })
		if err == nil {
			return h, nil
		}
		if !fault.Is(err, fault.Unreachable) && ctx.Err() == nil {
			return "", err
		}
		begun, lost = true, err // it may have begun although the answer says otherwise
		if ctx.Err() == nil {
			r.pause(ctx, &wait)
		}
	}
}

// errDeaf says that an action did not end when it was told to.
var errDeaf = errors.New("it did not stop when it was told to")

// attempt calls an action, survives its panic, shows its output while it runs,
// and gives up on it when it does not end soon after ctx.
func attempt[T any](r *runner, ctx context.Context, rec platform.StepRecord, log *tail, fn func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	ended := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a.err = fmt.Errorf("panic: %v", p)
			}
			ended <- a
		}()
		a.value, a.err = fn()
	}()
	show := time.NewTicker(time.Second)
	defer show.Stop()
	over := ctx.Done()
	var deaf <-chan time.Time
	for {
		select {
		case a := <-ended:
			return a.value, a.err
		case <-show.C:
			if text, news := r.fresh(log); news && ctx.Err() == nil {
				rec.Output = text
				r.glimpse(rec)
			}
		case <-over:
			over, deaf = nil, time.After(r.e.Grace)
		case <-deaf:
			var none T
			return none, errDeaf
		}
	}
}

// glimpse stores what a running step has printed so far; the next try is soon.
func (r *runner) glimpse(rec platform.StepRecord) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 5*time.Second)
	defer cancel()
	if err := r.e.Store.SaveStep(ctx, rec); errors.Is(err, ErrFenced) {
		r.cancelNow(ErrFenced)
	}
}

// judge says what the end of an action means.
func (r *runner) judge(ctx context.Context, limit time.Duration, err error) (outcome, error) {
	if err == nil {
		return done, nil // also when it was told to stop: it was quicker
	}
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return failed, err
	case errors.Is(cause, ErrFenced):
		return gone, err
	case errors.Is(cause, errCancelled) && !errors.Is(err, errDeaf):
		return dropped, fault.New(fault.Refused, "engine.cancel", "", "It was stopped because it was cancelled.")
	case errors.Is(cause, errSlow) && !errors.Is(err, errDeaf):
		return failed, &fault.Error{Kind: fault.Unreachable, Op: "engine.act", Err: err,
			Say: fmt.Sprintf("It was stopped because it was not done after %s.", chat.Span(limit))}
	case errors.Is(cause, errCancelled), errors.Is(cause, errSlow):
		return unsure, &fault.Error{Kind: fault.Internal, Op: "engine.act", Err: err, Say: "It was told to stop and did not; it may still run."}
	}
	return left, err
}

// patient is ctx for a step that must not be repeated: when maitred stops, it
// gets the grace to end by itself first, because half done is unknown.
func (r *runner) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	slow, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		cause := context.Cause(ctx)
		if errors.Is(cause, platform.ErrStopping) {
			t := time.NewTimer(r.e.Grace / 2)
			defer t.Stop()
			select {
			case <-t.C:
			case <-slow.Done():
			}
		}
		cancel(cause)
	})
	return slow, func() { stop(); cancel(nil) }
}

// pause waits a little longer each time, and reports whether ctx still stands.
func (r *runner) pause(ctx context.Context, wait *time.Duration) bool {
	t := time.NewTimer(*wait)
	defer t.Stop()
	*wait = min(2**wait, longest*r.e.Retry)
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
