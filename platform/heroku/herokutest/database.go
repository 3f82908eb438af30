package herokutest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// database is what is behind a Postgres add-on. What is in it is one text.
type database struct {
	addon       *Addon
	content     string
	credentials []*credential
	schedules   []*schedule
	upkeep      upkeep
	window      obj
	settings    obj
	following   string
	upgrade     string // "", "prepared"
	target      string // PG version it is upgraded to
	version     string
	connections int
	bytes       int64
	tables      int
	failing     []string // log lines of transfers that are to fail, oldest first
	address     string   // where it really is; made up when empty
}

func (h *Heroku) newDatabase(d *Addon) *database {
	b := &database{
		addon: d, version: "16.4", connections: 3, bytes: 8 << 20, tables: 4, window: obj{"day_of_week": "sunday", "time_of_day": "06:00"},
		settings: obj{"log_lock_waits": obj{"value": true, "default": true, "desc": "Delay longer than a second is logged", "values": obj{}}},
	}
	b.upkeep = upkeep{status: "none"}
	b.credentials = []*credential{{uuid: h.id(), name: "default", users: []user{{"u" + h.id()[:8], fmt.Sprintf("p%x", h.serial), "active"}}}}
	return b
}

func (b *database) url(name string) string {
	if b.address != "" {
		return b.address
	}
	for _, c := range b.credentials {
		if c.name == name || name == "" && c.name == "default" {
			u := c.active()
			return fmt.Sprintf("postgres://%s:%s@%s/%s", u.name, u.password, b.host()+":5432", b.name())
		}
	}
	return ""
}

func (b *database) host() string { return b.addon.Name + ".db.example.com" }
func (b *database) name() string { return "d" + b.addon.id[:8] }

// ofApp is the database that DATABASE_URL of an app is, or nil.
func (h *Heroku) ofApp(app string) *database {
	a := h.apps[app]
	if a == nil {
		return nil
	}
	if l := h.linkNamed(a, "DATABASE"); l != nil {
		return l.addon.db
	}
	return nil
}

// Write puts text into the database of an app.
func (h *Heroku) Write(app, data string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ofApp(app).content = data
}

// Read is what is in the database of an app; empty when it is erased.
func (h *Heroku) Read(app string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ofApp(app).content
}

// Meter sets what the information about a database tells.
func (h *Heroku) Meter(app string, bytes int64, connections int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.ofApp(app)
	b.bytes, b.connections = bytes, connections
}

// Connect says where the database of an app really is, as a postgres:// URL.
func (h *Heroku) Connect(app, url string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.ofApp(app)
	b.address = url
	h.refresh(b.addon)
	h.tell()
}

// database finds the database of a request, by id or name of its add-on.
func (h *Heroku) database(c *call) (*database, error) {
	d := h.addon(c.PathValue("db"))
	if d == nil || d.db == nil || d.State != "provisioned" {
		return nil, missing("database", "database")
	}
	if _, err := h.appNamed(d.app.id, http.MethodGet); err != nil {
		return nil, err
	}
	return d.db, nil
}

// base registers a route of the data API that is about one database.
func (r routes) base(status int, pattern string, fn func(b *database, c *call) (any, error)) {
	r.on(status, pattern, func(c *call) (any, error) {
		b, err := r.h.database(c)
		if err != nil {
			return nil, err
		}
		return fn(b, c)
	})
}

// limits are the storage in GB and the connections of plans.
var limits = map[string][2]int{
	"essential-0": {1, 20}, "essential-1": {10, 20}, "essential-2": {32, 40}, "standard-0": {64, 120}, "standard-2": {256, 400}, "standard-4": {768, 500},
	"premium-0": {64, 120}, "premium-2": {256, 400},
}

