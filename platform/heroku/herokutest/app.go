package herokutest

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// App is one app. Change it in Edit only.
type App struct {
	Name       string
	Generation string // "cedar" or "fir"
	Stack      string
	Suspended  bool // every request for it is refused
	Denied     bool // the account may not see it
	TwoFactor  bool // changes ask for a second factor

	id            string
	maintenance   bool
	created       time.Time
	config        map[string]string
	releases      []*release
	builds        []*build
	slugs         []*slug
	formation     map[string]*process
	dynos         []*dyno
	lines         []line
	domains       []*domain
	drains        []*drain
	packs         []string
	next          []string // build stack for the next build
	collaborators []string
	features      map[string]bool
	acm           bool
	endpoints     []*endpoint
	transfers     []*transfer
	runs          int
}

// CreateApp makes an app that was never deployed.
func (h *Heroku) CreateApp(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newApp(name)
	h.tell()
}

func (h *Heroku) newApp(name string) *App {
	a := &App{
		Name: name, Generation: "cedar", Stack: "heroku-24", id: h.id(), created: time.Now(),
		config: map[string]string{}, formation: map[string]*process{}, features: map[string]bool{}, collaborators: []string{owner},
	}
	h.apps[name] = a
	h.release(a, "Initial release", nil)
	h.release(a, "Enable Logplex", nil)
	return a
}

// Edit changes an app as its owner or Heroku could elsewhere.
func (h *Heroku) Edit(app string, change func(a *App)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h.apps[app])
	h.tell()
}

// SetMaintenance turns the maintenance page on or off, as somebody else would.
func (h *Heroku) SetMaintenance(app string, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.apps[app].maintenance = on
}

const owner = "ann@example.com"

func person() obj { return obj{"id": "00000000-0000-4000-8000-00000000a000", "email": owner} }

// app finds the app of a request, by name or id.
func (h *Heroku) app(c *call) (*App, error) { return h.appNamed(c.PathValue("app"), c.Method) }

func (h *Heroku) appNamed(name, method string) (*App, error) {
	a := h.apps[name]
	if a == nil {
		for _, other := range h.apps {
			if other.id == name {
				a = other
			}
		}
	}
	switch {
	case a == nil:
		return nil, missing("app", "app")
	case a.Denied:
		return nil, &refusal{Status: 403, ID: "forbidden", Message: "You do not have access to the app " + a.Name + "."}
	case a.Suspended:
		return nil, &refusal{Status: 403, ID: "suspended", Message: "The app " + a.Name + " is suspended. Please contact Heroku support."}
	case a.TwoFactor && method != http.MethodGet:
		return nil, &refusal{Status: 403, ID: "two_factor", Message: "A second authentication factor or pre-authorization is required for this request. Your account has two-factor enabled.", App: obj{"name": a.Name}}
	}
	return a, nil
}

// mine registers a route that is about one app.
func (r routes) mine(status int, pattern string, fn func(a *App, c *call) (any, error)) {
	r.on(status, pattern, func(c *call) (any, error) {
		a, err := r.h.app(c)
		if err != nil {
			return nil, err
		}
		return fn(a, c)
	})
}

func (h *Heroku) appRoutes(r routes) {
	r.on(201, "POST /apps", h.createApp)
	r.on(201, "POST /teams/apps", h.createApp)
	r.on(200, "GET /apps", h.listApps)
	r.on(200, "GET /users/{user}/apps", h.listApps)
	r.on(200, "POST /filters/apps", h.filterApps)
	r.mine(200, "GET /apps/{app}", func(a *App, c *call) (any, error) { return h.show(a), nil })
	r.mine(200, "PATCH /apps/{app}", h.changeApp)
	r.mine(200, "DELETE /apps/{app}", h.destroyApp)
	r.on(200, "GET /stacks", func(c *call) (any, error) {
		l := list{by: "name", other: []string{"id"}}
		for _, name := range []string{"heroku-22", "heroku-24", "container"} {
			l.items = append(l.items, obj{"id": name, "name": name, "state": "public", "default": name == "heroku-24"})
		}
		return l, nil
	})
}

