package platformtest

import (
	"reflect"
	"sync"
	"testing"

	"maitred/platform"
)

func proveBlank(t *testing.T, p *player) {
	status, err := p.provider().Status(t.Context(), p.Target)
	p.check("status", err)
	if status.Release != nil || status.Running {
		t.Errorf("status tells %+v of an app that was never deployed", status)
	}
	if p.provider().Kind() == "" {
		t.Error("the provider has no kind")
	}
}

// seen is what must not change when nothing is done.
type seen struct {
	answer      string
	data        string
	releases    []platform.Release
	backups     []platform.Backup
	variables   []platform.Variable
	maintenance platform.Maintenance
}

func (p *player) see() seen {
	p.t.Helper()
	s := seen{answer: p.Answer()}
	if p.Read != nil {
		s.data = p.Read()
	}
	ctx := p.t.Context()
	var err error
	if c, ok := p.provider().(platform.Historian); ok {
		s.releases, err = c.Releases(ctx, p.Target, 0)
		p.check("releases", err)
	}
	if c, ok := p.provider().(platform.Archivist); ok {
		s.backups, err = c.Backups(ctx, p.Target)
		p.check("backups", err)
	}
	if c, ok := p.provider().(platform.Configurer); ok {
		s.variables, err = c.Variables(ctx, p.Target)
		p.check("variables", err)
	}
	if c, ok := p.provider().(platform.Maintainer); ok {
		s.maintenance, err = c.Maintenance(ctx, p.Target)
		p.check("maintenance", err)
	}
	return s
}

func provePlanning(t *testing.T, p *player) {
	p.deploy(p.First)
	p.deploy(p.Second)
	before := p.see()
	for name, plan := range p.plans() {
		if len(plan.Steps) == 0 {
			t.Errorf("the plan of %s has no steps", name)
		}
	}
	if after := p.see(); !reflect.DeepEqual(before, after) {
		t.Errorf("planning changed the world:\nbefore %+v\nafter  %+v", before, after)
	}
}

// plans makes every plan that the provider can make now.
func (p *player) plans() map[string]platform.Plan {
	p.t.Helper()
	ctx, plans := p.t.Context(), map[string]platform.Plan{}
	keep := func(name string) func(platform.Plan, error) {
		return func(plan platform.Plan, err error) {
			p.t.Helper()
			p.check("plan of "+name, err)
			plans[name] = plan
		}
	}
	keep("deploy")(p.provider().PlanDeploy(ctx, p.Target, p.First))
	if c, ok := p.provider().(platform.Rollbacker); ok {
		list, err := c.Releases(ctx, p.Target, 0)
		p.check("releases", err)
		for _, r := range list {
			if r.State == platform.ReleaseSuperseded {
				keep("rollback")(c.PlanRollback(ctx, p.Target, r))
			}
		}
	}
	if c, ok := p.provider().(platform.Maintainer); ok {
		keep("maintenance on")(c.PlanMaintenance(ctx, p.Target, true, "spring cleaning"))
	}
	if c, ok := p.provider().(platform.Archivist); ok {
		keep("capture")(c.PlanCapture(ctx, p.Target, ""))
	}
	if c, ok := p.provider().(platform.Starter); ok {
		keep("stop")(c.PlanStop(ctx, p.Target, ""))
		keep("start")(c.PlanStart(ctx, p.Target, ""))
	}
	if c, ok := p.provider().(platform.Restarter); ok {
		keep("restart")(c.PlanRestart(ctx, p.Target, ""))
	}
	if c, ok := p.provider().(platform.Runner); ok {
		keep("run")(c.PlanRun(ctx, p.Target, p.Echo))
	}
	if c, ok := p.provider().(platform.Configurer); ok {
		keep("set")(c.PlanSet(ctx, p.Target, "CANARY", "handle"))
		keep("unset")(c.PlanUnset(ctx, p.Target, "CANARY"))
	}
	return plans
}

