package platformtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// do carries a verb out in one call.
func (f *Fake) do(v verb) func(context.Context, platform.Run) (platform.Result, error) {
	return func(ctx context.Context, r platform.Run) (platform.Result, error) {
		if err := f.note(Begin, v, r); err != nil {
			return platform.Result{}, err
		}
		s := f.scripted(v, r)
		if s.Early {
			if err := s.strike(); err != nil {
				return platform.Result{}, err
			}
		}
		if err := s.play(ctx); err != nil {
			return platform.Result{}, errors.Join(err, f.note(outcome(err), v, r))
		}
		secret, err := v.open(ctx, r)
		if err != nil {
			return platform.Result{}, err
		}
		var result platform.Result
		err = f.world.change(r.Target, func(a *app) (err error) {
			result, err = v.effect(a, r, readArgs(r), secret)
			return err
		})
		if err != nil {
			return result, errors.Join(err, f.note(Failed, v, r))
		}
		f.say(r, v, result)
		if err := f.note(End, v, r); err != nil || s.Early {
			return result, err
		}
		return result, s.strike()
	}
}

// start begins work that goes on without anybody.
func (f *Fake) start(v verb) func(context.Context, platform.Run) (platform.Handle, error) {
	return func(ctx context.Context, r platform.Run) (platform.Handle, error) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		s := f.scripted(v, r)
		if s.Fail != "" && s.Unreachable {
			return "", errors.Join(s.failure(), f.note(Failed, v, r))
		}
		if err := f.note(Begin, v, r); err != nil {
			return "", err
		}
		now := time.Now()
		err := f.world.change(r.Target, func(a *app) error {
			a.Work[place(v, r)] = &work{Began: now, Due: now.Add(s.Slow), Script: s}
			return nil
		})
		if err != nil {
			return "", err
		}
		if s.Early {
			if err := s.strike(); err != nil {
				return "", err
			}
		}
		return platform.Handle(place(v, r)), nil
	}
}

// find looks for work that start began.
func (f *Fake) find(v verb) func(context.Context, platform.Run) (platform.Handle, bool, error) {
	return func(ctx context.Context, r platform.Run) (platform.Handle, bool, error) {
		found := false
		err := f.look(ctx, r.Target, func(a app) {
			w, ok := a.Work[place(v, r)]
			found = ok && !w.Stopped
		})
		if err != nil || !found {
			return "", false, err
		}
		return platform.Handle(place(v, r)), true, f.note(Found, v, r)
	}
}

// wait follows work to its end. The effect happens once, whoever waits.
func (f *Fake) wait(v verb) func(context.Context, platform.Run, platform.Handle) (platform.Result, error) {
	return func(ctx context.Context, r platform.Run, h platform.Handle) (platform.Result, error) {
		for {
			var result platform.Result
			var due time.Duration
			var ended, mine bool
			var s Script
			err := f.world.change(r.Target, func(a *app) (err error) {
				result, due, ended, mine, s, err = a.settle(v, r, string(h))
				return err
			})
			if err != nil {
				return result, errors.Join(err, f.note(Failed, v, r))
			}
			if mine {
				f.say(r, v, result)
				if err := f.note(End, v, r); err != nil {
					return result, err
				}
				if !s.Early {
					return result, s.strike()
				}
			}
			if ended {
				return result, nil
			}
			if err := pause(ctx, due); err != nil {
				return platform.Result{}, errors.Join(err, f.leave(ctx, v, r, string(h)))
			}
		}
	}
}

// settle looks at work h: what came of it, or when to look again. mine reports
// that this look was the one that gave it its effect.
func (a *app) settle(v verb, r platform.Run, h string) (result platform.Result, due time.Duration, ended, mine bool, s Script, err error) {
	w, ok := a.Work[h]
	switch {
	case !ok:
		err = fault.New(fault.Missing, "fake.wait", "", "There is no work called %s.", h)
	case w.Stopped:
		err = fault.New(fault.Invalid, "fake.wait", "", "The work was stopped.")
	case w.Done:
		return w.Result, 0, true, false, w.Script, nil
	case w.Script.Hang:
		due = time.Hour
	case time.Until(w.Due) > 0:
		due = time.Until(w.Due)
	case w.Script.Fail != "":
		err = w.Script.failure()
	default:
		if w.Result, err = v.effect(a, r, readArgs(r), ""); err == nil {
			w.Done = true
			return w.Result, 0, true, true, w.Script, nil
		}
	}
	return result, due, false, false, s, err
}

// leave is what Wait does when its context ends: it stops the work, unless it
// is maitred that stops.
func (f *Fake) leave(ctx context.Context, v verb, r platform.Run, h string) error {
	if errors.Is(context.Cause(ctx), platform.ErrStopping) {
		return f.note(Left, v, r)
	}
	err := f.world.change(r.Target, func(a *app) error {
		if w, ok := a.Work[h]; ok && !w.Done {
			w.Stopped = true
		}
		return nil
	})
	return errors.Join(err, f.note(Ended, v, r))
}

func (f *Fake) note(e Event, v verb, r platform.Run) error {
	f.world.mu.Lock()
	defer f.world.mu.Unlock()
	return f.world.record(Entry{
		Event: e, Operation: r.Operation, Key: r.Key, Action: v.name, Step: r.Step.Name,
		Undo: v.undo, Fence: r.Fence, Target: r.Target.String(),
	})
}

func (f *Fake) say(r platform.Run, v verb, result platform.Result) {
	if r.Log != nil {
		fmt.Fprintf(r.Log, "%s: %s\n", v.name, result.Say)
	}
}

func outcome(err error) Event {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Ended
	}
	return Failed
}

// place names the work of an action elsewhere.
func place(v verb, r platform.Run) string { return r.Key + " " + v.name }
