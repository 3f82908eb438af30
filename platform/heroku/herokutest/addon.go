package herokutest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Addon is one add-on. A Postgres one has a database.
type Addon struct {
	Name, Service, Plan, State string

	id      string
	app     *App
	created time.Time
	config  map[string]string
	db      *database
}

// services are the add-on services, with cents a month by plan.
var services = map[string]map[string]int{
	"heroku-postgresql": {"essential-0": 500, "essential-1": 900, "essential-2": 2000, "standard-0": 5000, "standard-2": 20000, "standard-4": 75000, "premium-0": 20000, "premium-2": 35000},
	"heroku-redis":      {"mini": 300, "premium-0": 1500},
	"papertrail":        {"choklad": 0, "fixa": 700},
	"newrelic":          {"wayne": 0},
	"scheduler":         {"standard": 0},
}

var slowServices = []string{"heroku-redis"} // provisioned later

func (h *Heroku) newAddon(a *App, service, plan, name, as string) *Addon {
	d := &Addon{id: h.id(), Name: name, Service: service, Plan: plan, State: "provisioned", app: a, created: time.Now(), config: map[string]string{}}
	if name == "" {
		d.Name = fmt.Sprintf("%s-curved-%05d", strings.TrimPrefix(service, "heroku-"), 10000+len(h.addons)+1)
	}
	if service == "heroku-postgresql" {
		d.db = h.newDatabase(d)
	}
	h.addons = append(h.addons, d)
	h.attachAddon(a, d, as, "")
	h.count("addon", a)
	return d
}

// AddDatabase puts a Postgres database on an app, by a plan such as
// "standard-0", and returns the name of the add-on.
func (h *Heroku) AddDatabase(app, plan string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := h.newAddon(h.apps[app], "heroku-postgresql", plan, "", "")
	h.tell()
	return d.Name
}

// EditAddon changes an add-on as its provider could.
func (h *Heroku) EditAddon(name string, change func(d *Addon)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.addons {
		if d.Name == name {
			change(d)
		}
	}
	h.tell()
}

func (h *Heroku) showAddon(d *Addon) obj {
	cents := services[d.Service][d.Plan]
	price := obj{"cents": cents, "contract": false, "unit": "month", "metered": false}
	vars := []string{}
	for _, l := range h.links {
		if l.addon == d && l.app == d.app {
			vars = append(vars, l.vars()...)
		}
	}
	o := obj{
		"id": d.id, "name": d.Name, "state": d.State, "app": obj{"id": d.app.id, "name": d.app.Name}, "actions": []obj{}, "config_vars": vars,
		"addon_service":  obj{"id": d.Service, "name": d.Service, "human_name": d.Service, "cli_plugin_name": nil},
		"plan":           obj{"id": d.Service + ":" + d.Plan, "name": d.Service + ":" + d.Plan, "human_name": d.Plan, "price": price, "description": d.Plan},
		"billing_entity": obj{"id": d.app.id, "name": d.app.Name, "type": "app"}, "billed_price": price, "provider_id": d.id, "created_at": d.created, "updated_at": d.created,
		"web_url": nil, "provision_message": nil, "config": d.config, "contract_uuid": nil,
	}
	if d.State == "provisioning" {
		o["provision_message"] = d.Name + " is being created in the background."
	}
	return o
}

func (h *Heroku) addonRoutes(r routes) {
	r.mine(http.StatusCreated, "POST /apps/{app}/addons", h.createAddon)
	r.mine(200, "GET /apps/{app}/addons", func(a *App, c *call) (any, error) {
		l := list{by: "id", other: []string{"name"}}
		for _, d := range h.addons {
			if d.app == a {
				l.items = append(l.items, h.showAddon(d))
			}
		}
		return l, nil
	})
	one := func(fn func(d *Addon, c *call) (any, error)) func(a *App, c *call) (any, error) {
		return func(a *App, c *call) (any, error) {
			d := h.addon(c.PathValue("addon"))
			if d == nil || d.app != a {
				return nil, missing("add_on", "add-on")
			}
			return fn(d, c)
		}
	}
	show := func(d *Addon, c *call) (any, error) { return h.showAddon(d), nil }
	r.mine(200, "GET /apps/{app}/addons/{addon}", one(show))
	r.mine(200, "PATCH /apps/{app}/addons/{addon}", one(h.changeAddon))
	r.mine(200, "DELETE /apps/{app}/addons/{addon}", one(h.destroyAddon))
	r.on(200, "GET /addons", func(c *call) (any, error) {
		l := list{by: "id", other: []string{"name"}}
		for _, d := range h.addons {
			l.items = append(l.items, h.showAddon(d))
		}
		return l, nil
	})
	r.on(200, "GET /addons/{addon}", func(c *call) (any, error) {
		if d := h.addon(c.PathValue("addon")); d != nil {
			return h.showAddon(d), nil
		}
		return nil, missing("add_on", "add-on")
	})
	r.on(200, "POST /actions/addons/resolve", h.resolveAddon)
	r.on(200, "GET /addon-services/{service}", func(c *call) (any, error) {
		if services[c.PathValue("service")] == nil {
			return nil, missing("add_on_service", "add-on service")
		}
		return obj{"id": c.PathValue("service"), "name": c.PathValue("service"), "human_name": c.PathValue("service"), "state": "ga"}, nil
	})
	r.on(200, "GET /addon-services/{service}/plans", func(c *call) (any, error) {
		l := list{by: "name", other: []string{"id"}}
		for plan, cents := range services[c.PathValue("service")] {
			name := c.PathValue("service") + ":" + plan
			l.items = append(l.items, obj{"id": name, "name": name, "human_name": plan, "description": plan, "state": "ga", "default": false, "price": obj{"cents": cents, "contract": false, "unit": "month"}})
		}
		if l.items == nil {
			return nil, missing("add_on_service", "add-on service")
		}
		return l, nil
	})
}

