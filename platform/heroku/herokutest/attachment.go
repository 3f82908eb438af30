package herokutest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// attachment is an add-on under a name on an app.
type attachment struct {
	id, name, namespace string
	addon               *Addon
	app                 *App
	created             time.Time
}

var colours = []string{"RED", "BLUE", "GREEN", "GOLD", "IVORY", "ONYX", "PINK", "TEAL"}

func (l *attachment) vars() []string { return []string{l.name + "_URL"} }

// attachAddon makes an attachment and its config var, which makes a release.
func (h *Heroku) attachAddon(a *App, d *Addon, as, namespace string) *attachment {
	if as == "" {
		as = map[string]string{"heroku-postgresql": "DATABASE", "heroku-redis": "REDIS"}[d.Service]
		if as == "" {
			as = strings.ToUpper(d.Service)
		}
		for _, colour := range colours {
			if h.linkNamed(a, as) == nil {
				break
			}
			as = strings.ToUpper(strings.ReplaceAll(d.Service, "-", "_")) + "_" + colour
		}
	}
	if old := h.linkNamed(a, as); old != nil {
		h.links = slices.DeleteFunc(h.links, func(l *attachment) bool { return l == old })
	}
	l := &attachment{id: h.id(), name: as, namespace: namespace, addon: d, app: a, created: time.Now()}
	h.links = append(h.links, l)
	a.config = maps.Clone(a.config)
	a.config[as+"_URL"] = d.url(namespace)
	h.release(a, "Attach "+as+" (@ref:"+d.Name+")", nil)
	return l
}

func (h *Heroku) detach(l *attachment) {
	h.links = slices.DeleteFunc(h.links, func(o *attachment) bool { return o == l })
	l.app.config = maps.Clone(l.app.config)
	for _, name := range l.vars() {
		delete(l.app.config, name)
	}
	h.release(l.app, "Detach "+l.name+" (@ref:"+l.addon.Name+")", nil)
}

// refresh writes the add-on's address anew wherever it is attached.
func (h *Heroku) refresh(d *Addon) {
	for _, l := range h.links {
		if l.addon == d {
			l.app.config = maps.Clone(l.app.config)
			l.app.config[l.name+"_URL"] = d.url(l.namespace)
			h.release(l.app, "Update "+l.name+" by "+d.Service, nil)
		}
	}
}

func (d *Addon) url(namespace string) string {
	if d.db == nil {
		return "https://" + d.Name + ":s3cret@" + d.Service + ".example.com/"
	}
	return d.db.url(strings.TrimPrefix(namespace, "credential:"))
}

// linkNamed finds an attachment by its name, config var, colour or add-on.
func (h *Heroku) linkNamed(a *App, name string) *attachment {
	if name == "" {
		return nil
	}
	upper := strings.ToUpper(name)
	for _, l := range h.links {
		if l.app == a && (l.id == name || l.name == upper || l.name+"_URL" == upper || strings.HasSuffix(l.name, "_"+upper)) {
			return l
		}
	}
	for _, l := range h.links {
		if l.app == a && (l.addon.Name == name || l.addon.id == name) {
			return l
		}
	}
	return nil
}

func (h *Heroku) showLink(l *attachment) obj {
	d := l.addon
	o := obj{
		"id": l.id, "name": l.name, "namespace": nil, "app": obj{"id": l.app.id, "name": l.app.Name}, "config_vars": l.vars(), "created_at": l.created, "updated_at": l.created, "web_url": nil, "log_input_url": nil,
		"addon": obj{"id": d.id, "name": d.Name, "app": obj{"id": d.app.id, "name": d.app.Name}, "plan": obj{"id": d.Service + ":" + d.Plan, "name": d.Service + ":" + d.Plan}, "addon_service": obj{"id": d.Service, "name": d.Service}},
	}
	if l.namespace != "" {
		o["namespace"] = l.namespace
	}
	return o
}

func (h *Heroku) attachmentRoutes(r routes) {
	all := func(which func(l *attachment) bool) (any, error) {
		out := list{by: "id", other: []string{"name"}}
		for _, l := range h.links {
			if which(l) {
				out.items = append(out.items, h.showLink(l))
			}
		}
		return out, nil
	}
	r.on(200, "GET /addon-attachments", func(c *call) (any, error) { return all(func(*attachment) bool { return true }) })
	r.mine(200, "GET /apps/{app}/addon-attachments", func(a *App, c *call) (any, error) {
		return all(func(l *attachment) bool { return l.app == a })
	})
	r.mine(200, "GET /apps/{app}/addon-attachments/{link}", func(a *App, c *call) (any, error) {
		if l := h.linkNamed(a, c.PathValue("link")); l != nil {
			return h.showLink(l), nil
		}
		return nil, missing("attachment", "add-on attachment")
	})
	r.on(200, "GET /addons/{addon}/addon-attachments", func(c *call) (any, error) {
		d := h.addon(c.PathValue("addon"))
		if d == nil {
			return nil, missing("add_on", "add-on")
		}
		return all(func(l *attachment) bool { return l.addon == d })
	})
	r.on(http.StatusCreated, "POST /addon-attachments", h.createLink)
	r.on(200, "DELETE /addon-attachments/{link}", func(c *call) (any, error) {
		for _, l := range h.links {
			if l.id == c.PathValue("link") {
				h.detach(l)
				return h.showLink(l), nil
			}
		}
		return nil, missing("attachment", "add-on attachment")
	})
	r.on(200, "POST /actions/addon-attachments/resolve", h.resolveLink)
}

// named is a thing that is given as a name or as an object with one.
type named string

func (n *named) UnmarshalJSON(raw []byte) error {
	var o struct{ Name, ID string }
	if json.Unmarshal(raw, &o) == nil {
		*n = named(o.Name)
		if o.ID != "" {
			*n = named(o.ID)
		}
		return nil
	}
	return json.Unmarshal(raw, (*string)(n))
}

func (h *Heroku) createLink(c *call) (any, error) {
	var in struct {
		Addon, App               named
		Name, Namespace, Confirm string
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	a, err := h.appNamed(string(in.App), c.Method)
	if err != nil {
		return nil, err
	}
	d := h.addon(string(in.Addon))
	if d == nil {
		return nil, missing("add_on", "add-on")
	}
	if old := h.linkNamed(a, in.Name); old != nil && old.name == in.Name && in.Confirm != a.Name {
		return nil, &refusal{Status: 423, ID: "confirmation_required", Message: "The attachment " + in.Name + " is there already, for " + old.addon.Name + "."}
	}
	return h.showLink(h.attachAddon(a, d, in.Name, in.Namespace)), nil
}

func (h *Heroku) resolveLink(c *call) (any, error) {
	var in struct {
		Name    string  `json:"addon_attachment"`
		App     *string `json:"app"`
		Service string  `json:"addon_service"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	app, name := "", in.Name
	if in.App != nil {
		app = *in.App
	}
	if of, rest, ok := strings.Cut(name, "::"); ok {
		app, name = of, rest
	}
	if app != "" {
		a, err := h.appNamed(app, http.MethodGet)
		if err != nil {
			return nil, err
		}
		if l := h.linkNamed(a, name); l != nil && (in.Service == "" || l.addon.Service == in.Service) {
			return []obj{h.showLink(l)}, nil
		}
	}
	for _, l := range h.links {
		if l.addon.Name == name && l.app == l.addon.app {
			return []obj{h.showLink(l)}, nil
		}
	}
	return nil, missing("attachment", "add-on attachment")
}
