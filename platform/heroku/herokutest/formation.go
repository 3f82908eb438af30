package herokutest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// process is one process type of an app.
type process struct {
	id, command, size string
	quantity          int
}

// sizes are the dyno sizes by their canonical names: memory in GB, and dollars a month.
var sizes = []struct {
	name   string
	memory float64
	cents  int
}{
	{"Eco", 0.5, 500}, {"Basic", 0.5, 700}, {"Standard-1X", 0.5, 2500}, {"Standard-2X", 1, 5000},
	{"Performance-M", 2.5, 25000}, {"Performance-L", 14, 50000}, {"Performance-L-RAM", 30, 50000}, {"Performance-XL", 62, 75000}, {"Performance-2XL", 126, 150000},
}

func canonical(size string) (string, bool) {
	for _, s := range sizes {
		if strings.EqualFold(s.name, size) {
			return s.name, true
		}
	}
	return "", false
}

// adopt takes the process types of a slug over. The first web dyno starts by itself.
func (a *App) adopt(h *Heroku, s *slug) {
	first := len(a.formation) == 0
	maps.DeleteFunc(a.formation, func(kind string, _ *process) bool { _, kept := s.types[kind]; return !kept })
	for kind, command := range s.types {
		if kind == "release" {
			continue
		}
		p := a.formation[kind]
		if p == nil {
			p = &process{id: h.id(), size: "Basic"}
			if first && kind == "web" {
				p.quantity = 1
			}
			for _, other := range a.formation {
				p.size = other.size
			}
			a.formation[kind] = p
		}
		p.command = command
	}
}

func (a *App) showProcess(kind string) obj {
	p := a.formation[kind]
	return obj{
		"id": p.id, "type": kind, "quantity": p.quantity, "size": p.size, "dyno_size": obj{"id": p.size, "name": p.size}, "command": p.command,
		"app": obj{"id": a.id, "name": a.Name}, "created_at": a.created, "updated_at": a.created,
	}
}

func (a *App) showFormation() []obj {
	all := []obj{}
	for _, kind := range slices.Sorted(maps.Keys(a.formation)) {
		all = append(all, a.showProcess(kind))
	}
	return all
}

func (h *Heroku) formationRoutes(r routes) {
	r.mine(200, "GET /apps/{app}/formation", func(a *App, c *call) (any, error) {
		return list{items: a.showFormation(), by: "type", other: []string{"id"}}, nil
	})
	r.mine(200, "GET /apps/{app}/formation/{type}", func(a *App, c *call) (any, error) {
		if a.formation[c.PathValue("type")] == nil {
			return nil, missing("formation", "process type ("+c.PathValue("type")+")")
		}
		return a.showProcess(c.PathValue("type")), nil
	})
	r.mine(200, "PATCH /apps/{app}/formation", func(a *App, c *call) (any, error) {
		var in struct{ Updates []update }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		if err := h.scale(a, in.Updates); err != nil {
			return nil, err
		}
		return a.showFormation(), nil
	})
	r.mine(200, "PATCH /apps/{app}/formation/{type}", func(a *App, c *call) (any, error) {
		var in update
		if err := c.read(&in); err != nil {
			return nil, err
		}
		in.Type = c.PathValue("type")
		if err := h.scale(a, []update{in}); err != nil {
			return nil, err
		}
		return a.showProcess(in.Type), nil
	})
	r.on(200, "GET /dyno-sizes", func(c *call) (any, error) { return showSizes(), nil })
	r.mine(200, "GET /apps/{app}/available-dyno-sizes", func(a *App, c *call) (any, error) { return showSizes(), nil })
}

func showSizes() any {
	l := list{by: "name", other: []string{"id"}}
	for _, s := range sizes {
		l.items = append(l.items, obj{
			"id": s.name, "name": s.name, "memory": s.memory, "compute": 1, "precise_dyno_units": 1, "dyno_units": 1, "architecture": "amd64", "private_space_only": false,
			"dedicated": strings.HasPrefix(s.name, "Performance"), "cost": obj{"cents": s.cents, "unit": "month"}, "generation": obj{"id": "cedar", "name": "cedar"},
		})
	}
	return l
}

// update is a wish for a process type. The CLI sends text for the quantity,
// also "+2"; others send a number.
type update struct {
	Type     string
	Quantity json.RawMessage
	Size     string
	DynoSize json.RawMessage `json:"dyno_size"`
}

