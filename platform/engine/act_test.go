package engine_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

// distant is a platform that starts its work elsewhere, behind a bad line.
type distant struct {
	*platformtest.Fake
	start func() (platform.Handle, error)
	find  func() (platform.Handle, bool, error)
}

func (d *distant) PlanRun(context.Context, platform.Target, []string) (platform.Plan, error) {
	return platform.Plan{Steps: []platform.Step{{Name: "far", Action: "far"}}}, nil
}

func (d *distant) Actions() map[string]platform.Action {
	return map[string]platform.Action{"far": {
		Start: func(context.Context, platform.Run) (platform.Handle, error) { return d.start() },
		Find:  func(context.Context, platform.Run) (platform.Handle, bool, error) { return d.find() },
		Wait: func(context.Context, platform.Run, platform.Handle) (platform.Result, error) {
			return platform.Result{}, nil
		},
	}}
}

func (d *distant) use(c *engine.Config) {
	c.Providers = func(platform.Target) (platform.Provider, error) { return d, nil }
}

var errLine = fault.New(fault.Unreachable, "distant", "", "The line is dead.")

// The answer of every start is lost, and the last one did begin the work: it is
// found, not counted as failed.
func TestLastStartIsLookedForToo(t *testing.T) {
	var starts atomic.Int32
	d := &distant{Fake: platformtest.New(platformtest.Options{})}
	d.start = func() (platform.Handle, error) { starts.Add(1); return "", errLine }
	d.find = func() (platform.Handle, bool, error) { return "work", starts.Load() == 6, nil }
	r := onSQLite(t, platformtest.Options{}, d.use)
	op := r.submit(request(platform.RunCommand, args(engine.RunArgs{Command: []string{"far"}})))
	r.until(op.ID, "ended", func(op platform.Operation) bool { return op.State.Ended() })
	if op = r.untilState(op.ID, platform.Succeeded); starts.Load() != 6 {
		t.Errorf("it was started %d times", starts.Load())
	}
}

// A platform that answers nonsense fails its step; it is not asked, or written,
// for ever.
func TestDataThatCannotBeKeptFailsTheStep(t *testing.T) {
	s := &sloppy{platformtest.New(platformtest.Options{})}
	r := onSQLite(t, platformtest.Options{}, func(c *engine.Config) {
		c.Providers = func(platform.Target) (platform.Provider, error) { return s, nil }
	})
	op := r.submit(request(platform.RunCommand, args(engine.RunArgs{Command: []string{"x"}})))
	if op = r.untilState(op.ID, platform.Failed); op.Reason != "step:nonsense" || !strings.Contains(op.Message, "data that cannot be kept") {
		t.Errorf("%s: %s", op.Reason, op.Message)
	}
}

// sloppy is a platform whose results are no JSON.
type sloppy struct{ *platformtest.Fake }

func (*sloppy) PlanRun(context.Context, platform.Target, []string) (platform.Plan, error) {
	return platform.Plan{Steps: []platform.Step{{Name: "nonsense", Action: "nonsense"}}}, nil
}

func (*sloppy) Actions() map[string]platform.Action {
	return map[string]platform.Action{"nonsense": {Do: func(context.Context, platform.Run) (platform.Result, error) {
		return platform.Result{Data: []byte("{half")}, nil
	}}}
}

// maitred stops politely while nobody can tell whether work was started: the
// next start looks again, and no person is asked.
func TestStopWhileLookingAsksNobody(t *testing.T) {
	looked := make(chan struct{}, 100)
	d := &distant{Fake: platformtest.New(platformtest.Options{})}
	d.start = func() (platform.Handle, error) { return "", errLine }
	d.find = func() (platform.Handle, bool, error) { looked <- struct{}{}; return "", false, errLine }
	p := storetest.SQLite(t)
	r := open(t, p, d.Fake, d.use)
	op := r.submit(request(platform.RunCommand, args(engine.RunArgs{Command: []string{"far"}})))
	select {
	case <-looked:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody looked for it")
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	d.find = func() (platform.Handle, bool, error) { return "work", true, nil }
	r = open(t, p, d.Fake, d.use)
	r.untilState(op.ID, platform.Succeeded)
	if said := r.said(op.ID); said[engine.BecameUnknown] != 0 {
		t.Errorf("a person was asked:\n%s", r.history(op.ID))
	}
}

// A once step that was told to stop, and whose answer was lost on the way, may
// have happened: a person is asked.
func TestCutOnceStepWithoutAnswerIsUnknown(t *testing.T) {
	begun := make(chan struct{}, 1)
	once := onceProvider{platformtest.New(platformtest.Options{}), func(ctx context.Context) error {
		begun <- struct{}{}
		<-ctx.Done()
		return errLine
	}}
	r := onSQLite(t, platformtest.Options{}, func(c *engine.Config) {
		c.Providers = func(platform.Target) (platform.Provider, error) { return once, nil }
	})
	op := r.submit(request(platform.RunCommand, args(engine.RunArgs{Command: []string{"once"}})))
	<-begun
	r.untilStep(op.ID, "once", chat.StepRunning)
	if _, err := r.Cancel(context.Background(), op.ID, dev); err != nil {
		t.Fatal(err)
	}
	r.until(op.ID, "settled or unknown", func(op platform.Operation) bool { return op.State != platform.Running })
	r.untilState(op.ID, platform.Unknown)
	r.settle(op.ID, platform.GiveUp)
	r.untilState(op.ID, platform.Failed)
}

// onceProvider has a command that must not be repeated.
type onceProvider struct {
	*platformtest.Fake
	do func(context.Context) error
}

func (o onceProvider) PlanRun(context.Context, platform.Target, []string) (platform.Plan, error) {
	return platform.Plan{Steps: []platform.Step{{Name: "once", Action: "once"}}}, nil
}

func (o onceProvider) Actions() map[string]platform.Action {
	return map[string]platform.Action{"once": {Once: func(ctx context.Context, _ platform.Run) (platform.Result, error) {
		return platform.Result{}, o.do(ctx)
	}}}
}
