package herokutest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// State is everything about an app and its data, by name, without ids, times and
// passwords: two people who did the same leave the same State.
type State map[string]string

// Changes are the differences between two states, in words and in order.
func Changes(before, after State) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if was, ok := before[name]; !ok {
			all = append(all, name+": "+after[name])
		} else if was != after[name] {
			all = append(all, name+": "+was+" -> "+after[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[name]; !ok {
			all = append(all, name+": gone")
		}
	}
	return all
}

// State is the state of an app; of one that does not exist it is empty.
func (h *Heroku) State(app string) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.apps[app]
	if a == nil {
		return State{}
	}
	s := State{"app": a.Stack, "maintenance": fmt.Sprint(a.maintenance), "acm": fmt.Sprint(a.acm), "collaborators": strings.Join(a.collaborators, " ")}
	if a.next != nil {
		s["next stack"] = a.next[0]
	}
	h.stateOfReleases(a, s)
	for name, value := range a.config {
		if l := h.supplied(a, name); l != nil {
			value = "of " + l.addon.Name
		}
		s["config "+name] = value
	}
	for kind, p := range a.formation {
		s["formation "+kind] = fmt.Sprintf("%d of %s", p.quantity, p.size)
	}
	for _, d := range a.dynos {
		if d.session == nil { // how often something was run is told below
			s["dyno "+d.name] = d.command
		}
	}
	for _, kind := range []string{"run", "restart", "rotation", "maintenance"} {
		if n := h.effects[kind+" "+a.Name]; n > 0 {
			s["times "+kind] = fmt.Sprint(n)
		}
	}
	for _, d := range a.domains {
		s["domain "+d.name] = strings.TrimSpace("there " + d.acm)
	}
	for _, d := range a.drains {
		s["drain "+d.url] = "there"
	}
	for i, url := range a.packs {
		s[fmt.Sprintf("buildpack %d", i)] = url
	}
	for name, on := range a.features {
		s["feature "+name] = fmt.Sprint(on)
	}
	for _, p := range h.pipes {
		for _, k := range p.couplings {
			if k.app == a {
				s["pipeline "+p.name] = k.stage
			}
		}
	}
	h.stateOfAddons(a, s)
	return s
}

func (h *Heroku) stateOfReleases(a *App, s State) {
	for _, r := range a.releases {
		s[fmt.Sprintf("release v%d", r.version)] = r.description + ", " + r.status
		if r.current {
			s["current"] = fmt.Sprintf("v%d", r.version)
			if r.slug != nil {
				s["current"] += " of " + r.slug.commit
			}
		}
	}
	for i, b := range a.builds {
		s[fmt.Sprintf("build %d", i+1)] = b.version + ", " + b.status
	}
}

func (h *Heroku) stateOfAddons(a *App, s State) {
	for _, l := range h.links {
		if l.app == a {
			s["attachment "+l.name] = l.addon.Name
		}
	}
	for _, d := range h.addons {
		if d.app != a {
			continue
		}
		s["addon "+d.Name] = d.Service + ":" + d.Plan + ", " + d.State
		if b := d.db; b != nil {
			s["database "+d.Name] = b.content
			s["window "+d.Name] = windowText(b)
			s["upkeep "+d.Name] = b.upkeep.status
			s["version "+d.Name] = b.version + " " + b.upgrade
			s["connections "+d.Name] = fmt.Sprint(b.connections)
			for _, c := range b.schedules {
				s["schedule "+c.name] = fmt.Sprintf("%02d:00 %s", c.hour, c.zone)
			}
			for _, c := range b.credentials {
				s["credential "+c.name] = d.Name
			}
		}
	}
	for _, t := range a.transfers {
		end := "running"
		switch {
		case t.deleted:
			end = "deleted"
		case t.cancel != nil:
			end = "cancelled"
		case t.ok:
			end = "succeeded"
		case t.finished != nil:
			end = "failed"
		}
		s[fmt.Sprintf("transfer %d", t.num)] = t.fromName + " to " + t.toName + ", " + end
	}
}