func proveActions(t *testing.T, p *player) {
	p.deploy(p.First)
	p.deploy(p.Second)
	actions := p.provider().Actions()
	for name, plan := range p.plans() {
		names := map[string]bool{}
		for _, s := range plan.Steps {
			if s.Name == "" || names[s.Name] {
				t.Errorf("%s: the step name %q is empty or there twice", name, s.Name)
			}
			names[s.Name] = true
			for _, key := range []string{s.Action, s.Undo} {
				if key == "" && key == s.Undo {
					continue
				}
				if a, ok := actions[key]; !ok || ways(a) != 1 {
					t.Errorf("%s: step %s uses the action %q, which is there: %t, in %d ways", name, s.Name, key, ok, ways(a))
				}
			}
		}
	}
}

// ways counts the ways in which a can be carried out; half a way is none.
func ways(a platform.Action) int {
	n := 0
	if a.Do != nil {
		n++
	}
	if a.Once != nil {
		n++
	}
	if a.Start != nil && a.Find != nil && a.Wait != nil {
		n++
	}
	return n
}

func proveDeploy(t *testing.T, p *player) {
	first := p.deploy(p.First)
	one := p.live()
	if one.Version != version(&p.First) || one.State != platform.ReleaseLive || one.SHA != p.First.SHA {
		t.Errorf("status tells %+v; want %s live", one, version(&p.First))
	}
	if made := first.made(); made != one.ID {
		t.Errorf("the steps made the release %q live; status tells %q", made, one.ID)
	}
	if second := p.deploy(p.Second); second.made() == first.made() {
		t.Errorf("two deploys are both the release %s", first.made())
	}
	status, err := p.provider().Status(t.Context(), p.Target)
	p.check("status", err)
	if !status.Running || !status.Healthy || status.Evidence == "" {
		t.Errorf("status tells running %t, healthy %t, evidence %q", status.Running, status.Healthy, status.Evidence)
	}
	p.restart()
	if again := p.live(); again.Version != version(&p.Second) {
		t.Errorf("after a restart of maitred the live release is %s; want %s", again.Version, version(&p.Second))
	}
	p.answers(p.Second)
}

// made is the release that the steps made live.
func (y *play) made() (id string) {
	for _, r := range y.all {
		if r.Release != "" {
			id = r.Release
		}
	}
	return id
}

func proveHistory(t *testing.T, p *player) {
	h := able[platform.Historian](t, p)
	p.deploy(p.First)
	p.deploy(p.Second)
	list, err := h.Releases(t.Context(), p.Target, 0)
	p.check("releases", err)
	if len(list) != 2 || list[0].Version != version(&p.Second) || list[1].Version != version(&p.First) {
		t.Fatalf("releases are %+v; want %s, %s", list, version(&p.Second), version(&p.First))
	}
	if list[0].State != platform.ReleaseLive || list[1].State != platform.ReleaseSuperseded {
		t.Errorf("states are %s, %s; want live, superseded", list[0].State, list[1].State)
	}
	for _, r := range list {
		if r.By != "ann" || r.At.IsZero() || r.SHA == "" || r.Operation == 0 {
			t.Errorf("release %+v lacks who, when, what or by which operation", r)
		}
	}
	if list, err = h.Releases(t.Context(), p.Target, 1); err != nil || len(list) != 1 || list[0].Version != version(&p.Second) {
		t.Errorf("one release is %+v, %v; want %s", list, err, version(&p.Second))
	}
}

func proveReading(t *testing.T, p *player) {
	p.deploy(p.First)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	provider := p.provider()
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				status, err := provider.Status(t.Context(), p.Target)
				if err != nil || status.Release == nil {
					t.Errorf("status during a deploy: %+v, %v", status, err)
					return
				}
				if _, err := provider.PlanDeploy(t.Context(), p.Target, p.First); err != nil {
					t.Errorf("plan during a deploy: %v", err)
					return
				}
			}
		})
	}
	p.deploy(p.Second)
	close(stop)
	readers.Wait()
}
