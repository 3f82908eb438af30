package herokutest

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// upkeep is the maintenance of a database.
type upkeep struct {
	status             string // "none", "ready", "running", "completed"
	scheduled, before  *time.Time
	started, completed *time.Time
	reason             string
	past               []obj
}

// NeedMaintenance schedules maintenance for the database of an app.
func (h *Heroku) NeedMaintenance(app string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := time.Now().Add(14 * 24 * time.Hour)
	h.ofApp(app).upkeep = upkeep{status: "ready", scheduled: &at, reason: "routine_maintenance"}
}

func (h *Heroku) showUpkeep(b *database) obj {
	u, d := b.upkeep, b.addon
	names := []string{}
	for _, l := range h.links {
		if l.addon == d && l.app == d.app {
			names = append(names, l.name)
		}
	}
	window := obj{}
	for name, value := range b.window {
		window[name] = value
	}
	return obj{
		"addon":        obj{"attachments": names, "kind": "postgres", "name": d.Name, "plan": d.Plan, "uuid": d.id, "window": windowText(b)},
		"app":          obj{"name": d.app.Name, "uuid": d.app.id},
		"completed_at": u.completed, "duration_seconds": nil, "method": "changeover", "previously_scheduled_for": u.before, "reason": u.reason, "required_by": nil,
		"scheduled_for": u.scheduled, "server_created_at": d.created, "started_at": u.started, "status": u.status, "window": windowText(b),
	}
}

func windowText(b *database) string {
	return strings.TrimSpace(str(b.window["day_of_week"]) + " " + str(b.window["time_of_day"]))
}

func str(v any) string { s, _ := v.(string); return s }

func (h *Heroku) upkeepRoutes(r routes) {
	const root = "/data/maintenances/v1"
	r.on(200, "GET "+root+"/{db}/{what}", h.listUpkeep) // of all databases of an app, or a window
	r.base(200, "GET "+root+"/{db}", func(b *database, c *call) (any, error) { return h.showUpkeep(b), nil })
	r.base(200, "GET "+root+"/{db}/history/{$}", func(b *database, c *call) (any, error) {
		return obj{"maintenances": append([]obj{}, b.upkeep.past...)}, nil
	})
	r.base(200, "POST "+root+"/{db}/window", h.setWindow)
	r.base(202, "POST "+root+"/{db}/run", func(b *database, c *call) (any, error) {
		if err := h.runUpkeep(b); err != nil {
			return nil, err
		}
		return h.showUpkeep(b), nil
	})
	r.base(200, "POST "+root+"/{db}/schedule", h.delay)
	r.base(200, "GET /client/v11/databases/{db}/maintenance", func(b *database, c *call) (any, error) {
		return obj{"message": "Maintenance " + b.upkeep.status + ", window is " + windowText(b)}, nil
	})
	r.base(202, "POST /client/v11/databases/{db}/maintenance", func(b *database, c *call) (any, error) {
		if err := h.runUpkeep(b); err != nil {
			return nil, err
		}
		return obj{"message": "Maintenance triggered"}, nil
	})
	r.base(200, "PUT /client/v11/databases/{db}/maintenance_window", func(b *database, c *call) (any, error) {
		var in struct{ Description string }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		day, at, ok := strings.Cut(in.Description, " ")
		if !ok || !window(day, at) {
			return nil, invalid("The window %q is not a day and an hour.", in.Description)
		}
		b.window = obj{"day_of_week": strings.ToLower(day), "time_of_day": at}
		return obj{"message": "Maintenance window changed to " + in.Description}, nil
	})
}

// listUpkeep answers for apps/APP and for DB/window, which look alike.
func (h *Heroku) listUpkeep(c *call) (any, error) {
	if c.PathValue("db") != "apps" {
		b, err := h.database(c)
		if err != nil || c.PathValue("what") != "window" {
			return nil, cmp.Or(err, missing("maintenance", "resource"))
		}
		return b.window, nil
	}
	a, err := h.appNamed(c.PathValue("what"), c.Method)
	if err != nil {
		return nil, err
	}
	all := []obj{}
	for _, d := range h.addons {
		if d.app == a && d.db != nil && d.db.upkeep.status != "none" {
			all = append(all, h.showUpkeep(d.db))
		}
	}
	return obj{"maintenances": all}, nil
}

func window(day, at string) bool {
	days := []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	_, err := time.Parse("15:04", at)
	return slices.Contains(days, strings.ToLower(day)) && err == nil
}

func (h *Heroku) setWindow(b *database, c *call) (any, error) {
	var in struct {
		Day string `json:"day_of_week"`
		At  string `json:"time_of_day"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if !window(in.Day, in.At) {
		return nil, invalid("The window %s %s is not a day and an hour.", in.Day, in.At)
	}
	b.window = obj{"day_of_week": strings.ToLower(in.Day), "time_of_day": in.At}
	return b.window, nil
}

// runUpkeep starts maintenance that is due. One that runs is not started twice.
func (h *Heroku) runUpkeep(b *database) error {
	switch b.upkeep.status {
	case "running":
		return &refusal{Status: 409, ID: "conflict", Message: "Maintenance is running already."}
	case "ready":
	default:
		return &refusal{Status: 422, ID: "unprocessable_entity", Message: "There is no maintenance to run for " + b.addon.Name + "."}
	}
	b.upkeep.status, b.upkeep.started = "running", now()
	h.count("maintenance", b.addon.app)
	h.later(Maintenances, func() {
		b.upkeep.status, b.upkeep.completed = "completed", now()
		b.upkeep.past = append(b.upkeep.past, h.showUpkeep(b))
	})
	return nil
}

func (h *Heroku) delay(b *database, c *call) (any, error) {
	var in struct {
		Weeks json.RawMessage `json:"delay_weeks"` // text from the CLI
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	weeks, err := strconv.Atoi(strings.Trim(string(in.Weeks), `"`))
	if err != nil || weeks < 1 || weeks > 4 {
		return nil, invalid("delay_weeks must be between 1 and 4.")
	}
	if b.upkeep.scheduled == nil {
		return nil, &refusal{Status: 422, ID: "unprocessable_entity", Message: "There is no maintenance to schedule for " + b.addon.Name + "."}
	}
	at := time.Now().Add(time.Duration(weeks) * 7 * 24 * time.Hour)
	b.upkeep.before, b.upkeep.scheduled = b.upkeep.scheduled, &at
	return obj{"scheduled_for": at, "previously_scheduled_for": b.upkeep.before}, nil
}
