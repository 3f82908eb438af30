package platformtest

import (
	"errors"
	"strings"
	"testing"

	"maitred/fault"
	"maitred/platform"
)

func proveMissing(t *testing.T, p *player) {
	needs := map[string]func(platform.Provider, string) error{
		"show a maintenance page": lacks[platform.Maintainer],
		"tell its releases":       lacks[platform.Historian],
		"go back":                 lacks[platform.Rollbacker],
		"make backups":            lacks[platform.Archivist],
		"stop an app":             lacks[platform.Starter],
		"restart an app":          lacks[platform.Restarter],
		"scale an app":            lacks[platform.Scaler],
		"run a command":           lacks[platform.Runner],
		"show logs":               lacks[platform.LogReader],
		"change variables":        lacks[platform.Configurer],
		"tell secrets":            lacks[platform.Discreet],
		"inspect a source":        lacks[platform.Inspector],
	}
	for what, need := range needs {
		err := need(p.provider(), what)
		if err == nil {
			continue
		}
		want := "The " + p.provider().Kind() + " platform cannot " + what + "."
		if f := fault.Of(err); f.Kind != fault.Unsupported || f.Say != want {
			t.Errorf("the lack is told as %s %q; want %q", f.Kind, f.Say, want)
		}
	}
}

func lacks[C any](p platform.Provider, to string) error {
	_, err := platform.Need[C](p, to)
	return err
}

func proveRollback(t *testing.T, p *player) {
	c := able[platform.Rollbacker](t, p)
	p.deploy(p.First)
	first := *p.live()
	p.deploy(p.Second)
	second := *p.live()

	y := p.play(c.PlanRollback(t.Context(), p.Target, first))
	p.answers(p.First)
	if live := p.live(); live.Version != first.Version {
		t.Errorf("the live release is %s %s; want %s", live.ID, live.Version, first.Version)
	}
	y.undo()
	p.answers(p.Second)
	if live := p.live(); live.Version != second.Version {
		t.Errorf("after the undo the live release is %s %s; want %s", live.ID, live.Version, second.Version)
	}
	for k := range len(y.plan.Steps) + 1 {
		y := p.begin(c.PlanRollback(t.Context(), p.Target, first))
		for i := range k {
			p.check("step", y.step(t.Context(), i))
			if p.Answer() == "" {
				t.Fatalf("nobody answers after %s", y.plan.Steps[i].Name)
			}
		}
		y.undo()
		p.answers(p.Second)
	}
}

func proveRollbackRefusals(t *testing.T, p *player) {
	c := able[platform.Rollbacker](t, p)
	p.deploy(p.First)
	p.begin(p.provider().PlanDeploy(t.Context(), p.Target, p.Broken)).fail()

	_, err := c.PlanRollback(t.Context(), p.Target, platform.Release{ID: "r9999"})
	p.refuses("a release that never was", err, fault.Missing)
	_, err = c.PlanRollback(t.Context(), p.Target, *p.live())
	p.refuses("the release that is live", err, fault.Refused)
	list, err := c.Releases(t.Context(), p.Target, 0)
	p.check("releases", err)
	for _, r := range list {
		if r.State == platform.ReleaseFailed {
			_, err := c.PlanRollback(t.Context(), p.Target, r)
			p.refuses("a release that was never live", err, fault.Refused)
		}
	}
	p.answers(p.First)
}

// fail plays a plan that must fail, and undoes it.
func (y *play) fail() {
	y.t.Helper()
	if err := y.rest(y.t.Context()); err == nil {
		y.t.Fatal("it was to fail and did not")
	}
	y.undo()
}

func proveMaintenance(t *testing.T, p *player) {
	c := able[platform.Maintainer](t, p)
	p.deploy(p.First)
	is := func(want bool) platform.Maintenance {
		t.Helper()
		m, err := c.Maintenance(t.Context(), p.Target)
		p.check("maintenance", err)
		if m.On != want {
			t.Fatalf("maintenance is on: %t; want %t", m.On, want)
		}
		return m
	}
	on := p.play(c.PlanMaintenance(t.Context(), p.Target, true, "spring cleaning"))
	if m := is(true); m.Why != "spring cleaning" || m.By != "ann" || m.Since.IsZero() {
		t.Errorf("maintenance tells %+v; want why, by whom and since when", m)
	}
	on.undo()
	is(false)
	p.play(c.PlanMaintenance(t.Context(), p.Target, true, "spring cleaning"))
	p.play(c.PlanMaintenance(t.Context(), p.Target, true, "still"))
	is(true)
	off := p.play(c.PlanMaintenance(t.Context(), p.Target, false, ""))
	is(false)
	off.undo()
	is(true)
	p.play(c.PlanMaintenance(t.Context(), p.Target, false, ""))
	p.answers(p.First)
}