func (u update) wants(p *process) (quantity int, size string, err error) {
	quantity, size = p.quantity, p.size
	if len(u.Quantity) > 0 {
		text := strings.Trim(string(u.Quantity), `"`)
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, "", invalid("Quantity %s is not a number.", text)
		}
		quantity = n
		if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
			quantity = p.quantity + n
		}
		if quantity < 0 || quantity > 100 {
			return 0, "", invalid("Cannot scale to %d processes. The quantity must be between 0 and 100.", quantity)
		}
	}
	wish := u.Size
	if len(u.DynoSize) > 0 {
		var s struct{ Name, ID string }
		if json.Unmarshal(u.DynoSize, &s) != nil {
			return 0, "", invalid("dyno_size is not an object.")
		}
		wish = s.Name + s.ID
	}
	if wish != "" {
		known, ok := canonical(wish)
		if !ok {
			return 0, "", invalid("No such size as %s.", wish)
		}
		size = known
	}
	return quantity, size, nil
}

// scale does all updates or none.
func (h *Heroku) scale(a *App, updates []update) error {
	next := map[string]process{}
	for kind, p := range a.formation {
		next[kind] = *p
	}
	for _, u := range updates {
		p, ok := next[u.Type]
		if !ok {
			return missing("formation", "process type ("+u.Type+")")
		}
		var err error
		if p.quantity, p.size, err = u.wants(&p); err != nil {
			return err
		}
		next[u.Type] = p
	}
	if err := mixed(next); err != nil {
		return err
	}
	changed := map[string]bool{}
	var said []string
	for _, kind := range slices.Sorted(maps.Keys(next)) {
		p := next[kind]
		changed[kind] = a.formation[kind].size != p.size
		*a.formation[kind] = p
		said = append(said, fmt.Sprintf("%s@%d:%s", kind, p.quantity, p.size))
	}
	a.log("app", "api", "Scaled to "+strings.Join(said, " ")+" by user "+owner)
	h.cycle(a, func(d *dyno) bool { return changed[d.kind] })
	return nil
}

// mixed refuses Eco and Basic next to other tiers.
func mixed(all map[string]process) error {
	tiers := map[string]bool{}
	for _, p := range all {
		if p.quantity > 0 {
			tier := "professional"
			if p.size == "Eco" || p.size == "Basic" {
				tier = p.size
			}
			tiers[tier] = true
		}
	}
	if len(tiers) > 1 {
		return invalid("Cannot mix different tiers of dynos.")
	}
	return nil
}

// cycle makes the dynos fit the formation and replaces those that stale names.
// The lock is held.
func (h *Heroku) cycle(a *App, stale func(*dyno) bool) {
	live := a.current()
	old := map[string]*dyno{}
	var kept []*dyno
	for _, d := range a.dynos {
		if d.session != nil {
			kept = append(kept, d)
			continue
		}
		old[d.name] = d
	}
	for _, kind := range slices.Sorted(maps.Keys(a.formation)) {
		p := a.formation[kind]
		for n := 1; n <= p.quantity; n++ {
			name := kind + "." + strconv.Itoa(n)
			if d := old[name]; d != nil && !stale(d) {
				kept = append(kept, d)
				continue
			}
			d := &dyno{id: h.id(), name: name, kind: kind, command: p.command, size: p.size, state: "starting", release: live, since: time.Now()}
			kept = append(kept, d)
			h.boot(a, d)
		}
	}
	a.dynos = kept
}

// boot brings a dyno up, or lets it crash when its command is one that fails.
func (h *Heroku) boot(a *App, d *dyno) {
	a.log("heroku", d.name, "Starting process with command `"+d.command+"`")
	h.later(Dynos, func() {
		if d.state != "starting" {
			return
		}
		d.state, d.since = "up", time.Now()
		if word, rest, _ := strings.Cut(d.command, " "); word == "false" || word == "exit" && rest != "0" {
			d.state = "crashed"
			a.log("heroku", d.name, "Process exited with status 1")
		}
		a.log("heroku", d.name, "State changed from starting to "+d.state)
	})
}

// Scale sets quantities as somebody else would.
func (h *Heroku) Scale(app string, quantities map[string]int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var updates []update
	for kind, n := range quantities {
		updates = append(updates, update{Type: kind, Quantity: json.RawMessage(strconv.Itoa(n))})
	}
	defer h.tell()
	return h.scale(h.apps[app], updates)
}