func (h *Heroku) showDatabase(b *database) obj {
	limit := limits[b.addon.Plan]
	level := b.addon.Plan
	tier, _, _ := strings.Cut(level, "-")
	status := "Available"
	if b.upkeep.status == "running" {
		status = "Unavailable (maintenance)"
	}
	row := func(name string, values ...string) obj { return obj{"name": name, "values": values} }
	info := []obj{
		row("Plan", strings.ToUpper(tier[:1])+strings.Replace(level[1:], "-", " ", 1)),
		row("Status", status),
		row("Data Size", fmt.Sprintf("%.1f MB / %d GB (%.2f%%)", float64(b.bytes)/(1<<20), limit[0], float64(b.bytes)*100/float64(int64(limit[0])<<30))),
		row("Tables", fmt.Sprint(b.tables)),
		row("PG Version", b.version),
		row("Connections", fmt.Sprintf("%d/%d", b.connections, limit[1])),
		row("Connection Pooling", "Available"),
		row("Credentials", fmt.Sprint(len(b.credentials))),
		row("Fork/Follow", map[bool]string{true: "Unsupported", false: "Available"}[tier == "essential"]),
		row("Rollback", map[bool]string{true: "Unsupported", false: "earliest from 2 days ago"}[tier == "essential"]),
		row("Continuous Protection", map[bool]string{true: "Off", false: "On"}[tier == "essential"]),
		row("Created", b.addon.created.UTC().Format("2006-01-02 15:04 MST")),
		row("Maintenance", map[bool]string{true: "not required", false: "required"}[b.upkeep.status == "none" || b.upkeep.status == "completed"]),
		row("Maintenance window", fmt.Sprintf("%v %v", b.window["day_of_week"], b.window["time_of_day"])),
	}
	if tier == "premium" {
		info = append(info, row("HA Status", "Available"))
	}
	return obj{
		"addon_id": b.addon.id, "name": b.addon.Name, "heroku_resource_id": b.addon.id, "info": info, "resource_url": b.url(""), "database_name": b.name(), "database_user": b.credentials[0].active().name,
		"following": nil, "leader": nil, "forked_from": nil, "waiting?": false, "available_for_ingress": true, "num_bytes": b.bytes, "num_connections": b.connections, "num_tables": b.tables,
		"plan": level, "postgres_version": b.version, "current_transaction": "12345", "created_at": b.addon.created, "database_password": "", "hot_standby?": false, "target_transaction": nil,
		"formation": obj{"primary": nil}, "status_updated_at": b.addon.created, "target_version": nil, "is_in_recovery?": false,
	}
}

func (h *Heroku) databaseRoutes(r routes) {
	r.base(200, "GET /client/v11/databases/{db}", func(b *database, c *call) (any, error) { return h.showDatabase(b), nil })
	idle := func(b *database, c *call) (any, error) {
		return obj{"waiting?": false, "error?": false, "message": "available", "step": "5/5"}, nil
	}
	r.base(200, "GET /client/v11/databases/{db}/wait_status", idle)
	r.base(200, "GET /client/v11/databases/{db}/upgrade/wait_status", idle)
	r.base(200, "POST /client/v11/databases/{db}/upgrade/prepare", func(b *database, c *call) (any, error) {
		var in struct{ Version string }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		if in.Version == "" {
			in.Version = "17"
		}
		b.upgrade, b.target = "prepared", in.Version
		return obj{"message": "Your database is being prepared for the upgrade to PG " + in.Version + "."}, nil
	})
	r.base(200, "POST /client/v11/databases/{db}/upgrade/run", func(b *database, c *call) (any, error) {
		if b.upgrade != "prepared" {
			return nil, &refusal{Status: 422, ID: "unprocessable_entity", Message: "You must prepare the upgrade first."}
		}
		b.upgrade, b.version = "", b.target+".1"
		return obj{"message": "Upgrading to PG " + b.target + "."}, nil
	})
	r.base(200, "POST /client/v11/databases/{db}/upgrade/cancel", func(b *database, c *call) (any, error) {
		if b.upgrade == "" {
			return nil, &refusal{Status: 422, ID: "unprocessable_entity", Message: "You haven't scheduled an upgrade on your database."}
		}
		b.upgrade = ""
		return obj{"message": "You canceled the upgrade."}, nil
	})
	r.base(200, "POST /client/v11/databases/{db}/upgrade/dry_run", func(b *database, c *call) (any, error) {
		return obj{"message": "Started the test upgrade."}, nil
	})
	r.base(200, "POST /client/v11/databases/{db}/connection_reset", func(b *database, c *call) (any, error) {
		b.connections = 0
		return obj{"message": "Connections terminated"}, nil
	})
	r.base(200, "PUT /client/v11/databases/{db}/reset", func(b *database, c *call) (any, error) {
		b.content, b.tables = "", 0
		return obj{"message": "Reset successful."}, nil
	})
	r.base(200, "PUT /client/v11/databases/{db}/unfollow", func(b *database, c *call) (any, error) {
		if b.following == "" {
			return nil, &refusal{Status: 422, ID: "unprocessable_entity", Message: b.addon.Name + " is not following any other database."}
		}
		b.following = ""
		return obj{}, nil
	})
	r.base(200, "GET /postgres/v0/databases/{db}/config", func(b *database, c *call) (any, error) { return b.settings, nil })
	r.base(200, "PATCH /postgres/v0/databases/{db}/config", func(b *database, c *call) (any, error) {
		var in obj
		if err := c.read(&in); err != nil {
			return nil, err
		}
		for name, value := range in {
			known, ok := b.settings[name].(obj)
			if !ok {
				return nil, invalid("No such setting as %s.", name)
			}
			known["value"] = value
		}
		return b.settings, nil
	})
}

func now() *time.Time { t := time.Now(); return &t }
