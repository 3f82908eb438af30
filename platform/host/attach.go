package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// work is a command that goes on without maitred.
type work struct {
	entry   entry
	command []string
	again   bool   // it may be started afresh when it was cut short
	failed  string // the beginning of the sentence about an exit code
	cut     string // the sentence when nobody knows how it ended
	code    bool   // any exit code is an answer
	before  string // noted at the start, for say
	say     func(before string) string
}

// attach makes an action of work that prepare describes. Each Run.Key has one
// directory, and what was started there is never started twice.
func (p *Provider) attach(timeout time.Duration, prepare func(context.Context, platform.Run) (work, error)) platform.Action {
	return platform.Action{
		Timeout: timeout,
		Start: func(ctx context.Context, r platform.Run) (platform.Handle, error) {
			w, err := prepare(ctx, r)
			if err != nil {
				return "", err
			}
			if err := p.ready(); err != nil {
				return "", err
			}
			if err := p.remember(noteOf(r, fileName(r.Key)+"-before"), &w.before); err != nil {
				return "", err
			}
			env, err := p.environment(w.entry, "")
			if err != nil {
				return "", err
			}
			j := p.step(r)
			return platform.Handle(j.dir), p.fail("host.start", j.start(ctx, p.path("releases", w.entry.Dir), env, w.command))
		},
		Find: func(ctx context.Context, r platform.Run) (platform.Handle, bool, error) {
			j := p.step(r)
			if !j.begun() {
				return "", false, nil
			}
			w, err := prepare(ctx, r)
			if err != nil {
				return "", false, err
			}
			if _, ended := j.exit(); w.again && !ended && !j.alive() {
				return "", false, p.fail("host.find", p.box.Remove(j.dir))
			}
			return platform.Handle(j.dir), true, nil
		},
		Wait: func(ctx context.Context, r platform.Run, _ platform.Handle) (platform.Result, error) {
			w, err := prepare(ctx, r)
			if err != nil {
				return platform.Result{}, err
			}
			if err := p.recalled(r, &w); err != nil {
				return platform.Result{}, err
			}
			rc, err := p.step(r).wait(ctx, r.Log)
			return w.result(rc, err)
		},
	}
}

func (p *Provider) recalled(r platform.Run, w *work) error {
	_, err := p.recall(noteOf(r, fileName(r.Key)+"-before"), &w.before)
	return err
}

// step is the job of an attach action.
func (p *Provider) step(r platform.Run) job {
	dir := p.inState("steps", fileName(r.Key)+"-"+fileName(r.Step.Action))
	return job{box: p.box, dir: dir, log: dir + "/log"}
}

func (w work) result(rc int, err error) (platform.Result, error) {
	switch {
	case errors.Is(err, errCut):
		return platform.Result{}, &fault.Error{Kind: fault.Refused, Op: "host.wait", Say: w.cut, Hint: "Look at the log of the step.", Err: err}
	case err != nil:
		return platform.Result{}, err
	case w.code:
		return platform.Result{Say: fmt.Sprintf("exit code %d", rc), Exit: &rc}, nil
	case rc != 0:
		return platform.Result{}, fault.New(fault.Refused, "host.wait", "Look at the log of the step.", "%s with exit code %d.", w.failed, rc)
	case w.say != nil:
		return platform.Result{Say: w.say(w.before)}, nil
	}
	return platform.Result{}, nil
}
