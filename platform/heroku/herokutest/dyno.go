package herokutest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// dyno is one dyno. Those of the formation have no session; one-off dynos do.
type dyno struct {
	id, name, kind, command, size, state string
	release                              *release
	since                                time.Time
	session                              *session
	attach                               string
}

func (a *App) showDyno(d *dyno) obj {
	o := obj{
		"id": d.id, "name": d.name, "type": d.kind, "command": d.command, "size": d.size, "state": d.state, "created_at": d.since, "updated_at": d.since,
		"app": obj{"id": a.id, "name": a.Name}, "release": obj{"id": nil, "version": nil}, "attach_url": nil,
	}
	if d.release != nil {
		o["release"] = obj{"id": d.release.id, "version": d.release.version}
	}
	if d.attach != "" {
		o["attach_url"] = d.attach
	}
	return o
}

func (h *Heroku) dynoRoutes(r routes) {
	r.mine(200, "GET /apps/{app}/dynos", func(a *App, c *call) (any, error) {
		l := list{by: "id", other: []string{"name"}}
		for _, d := range a.dynos {
			l.items = append(l.items, a.showDyno(d))
		}
		return l, nil
	})
	r.mine(200, "GET /apps/{app}/dynos/{dyno}", func(a *App, c *call) (any, error) {
		d, err := a.dynoNamed(c.PathValue("dyno"))
		if err != nil {
			return nil, err
		}
		return a.showDyno(d), nil
	})
	r.mine(http.StatusCreated, "POST /apps/{app}/dynos", h.createDyno)
	r.mine(http.StatusAccepted, "DELETE /apps/{app}/dynos", func(a *App, c *call) (any, error) { return h.restart(a, func(*dyno) bool { return true }) })
	r.mine(http.StatusAccepted, "DELETE /apps/{app}/dynos/{dyno}", func(a *App, c *call) (any, error) {
		d, err := a.dynoNamed(c.PathValue("dyno"))
		if err != nil {
			return nil, err
		}
		if d.session != nil {
			d.session.end()
			return obj{}, nil
		}
		return h.restart(a, func(other *dyno) bool { return other == d })
	})
	r.mine(http.StatusAccepted, "DELETE /apps/{app}/formations/{type}", func(a *App, c *call) (any, error) {
		if a.formation[c.PathValue("type")] == nil {
			return nil, missing("formation", "process type ("+c.PathValue("type")+")")
		}
		return h.restart(a, func(d *dyno) bool { return d.kind == c.PathValue("type") })
	})
	r.mine(http.StatusAccepted, "POST /apps/{app}/dynos/{dyno}/actions/stop", func(a *App, c *call) (any, error) {
		d, err := a.dynoNamed(c.PathValue("dyno"))
		if err != nil {
			return nil, err
		}
		if d.session != nil {
			d.session.end()
			return obj{}, nil
		}
		return h.restart(a, func(other *dyno) bool { return other == d })
	})
	r.mine(http.StatusAccepted, "POST /apps/{app}/formations/{type}/actions/stop", func(a *App, c *call) (any, error) {
		kind := c.PathValue("type")
		for _, d := range a.dynos {
			if d.session != nil && d.kind == kind {
				d.session.end()
			}
		}
		if a.formation[kind] == nil && kind != "run" {
			return nil, missing("formation", "process type ("+kind+")")
		}
		return h.restart(a, func(d *dyno) bool { return d.kind == kind })
	})
}

// restart replaces dynos; the dyno manager starts stopped ones of the formation again.
func (h *Heroku) restart(a *App, which func(*dyno) bool) (any, error) {
	for _, d := range a.dynos {
		if d.session == nil && which(d) {
			d.state = "down"
			a.log("heroku", d.name, "Stopping all processes with SIGTERM")
			h.count("restart", a)
		}
	}
	h.cycle(a, which)
	return obj{}, nil
}

func (a *App) dynoNamed(name string) (*dyno, error) {
	for _, d := range a.dynos {
		if d.id == name || d.name == name {
			return d, nil
		}
	}
	return nil, missing("dyno", "dyno")
}

// createDyno starts a one-off dyno.
func (h *Heroku) createDyno(a *App, c *call) (any, error) {
	var in struct {
		Command string
		Attach  bool
		Env     map[string]string
		Size    string
		Type    string
		Timeout int `json:"time_to_live"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Command == "" {
		return nil, invalid("Command must be given.")
	}
	live := a.current()
	if live == nil || live.slug == nil {
		return nil, invalid("The app %s has not been deployed yet.", a.Name)
	}
	size := "Basic"
	for _, p := range a.formation {
		size = p.size
	}
	if in.Size != "" {
		known, ok := canonical(in.Size)
		if !ok {
			return nil, invalid("No such size as %s.", in.Size)
		}
		size = known
	}
	kind := in.Type
	if kind == "" {
		kind = "run"
	}
	a.runs++
	name := kind + "." + strconv.Itoa(1000+a.runs)
	s := h.session(a, live, name, in.Command, in.Env, nil)
	d := &dyno{id: h.id(), name: name, kind: kind, command: in.Command, size: size, state: "starting", release: live, since: time.Now(), session: s}
	s.dyno, s.limit = d, time.Duration(in.Timeout)*time.Second
	a.dynos = append(a.dynos, d)
	h.count("run", a)
	a.log("app", "api", "Starting process with command `"+in.Command+"` by user "+owner)
	if in.Attach {
		secret := fmt.Sprintf("%x", h.serial) + "5ecre7"
		h.sockets[secret] = s
		s.secret = secret
		d.attach = "rendezvous://" + h.rendezvous.Addr().String() + "/" + secret
		return a.showDyno(d), nil
	}
	h.start(s)
	return a.showDyno(d), nil
}