func proveStopStart(t *testing.T, p *player) {
	c := able[platform.Starter](t, p)
	p.deploy(p.First)
	stop := p.play(c.PlanStop(t.Context(), p.Target, ""))
	if got := p.Answer(); got != "" {
		t.Fatalf("a stopped app answers with %q", got)
	}
	status, err := p.provider().Status(t.Context(), p.Target)
	p.check("status", err)
	if status.Running || status.Release == nil {
		t.Errorf("status of a stopped app tells running %t, release %v", status.Running, status.Release)
	}
	stop.undo()
	p.answers(p.First)
	p.play(c.PlanStop(t.Context(), p.Target, ""))
	p.play(c.PlanStart(t.Context(), p.Target, ""))
	p.answers(p.First)
	p.play(c.PlanStart(t.Context(), p.Target, "")) // started already: nothing to do
	p.answers(p.First)
}

func proveRestart(t *testing.T, p *player) {
	c := able[platform.Restarter](t, p)
	p.deploy(p.First)
	p.play(c.PlanRestart(t.Context(), p.Target, ""))
	p.answers(p.First)
}

func proveScale(t *testing.T, p *player) {
	c := able[platform.Scaler](t, p)
	p.deploy(p.First)
	count := func(want int) {
		t.Helper()
		status, err := p.provider().Status(t.Context(), p.Target)
		p.check("status", err)
		n := 0
		for _, process := range status.Processes {
			if process.Type == "web" {
				n++
			}
		}
		if n != want {
			t.Fatalf("%d web processes; want %d", n, want)
		}
	}
	count(1)
	p.play(c.PlanScale(t.Context(), p.Target, []platform.Quantity{{Process: "web", Count: 3}}))
	count(3)
	p.play(c.PlanScale(t.Context(), p.Target, []platform.Quantity{{Process: "web", Count: -1, Delta: true}})).undo()
	count(3)
}

func proveLogs(t *testing.T, p *player) {
	c := able[platform.LogReader](t, p)
	p.deploy(p.First)
	lines, err := c.Logs(t.Context(), p.Target, platform.LogQuery{})
	p.check("logs", err)
	if !printed(lines, p.Printed) {
		t.Fatalf("no line of %+v has %q", lines, p.Printed)
	}
	one, err := c.Logs(t.Context(), p.Target, platform.LogQuery{Lines: 1})
	p.check("logs", err)
	if len(one) != 1 {
		t.Errorf("one line is %d lines", len(one))
	}
	found, err := c.Logs(t.Context(), p.Target, platform.LogQuery{Grep: p.Printed})
	p.check("logs", err)
	if !printed(found, p.Printed) {
		t.Errorf("a search for %q found %+v", p.Printed, found)
	}
	none, err := c.Logs(t.Context(), p.Target, platform.LogQuery{Grep: "no such line anywhere"})
	p.check("logs", err)
	if len(none) != 0 {
		t.Errorf("a search for nothing found %+v", none)
	}
}

func printed(lines []platform.LogLine, text string) bool {
	for _, l := range lines {
		if strings.Contains(l.Text, text) {
			return true
		}
	}
	return false
}

func proveInspect(t *testing.T, p *player) {
	c := able[platform.Inspector](t, p)
	seen, err := c.Inspect(t.Context(), p.Target, p.First)
	p.check("inspect", err)
	if p.Procfile && seen.Processes["web"] == "" {
		t.Errorf("the Procfile names %v; want web", seen.Processes)
	}
	if len(seen.Problems) > 0 || len(seen.Missing) > 0 {
		t.Errorf("a good source has problems %v, missing %v", seen.Problems, seen.Missing)
	}
	if p.Answer() != "" {
		t.Error("inspecting a source deployed it")
	}
	if _, err := p.provider().PlanDeploy(t.Context(), p.Target, platform.Source{}); err == nil || !errors.As(err, new(*fault.Error)) {
		t.Errorf("a plan for no source at all: %v; want a fault", err)
	}
}
