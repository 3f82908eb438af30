package herokutest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// transfer is a backup, a restore or a copy.
type transfer struct {
	uuid                      string
	num                       int
	fromName, fromType        string
	toName, toType            string
	fromURL, toURL            string
	created                   time.Time
	started, finished, cancel *time.Time
	ok, deleted               bool
	schedule                  *schedule
	logs                      []string
	content                   string // of the backup
	size, done                int64
}

// FailTransfer makes the next transfer of the app's database fail with these
// last words.
func (h *Heroku) FailTransfer(app, words string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := h.ofApp(app)
	b.failing = append(b.failing, words)
}

func (h *Heroku) newTransfer(kind string, b *database) *transfer {
	a := b.addon.app
	t := &transfer{uuid: h.id(), num: 1, created: time.Now(), size: b.bytes, started: now()}
	for _, other := range a.transfers {
		t.num = max(t.num, other.num+1)
	}
	a.transfers = append(a.transfers, t)
	h.count(kind, a)
	t.logs = append(t.logs, kind+" started")
	return t
}

// progress ends a transfer when it has taken its time.
func (h *Heroku) progress(t *transfer, b *database, effect func()) {
	t.done = t.size / 3
	h.later(Transfers, func() {
		if t.finished != nil {
			return
		}
		t.finished = now()
		if len(b.failing) > 0 {
			t.logs = append(t.logs, b.failing[0])
			b.failing = b.failing[1:]
			return
		}
		t.done, t.ok = t.size, true
		t.logs = append(t.logs, "completed")
		effect()
	})
}

func (h *Heroku) showTransfer(t *transfer, verbose bool) obj {
	o := obj{
		"uuid": t.uuid, "num": t.num, "from_name": t.fromName, "from_type": t.fromType, "from_url": t.fromURL, "to_name": t.toName, "to_type": t.toType, "to_url": t.toURL,
		"options": obj{}, "source_bytes": t.size, "processed_bytes": t.done, "succeeded": t.ok, "warnings": 0, "created_at": t.created, "started_at": t.started,
		"finished_at": t.finished, "canceled_at": t.cancel, "updated_at": t.created, "deleted_at": nil, "purged_at": nil, "num_keep": 5, "schedule": nil,
	}
	if t.finished == nil {
		o["succeeded"] = nil
	}
	if t.schedule != nil {
		o["schedule"] = obj{"uuid": t.schedule.uuid}
	}
	if verbose {
		logs := []obj{}
		for _, l := range t.logs {
			logs = append(logs, obj{"created_at": t.created, "level": "info", "message": l})
		}
		o["logs"] = logs
	}
	return o
}

func (h *Heroku) transferRoutes(r routes) {
	const apps = "/client/v11/apps/{app}/transfers"
	r.mine(200, "GET "+apps, func(a *App, c *call) (any, error) {
		all := []obj{}
		for _, t := range a.transfers {
			if !t.deleted {
				all = append(all, h.showTransfer(t, false))
			}
		}
		return all, nil
	})
	one := func(fn func(a *App, t *transfer, c *call) (any, error)) func(a *App, c *call) (any, error) {
		return func(a *App, c *call) (any, error) {
			for _, t := range a.transfers {
				if id := c.PathValue("transfer"); !t.deleted && (t.uuid == id || strconv.Itoa(t.num) == id) {
					return fn(a, t, c)
				}
			}
			return nil, missing("transfer", "transfer")
		}
	}
	r.mine(200, "GET "+apps+"/{transfer}", one(func(a *App, t *transfer, c *call) (any, error) {
		return h.showTransfer(t, c.URL.Query().Get("verbose") == "true"), nil
	}))
	r.mine(200, "DELETE "+apps+"/{transfer}", one(func(a *App, t *transfer, c *call) (any, error) {
		t.deleted = true
		return h.showTransfer(t, false), nil
	}))
	r.mine(200, "POST "+apps+"/{transfer}/actions/cancel", one(func(a *App, t *transfer, c *call) (any, error) {
		if t.finished != nil {
			return nil, &refusal{Status: 422, ID: "unprocessable_entity", Message: "The transfer has ended already."}
		}
		t.finished, t.cancel = now(), now()
		t.logs = append(t.logs, "canceled")
		return h.showTransfer(t, false), nil
	}))
	r.mine(200, "POST "+apps+"/{transfer}/actions/public-url", one(func(a *App, t *transfer, c *call) (any, error) {
		if !t.ok || t.toType != "gof3r" {
			return nil, &refusal{Status: 422, ID: "unprocessable_entity", Message: "There is no finished backup under that number."}
		}
		return obj{"url": t.toURL + "?signature=" + h.id(), "expires_at": time.Now().Add(time.Hour)}, nil
	}))
	r.base(200, "POST /client/v11/databases/{db}/backups", h.capture)
	r.base(200, "POST /client/v11/databases/{db}/restores", h.restore)
	r.base(200, "POST /client/v11/databases/{db}/transfers", h.copy)
}

