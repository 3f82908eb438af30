package herokutest

import (
	"maps"
	"slices"
	"strings"
)

func (h *Heroku) configRoutes(r routes) {
	r.mine(200, "GET /apps/{app}/config-vars", func(a *App, c *call) (any, error) { return maps.Clone(a.config), nil })
	r.mine(200, "PATCH /apps/{app}/config-vars", h.changeConfig)
}

func (h *Heroku) changeConfig(a *App, c *call) (any, error) {
	var in map[string]*string
	if err := c.read(&in); err != nil {
		return nil, err
	}
	next := maps.Clone(a.config)
	names := slices.Sorted(maps.Keys(in))
	for _, name := range names {
		if name == "" || strings.ContainsAny(name, "= \n\x00") {
			return nil, invalid("Config var name %q is invalid.", name)
		}
		if l := h.supplied(a, name); l != nil {
			return nil, invalid("Cannot overwrite the config var %s, which is supplied by the add-on %s.", name, l.addon.Name)
		}
		if in[name] == nil {
			delete(next, name)
		} else {
			next[name] = *in[name]
		}
	}
	if maps.Equal(next, a.config) {
		return next, nil
	}
	verb := "Set "
	if slices.ContainsFunc(names, func(n string) bool { return in[n] == nil }) {
		verb = "Remove "
	}
	a.config = next
	h.release(a, verb+strings.Join(names, ", ")+" config vars", nil)
	a.log("app", "api", verb+strings.Join(names, ", ")+" config vars by user "+owner)
	return maps.Clone(a.config), nil
}

// supplied is the attachment that a config var comes from, or nil.
func (h *Heroku) supplied(a *App, name string) *attachment {
	for _, l := range h.links {
		if l.app == a && slices.Contains(l.vars(), name) {
			return l
		}
	}
	return nil
}

// Config are the config vars of an app.
func (h *Heroku) Config(app string) map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.apps[app].config)
}

// SetConfig changes a config var as somebody else would; it makes a release.
func (h *Heroku) SetConfig(app, name, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.apps[app]
	a.config = maps.Clone(a.config)
	a.config[name] = value
	h.release(a, "Set "+name+" config vars", nil)
	h.tell()
}