func (h *Heroku) addon(name string) *Addon {
	for _, d := range h.addons {
		if d.id == name || d.Name == name {
			return d
		}
	}
	return nil
}

// plan reads a plan, which comes as text or as an object, and finds it.
func plan(raw json.RawMessage, service string) (string, string, error) {
	var name string
	if json.Unmarshal(raw, &name) != nil {
		var o struct{ Name, ID string }
		if json.Unmarshal(raw, &o) != nil {
			return "", "", invalid("Plan must be given.")
		}
		name = o.Name + o.ID
	}
	of, level, ok := strings.Cut(name, ":")
	if !ok && service != "" {
		of, level = service, name
	}
	plans := services[of]
	if _, known := plans[level]; !known && ok || plans == nil {
		return "", "", invalid("Couldn't find either the add-on service or the add-on plan of %q.", name)
	}
	if level == "" {
		for name, cents := range plans {
			if level == "" || cents < plans[level] {
				level = name
			}
		}
	}
	return of, level, nil
}

func (h *Heroku) createAddon(a *App, c *call) (any, error) {
	var in struct {
		Plan       json.RawMessage
		Name       string
		Confirm    string
		Config     map[string]any
		Attachment struct{ Name string }
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	service, level, err := plan(in.Plan, "")
	if err != nil {
		return nil, err
	}
	if in.Name != "" && h.addon(in.Name) != nil {
		return nil, invalid("Name %s is already taken", in.Name)
	}
	if l := h.linkNamed(a, in.Attachment.Name); l != nil && in.Attachment.Name != "" && in.Confirm != a.Name {
		return nil, &refusal{Status: 423, ID: "confirmation_required", Message: fmt.Sprintf("The attachment %s is there already, for %s.", l.name, l.addon.Name)}
	}
	d := h.newAddon(a, service, level, in.Name, in.Attachment.Name)
	for name, value := range in.Config {
		d.config[name] = fmt.Sprint(value)
	}
	if !slices.Contains(slowServices, service) {
		return h.showAddon(d), nil
	}
	d.State = "provisioning"
	h.later(Provisioning, func() {
		if d.State == "provisioning" {
			d.State = "provisioned"
			a.log("app", "api", "@ref:"+d.Name+" completed provisioning")
		}
	})
	return timed{http.StatusAccepted, h.showAddon(d)}, nil
}

func (h *Heroku) changeAddon(d *Addon, c *call) (any, error) {
	var in struct {
		Plan json.RawMessage
		Name string
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	service, level, err := plan(in.Plan, d.Service)
	if err != nil {
		return nil, err
	}
	if service != d.Service {
		return nil, invalid("%s cannot become a %s.", d.Name, service)
	}
	d.Plan = level
	h.release(d.app, "Update "+d.Service+" by user "+owner, nil)
	return h.showAddon(d), nil
}

func (h *Heroku) destroyAddon(d *Addon, c *call) (any, error) {
	var in struct{ Force bool }
	if err := c.read(&in); err != nil {
		return nil, err
	}
	for _, l := range h.links {
		if l.addon == d && l.app != d.app && !in.Force {
			return nil, invalid("Cannot destroy %s, which is attached to %s too.", d.Name, l.app.Name)
		}
	}
	for _, l := range slices.Clone(h.links) {
		if l.addon == d {
			h.detach(l)
		}
	}
	h.addons = slices.DeleteFunc(h.addons, func(o *Addon) bool { return o == d })
	d.State = "deprovisioned"
	return h.showAddon(d), nil
}

// resolveAddon finds add-ons by their name, or by an attachment of the app.
func (h *Heroku) resolveAddon(c *call) (any, error) {
	var in struct {
		Addon   string
		App     *string
		Service string `json:"addon_service"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	app, name := "", in.Addon
	if in.App != nil {
		app = *in.App
	}
	if of, rest, ok := strings.Cut(name, "::"); ok {
		app, name = of, rest
	}
	found := []obj{}
	if app != "" {
		a, err := h.appNamed(app, http.MethodGet)
		if err != nil {
			return nil, err
		}
		if l := h.linkNamed(a, name); l != nil {
			found = append(found, h.showAddon(l.addon))
		}
	}
	for _, d := range h.addons {
		if len(found) == 0 && (d.Name == name || d.id == name || d.Service == name && app != "" && (d.app.Name == app || d.app.id == app)) {
			found = append(found, h.showAddon(d))
		}
	}
	if len(found) == 0 {
		return nil, missing("add_on", "add-on")
	}
	return found, nil
}