// label is what a database is called in transfers.
func (h *Heroku) label(b *database) string {
	for _, l := range h.links {
		if l.addon == b.addon && l.app == b.addon.app {
			return l.name
		}
	}
	return b.addon.Name
}

func (b *database) refuse() error {
	if b.upkeep.status == "running" {
		return &refusal{Status: 409, ID: "conflict", Message: "The database " + b.addon.Name + " is undergoing maintenance."}
	}
	return nil
}

func (h *Heroku) capture(b *database, c *call) (any, error) {
	if err := b.refuse(); err != nil {
		return nil, err
	}
	return h.showTransfer(h.backup(b, nil), false), nil
}

func (h *Heroku) backup(b *database, by *schedule) *transfer {
	t := h.newTransfer("capture", b)
	t.fromType, t.fromName, t.fromURL = "pg_dump", h.label(b), b.url("")
	t.toType, t.toName, t.toURL = "gof3r", "BACKUP", h.api+"/streams/dumps/"+t.uuid
	t.schedule, t.content = by, b.content
	h.progress(t, b, func() {})
	return t
}

// restore erases the database, and fills it when the transfer ends well.
func (h *Heroku) restore(b *database, c *call) (any, error) {
	var in struct {
		URL        string `json:"backup_url"`
		Extensions []string
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if err := b.refuse(); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(in.URL, "http") {
		return nil, invalid("backup_url must be a URL.")
	}
	t := h.newTransfer("restore", b)
	t.fromType, t.fromName, t.fromURL = "gof3r", "BACKUP", in.URL
	t.toType, t.toName, t.toURL = "pg_restore", h.label(b), b.url("")
	content, known := h.dump(in.URL)
	if !known {
		b.failing = slices.Insert(b.failing, 0, "could not read the backup at "+in.URL)
	}
	b.content = ""
	h.progress(t, b, func() { b.content = content })
	return h.showTransfer(t, false), nil
}

// dump is what a backup at a URL holds.
func (h *Heroku) dump(url string) (string, bool) {
	for _, a := range h.apps {
		for _, t := range a.transfers {
			if t.toType == "gof3r" && t.ok && strings.HasPrefix(url, t.toURL) {
				return t.content, true
			}
		}
	}
	return "", false
}

// copy is a transfer between two databases.
func (h *Heroku) copy(b *database, c *call) (any, error) {
	var in struct {
		FromName string `json:"from_name"`
		FromURL  string `json:"from_url"`
		ToName   string `json:"to_name"`
		ToURL    string `json:"to_url"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	var from, to *database
	for _, d := range h.addons {
		if d.db != nil && d.db.url("") == in.FromURL {
			from = d.db
		}
		if d.db != nil && d.db.url("") == in.ToURL {
			to = d.db
		}
	}
	if from == nil || to == nil {
		return nil, invalid("Both databases must be known.")
	}
	t := h.newTransfer("copy", b)
	t.fromType, t.fromName, t.fromURL = "pg_dump", in.FromName, in.FromURL
	t.toType, t.toName, t.toURL = "pg_restore", in.ToName, in.ToURL
	content := from.content
	to.content = ""
	h.progress(t, to, func() { to.content = content })
	return h.showTransfer(t, false), nil
}

// readDump is the download of a backup.
func (h *Heroku) readDump(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	content, ok := h.dump(h.api + r.URL.Path)
	h.mu.Unlock()
	if !ok || r.URL.Query().Get("signature") == "" {
		http.Error(w, "AccessDenied", http.StatusForbidden)
		return
	}
	_, _ = fmt.Fprint(w, content)
}

// Capture begins a backup of the database of an app, as somebody else would, and
// waits for its end unless transfers are held.
func (h *Heroku) Capture(app string) {
	h.mu.Lock()
	t := h.backup(h.ofApp(app), nil)
	h.tell()
	h.mu.Unlock()
	h.wait(nil, func() bool { return t.finished != nil || h.held[Transfers] })
}
