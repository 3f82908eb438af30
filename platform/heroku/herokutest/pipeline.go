package herokutest

import (
	"net/http"
	"slices"
	"time"
)

// pipeline is apps in stages, and what was promoted along them.
type pipeline struct {
	id, name   string
	couplings  []*coupling
	promotions []*promotion
}

type coupling struct {
	id, stage string
	app       *App
}

type promotion struct {
	id, status string
	source     *App
	targets    []*target
}

type target struct {
	id, status, failure string
	app                 *App
	release             *release
}

// Couple puts an app into a stage of a pipeline, which is made when it is new.
func (h *Heroku) Couple(name, stage, app string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.pipe(name)
	if p == nil {
		p = &pipeline{id: h.id(), name: name}
		h.pipes = append(h.pipes, p)
	}
	p.couplings = append(p.couplings, &coupling{h.id(), stage, h.apps[app]})
	h.tell()
}

func (h *Heroku) pipe(name string) *pipeline {
	for _, p := range h.pipes {
		if p.id == name || p.name == name {
			return p
		}
	}
	return nil
}

func (h *Heroku) uncouple(a *App) {
	for _, p := range h.pipes {
		p.couplings = slices.DeleteFunc(p.couplings, func(c *coupling) bool { return c.app == a })
	}
}

func (p *pipeline) show() obj {
	return obj{"id": p.id, "name": p.name, "owner": obj{"id": person()["id"], "type": "user"}, "generation": obj{"id": "cedar", "name": "cedar"}, "created_at": time.Unix(1700000000, 0), "updated_at": time.Unix(1700000000, 0)}
}

func (p *pipeline) showCoupling(c *coupling) obj {
	return obj{"id": c.id, "stage": c.stage, "app": obj{"id": c.app.id, "name": c.app.Name}, "pipeline": obj{"id": p.id, "name": p.name}, "created_at": c.app.created, "updated_at": c.app.created}
}

func (p *pipeline) showTarget(n *promotion, t *target) obj {
	o := obj{"id": t.id, "status": t.status, "error_message": nil, "release": nil, "app": obj{"id": t.app.id}, "pipeline_promotion": obj{"id": n.id}}
	if t.failure != "" {
		o["error_message"] = t.failure
	}
	if t.release != nil {
		o["release"] = obj{"id": t.release.id}
	}
	return o
}

func (p *pipeline) showPromotion(n *promotion) obj {
	return obj{"id": n.id, "status": n.status, "pipeline": obj{"id": p.id}, "source": obj{"app": obj{"id": n.source.id}, "release": obj{"id": n.source.current().id}}, "created_at": n.source.created, "updated_at": nil}
}

func (h *Heroku) pipelineRoutes(r routes) {
	r.mine(200, "GET /apps/{app}/pipeline-couplings", func(a *App, c *call) (any, error) {
		for _, p := range h.pipes {
			for _, k := range p.couplings {
				if k.app == a {
					return p.showCoupling(k), nil
				}
			}
		}
		return nil, missing("pipeline_coupling", "pipeline coupling")
	})
	r.on(200, "GET /pipelines", func(c *call) (any, error) {
		l := list{by: "name", other: []string{"id"}}
		name := c.URL.Query().Get("eq[name]")
		for _, p := range h.pipes {
			if name == "" || p.name == name {
				l.items = append(l.items, p.show())
			}
		}
		return l, nil
	})
	r.on(http.StatusCreated, "POST /pipelines", func(c *call) (any, error) {
		var in struct{ Name string }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		if in.Name == "" || h.pipe(in.Name) != nil {
			return nil, invalid("Name %q is empty or taken.", in.Name)
		}
		p := &pipeline{id: h.id(), name: in.Name}
		h.pipes = append(h.pipes, p)
		return p.show(), nil
	})
	r.on(200, "GET /pipelines/{pipeline}", onePipe(h, func(p *pipeline, c *call) (any, error) { return p.show(), nil }))
	r.on(200, "GET /pipelines/{pipeline}/pipeline-couplings", onePipe(h, func(p *pipeline, c *call) (any, error) {
		l := list{}
		for _, k := range p.couplings {
			l.items = append(l.items, p.showCoupling(k))
		}
		return l, nil
	}))
	r.on(http.StatusCreated, "POST /pipeline-couplings", h.createCoupling)
	r.on(http.StatusCreated, "POST /pipeline-promotions", h.promote)
	r.on(200, "GET /pipeline-promotions/{promotion}", onePromotion(h, func(p *pipeline, n *promotion) (any, error) { return p.showPromotion(n), nil }))
	r.on(200, "GET /pipeline-promotions/{promotion}/promotion-targets", onePromotion(h, func(p *pipeline, n *promotion) (any, error) {
		l := list{}
		for _, t := range n.targets {
			l.items = append(l.items, p.showTarget(n, t))
		}
		return l, nil
	}))
}