func (h *Heroku) show(a *App) obj {
	o := obj{
		"id": a.id, "name": a.Name, "maintenance": a.maintenance, "acm": a.acm, "archived_at": nil, "created_at": a.created,
		"updated_at": a.created, "released_at": nil, "git_url": "https://git.heroku.com/" + a.Name + ".git", "web_url": h.site + "/" + a.Name + "/",
		"owner": person(), "region": obj{"id": "us", "name": "us"}, "stack": obj{"id": a.Stack, "name": a.Stack},
		"build_stack": obj{"id": a.Stack, "name": a.Stack}, "generation": obj{"id": a.Generation, "name": a.Generation},
		"space": nil, "team": nil, "organization": nil, "internal_routing": nil, "repo_size": 1024, "slug_size": nil,
		"buildpack_provided_description": nil, "create_status": "complete",
	}
	if len(a.next) > 0 {
		o["build_stack"] = obj{"id": a.next[0], "name": a.next[0]}
	}
	if live := a.current(); live != nil {
		o["released_at"] = live.created
		if live.slug != nil {
			o["slug_size"] = live.slug.size
		}
	}
	return o
}

var appName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,28}[a-z0-9]$`)

func (h *Heroku) createApp(c *call) (any, error) {
	var in struct{ Name, Region, Stack, Team, Space string }
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		in.Name = fmt.Sprintf("quiet-brook-%05d", h.serial)
	}
	if !appName.MatchString(in.Name) {
		return nil, invalid("Name must start with a letter, end with a letter or digit and can only contain lowercase letters, digits, and dashes.")
	}
	if h.apps[in.Name] != nil {
		return nil, invalid("Name %s is already taken", in.Name)
	}
	a := h.newApp(in.Name)
	if in.Stack != "" {
		a.Stack = in.Stack
	}
	h.count("app", a)
	return h.show(a), nil
}

func (h *Heroku) listApps(c *call) (any, error) {
	l := list{by: "name", other: []string{"id", "updated_at"}}
	for _, a := range h.apps {
		if !a.Denied {
			l.items = append(l.items, h.show(a))
		}
	}
	return l, nil
}

func (h *Heroku) filterApps(c *call) (any, error) {
	var in struct{ In struct{ ID, Name []string } }
	if err := c.read(&in); err != nil {
		return nil, err
	}
	l := list{other: []string{"name"}}
	for _, a := range h.apps {
		if slices.Contains(in.In.ID, a.id) || slices.Contains(in.In.Name, a.Name) {
			l.items = append(l.items, h.show(a))
		}
	}
	return l, nil
}

func (h *Heroku) changeApp(a *App, c *call) (any, error) {
	var in struct {
		Maintenance *bool
		Name        *string
		Stack       *string `json:"build_stack"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Maintenance != nil {
		a.maintenance = *in.Maintenance
	}
	if in.Stack != nil {
		a.next = []string{*in.Stack}
	}
	if in.Name != nil && *in.Name != a.Name {
		if h.apps[*in.Name] != nil || !appName.MatchString(*in.Name) {
			return nil, invalid("Name %s is already taken", *in.Name)
		}
		delete(h.apps, a.Name)
		a.Name = *in.Name
		h.apps[a.Name] = a
	}
	return h.show(a), nil
}

func (h *Heroku) destroyApp(a *App, c *call) (any, error) {
	for _, s := range h.sockets {
		if s.app == a {
			s.end()
		}
	}
	h.addons = slices.DeleteFunc(h.addons, func(d *Addon) bool { return d.app == a })
	h.links = slices.DeleteFunc(h.links, func(l *attachment) bool { return l.app == a || l.addon.app == a })
	h.uncouple(a)
	delete(h.apps, a.Name)
	return h.show(a), nil
}

// Apps are the names of all apps.
func (h *Heroku) Apps() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.apps))
}

// visit is a visitor at the site of an app.
func (h *Heroku) visit(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	h.mu.Lock()
	a := h.apps[name]
	status, code, text := http.StatusOK, "", ""
	switch {
	case a == nil:
		status, text = http.StatusNotFound, "No such app"
	case a.maintenance:
		status, code, text = http.StatusServiceUnavailable, "H80", "Offline for Maintenance"
	default:
		text = a.answers()
		if text == "" {
			status, code, text = http.StatusServiceUnavailable, "H14", "Application error"
		}
	}
	if a != nil {
		at := "info"
		if code != "" {
			at = "error code=" + code
		}
		a.log("heroku", "router", fmt.Sprintf(`at=%s method=%s path=%q host=%s.herokuapp.com dyno=web.1 status=%d`, at, r.Method, r.URL.Path, a.Name, status))
	}
	h.tell()
	h.mu.Unlock()
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text)
}

// answers is the version that web dynos serve, "" when none is up.
func (a *App) answers() string {
	for _, d := range a.dynos {
		if d.kind == "web" && d.state == "up" && d.release.slug != nil {
			return d.release.slug.commit
		}
	}
	return ""
}

// Answer is the version that a visitor of the app sees, "" when nobody answers.
func (h *Heroku) Answer(app string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a := h.apps[app]; a != nil && !a.maintenance {
		return a.answers()
	}
	return ""
}
