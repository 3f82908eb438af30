package platformtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// soon is how long a cancelled step may take to end.
const soon = 20 * time.Second

func proveAgain(t *testing.T, p *player) {
	p.deploy(p.First)
	y := p.begin(p.provider().PlanDeploy(t.Context(), p.Target, p.Second))
	for i, s := range y.plan.Steps {
		a := y.action(s.Action)
		if a.Once != nil {
			p.check(s.Name, y.step(t.Context(), i))
			continue
		}
		p.check(s.Name, y.step(t.Context(), i))
		p.restart()
		switch a = y.action(s.Action); {
		case a.Do != nil:
			result, err := a.Do(t.Context(), y.run(i))
			p.check(s.Name+" again", err)
			y.keep(i, result) // an engine that lost the first answer has only this one
		default:
			h, found, err := a.Find(t.Context(), y.run(i))
			p.check("find "+s.Name, err)
			if !found {
				t.Fatalf("%s is finished and was not found", s.Name)
			}
			result, err := a.Wait(t.Context(), y.run(i), h)
			p.check("wait again for "+s.Name, err)
			y.keep(i, result)
		}
	}
	p.answers(p.Second)
	p.countReleases(2)
	y.undo()
	y.undo() // an undo that is repeated leaves the same world, too
	p.answers(p.First)
}

// countReleases fails the test when history tells another number.
func (p *player) countReleases(want int) {
	p.t.Helper()
	h, ok := p.provider().(platform.Historian)
	if !ok {
		return
	}
	list, err := h.Releases(p.t.Context(), p.Target, 0)
	p.check("releases", err)
	if len(list) != want {
		p.t.Errorf("there are %d releases; want %d: %+v", len(list), want, list)
	}
}

// attached calls fn for each attach step of a deploy of Second, with the play
// up to it done, and finishes the deploy.
func (p *player) attached(fn func(y *play, i int)) {
	p.t.Helper()
	y := p.begin(p.provider().PlanDeploy(p.t.Context(), p.Target, p.Second))
	for i, s := range y.plan.Steps {
		if y.action(s.Action).Start == nil {
			p.check(s.Name, y.step(p.t.Context(), i))
			continue
		}
		fn(y, i)
	}
	p.answers(p.Second)
}

func proveFind(t *testing.T, p *player) {
	p.deploy(p.First)
	p.attached(func(y *play, i int) {
		name := y.plan.Steps[i].Name
		_, found, err := y.action(y.plan.Steps[i].Action).Find(t.Context(), y.run(i))
		p.check("find "+name, err)
		if found {
			t.Fatalf("%s was found before it was started", name)
		}
		_, err = y.action(y.plan.Steps[i].Action).Start(t.Context(), y.run(i))
		p.check("start "+name, err)
		p.restart() // the handle is lost with the process
		a := y.action(y.plan.Steps[i].Action)
		h, found, err := a.Find(t.Context(), y.run(i))
		p.check("find "+name, err)
		if !found {
			t.Fatalf("%s was started and is not found", name)
		}
		result, err := a.Wait(t.Context(), y.run(i), h)
		p.check("wait for "+name, err)
		y.keep(i, result)
		if p.Starts != nil && p.Starts(y.run(i).Key) != 1 {
			t.Errorf("%s was started %d times", name, p.Starts(y.run(i).Key))
		}
	})
	p.countReleases(2)
}

func proveStopping(t *testing.T, p *player) {
	p.deploy(p.First)
	p.attached(func(y *play, i int) {
		name := y.plan.Steps[i].Name
		a := y.action(y.plan.Steps[i].Action)
		h, err := a.Start(t.Context(), y.run(i))
		p.check("start "+name, err)
		ctx, stop := context.WithCancelCause(t.Context())
		stop(platform.ErrStopping)
		if _, err := a.Wait(ctx, y.run(i), h); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, platform.ErrStopping) {
			t.Errorf("%s: a stop ends the wait with %v", name, err)
		}
		p.restart()
		result, err := y.action(y.plan.Steps[i].Action).Wait(t.Context(), y.run(i), h)
		p.check("wait for "+name+" after a stop", err)
		y.keep(i, result)
	})
}

func provePrefixes(t *testing.T, p *player) {
	p.deploy(p.First)
	first := p.live().ID
	for k := 0; ; k++ {
		y := p.begin(p.provider().PlanDeploy(t.Context(), p.Target, p.Second))
		if k > len(y.plan.Steps) {
			return
		}
		for i := range k {
			p.check("step", y.step(t.Context(), i))
			if p.Answer() == "" {
				t.Fatalf("nobody answers after %s", y.plan.Steps[i].Name)
			}
		}
		p.restart()
		y.undo()
		p.answers(p.First)
		if live := p.live(); live.ID != first {
			t.Fatalf("after the undo of %d steps the live release is %s; want %s", k, live.ID, first)
		}
	}
}

func proveCancel(t *testing.T, p *player) {
	p.deploy(p.First)
	for k := 0; ; k++ {
		y := p.begin(p.provider().PlanDeploy(t.Context(), p.Target, p.Second))
		if k >= len(y.plan.Steps) {
			return
		}
		for i := range k {
			p.check("step", y.step(t.Context(), i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- y.step(ctx, k) }()
		// Any moment will do: each is a moment at which a person may cancel.
		timer := time.AfterFunc(30*time.Millisecond, cancel)
		select {
		case err := <-ended:
			if err != nil && !errors.Is(err, context.Canceled) && !errors.As(err, new(*fault.Error)) {
				t.Errorf("%s ends with %v", y.plan.Steps[k].Name, err)
			}
		case <-time.After(soon):
			t.Fatalf("%s has not ended %s after its context", y.plan.Steps[k].Name, soon)
		}
		timer.Stop()
		cancel()
		y.undo()
		p.answers(p.First)
	}
}

func proveBroken(t *testing.T, p *player) {
	p.deploy(p.First)
	first := p.live().ID
	y := p.begin(p.provider().PlanDeploy(t.Context(), p.Target, p.Broken))
	err := y.rest(t.Context())
	if err == nil {
		t.Fatal("the broken release was deployed")
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Say == "" || f.Kind == fault.Internal {
		t.Errorf("the failure is told as %v; want a sentence for the person", err)
	}
	p.answers(p.First)
	y.undo()
	p.answers(p.First)
	if live := p.live(); live.ID != first {
		t.Errorf("the live release is %s; want %s", live.ID, first)
	}
	if h, ok := p.provider().(platform.Historian); ok {
		list, err := h.Releases(t.Context(), p.Target, 0)
		p.check("releases", err)
		for _, r := range list {
			if r.Version == version(&p.Broken) && r.State != platform.ReleaseFailed {
				t.Errorf("the broken release is %s; want failed", r.State)
			}
		}
	}
}