func onePipe(h *Heroku, fn func(p *pipeline, c *call) (any, error)) handler {
	return func(c *call) (any, error) {
		p := h.pipe(c.PathValue("pipeline"))
		if p == nil {
			return nil, missing("pipeline", "pipeline")
		}
		return fn(p, c)
	}
}

func onePromotion(h *Heroku, fn func(p *pipeline, n *promotion) (any, error)) handler {
	return func(c *call) (any, error) {
		for _, p := range h.pipes {
			for _, n := range p.promotions {
				if n.id == c.PathValue("promotion") {
					return fn(p, n)
				}
			}
		}
		return nil, missing("pipeline_promotion", "pipeline promotion")
	}
}

func (h *Heroku) createCoupling(c *call) (any, error) {
	var in struct {
		App, Pipeline named
		Stage         string
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	a, err := h.appNamed(string(in.App), c.Method)
	if err != nil {
		return nil, err
	}
	p := h.pipe(string(in.Pipeline))
	if p == nil {
		return nil, missing("pipeline", "pipeline")
	}
	if !slices.Contains([]string{"test", "review", "development", "staging", "production"}, in.Stage) {
		return nil, invalid("Stage %q does not exist.", in.Stage)
	}
	h.uncouple(a)
	k := &coupling{h.id(), in.Stage, a}
	p.couplings = append(p.couplings, k)
	return p.showCoupling(k), nil
}

// promote releases the slug of one app on others of its pipeline.
func (h *Heroku) promote(c *call) (any, error) {
	type ref struct{ App struct{ ID string } }
	var in struct {
		Pipeline struct{ ID string }
		Source   ref
		Targets  []ref
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	p := h.pipe(in.Pipeline.ID)
	if p == nil {
		return nil, missing("pipeline", "pipeline")
	}
	source, err := h.coupled(p, in.Source.App.ID, c.Method)
	if err != nil {
		return nil, err
	}
	live := source.current()
	if live == nil || live.slug == nil {
		return nil, invalid("The app %s has no release to promote.", source.Name)
	}
	n := &promotion{id: h.id(), status: "pending", source: source}
	for _, one := range in.Targets {
		a, err := h.coupled(p, one.App.ID, c.Method)
		if err != nil {
			return nil, err
		}
		n.targets = append(n.targets, &target{id: h.id(), status: "pending", app: a})
	}
	if len(n.targets) == 0 {
		return nil, invalid("Targets must be given.")
	}
	p.promotions = append(p.promotions, n)
	h.count("promotion", source)
	h.later(Promotions, func() { h.carry(n, live) })
	return p.showPromotion(n), nil
}

// coupled finds an app of the pipeline.
func (h *Heroku) coupled(p *pipeline, id, method string) (*App, error) {
	a, err := h.appNamed(id, method)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(p.couplings, func(k *coupling) bool { return k.app == a }) {
		return nil, invalid("The app %s is not in the pipeline %s.", a.Name, p.name)
	}
	return a, nil
}

// carry makes the releases of a promotion, and follows them to their end.
func (h *Heroku) carry(n *promotion, live *release) {
	open := len(n.targets)
	for _, t := range n.targets {
		t.release = h.release(t.app, "Promote "+n.source.Name+" v"+itoa(live.version)+" "+short(live.slug.commit), live.slug)
		h.streams.Add(1)
		go func() {
			defer h.streams.Done()
			if !h.wait(nil, func() bool { return t.release.status != "pending" }) {
				return
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			t.status = t.release.status
			if t.status == "failed" {
				t.failure = "The release command failed."
			}
			if open--; open == 0 {
				n.status = "completed"
			}
			h.tell()
		}()
	}
}
