package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// The two slots. One serves; the other is where the next release is tried.
var slots = []string{"blue", "green"}

func other(slot string) string {
	if slot == "blue" {
		return "green"
	}
	return "blue"
}

func (p *Provider) socket(slot string) string { return p.path("run", slot+".sock") }

// tenant is what was started in a slot last.
type tenant struct {
	Slot    string    `json:"slot"`
	Release string    `json:"release"`
	Key     string    `json:"key"` // of the step that started it
	Job     string    `json:"job"` // directory, below .maitred/slots
	Command string    `json:"command"`
	Started time.Time `json:"started"`
	Leaving bool      `json:"leaving,omitempty"` // it was told to stop: alive perhaps, but nobody may rely on it
}

func (p *Provider) tenant(slot string) (tenant, bool) {
	var t tenant
	data, err := p.box.Read(p.inState("slots", slot+".json"))
	return t, err == nil && json.Unmarshal(data, &t) == nil
}

func (p *Provider) setTenant(t tenant) error {
	return p.fail("host.slot", p.box.Put(p.inState("slots", t.Slot+".json"), raw(t), 0o640))
}

func (p *Provider) job(t tenant) job {
	return job{box: p.box, dir: p.inState("slots", t.Job), log: p.path("shared", "log", t.Slot+".log")}
}

// runs reports that slot runs release id, and was not told to stop; an empty id
// is any.
func (p *Provider) runs(slot, id string) bool {
	t, ok := p.tenant(slot)
	return ok && slot != "" && !t.Leaving && (id == "" || t.Release == id) && p.job(t).alive()
}

// active is the slot that the front asks, "" before the first deploy.
func (p *Provider) active() (string, error) {
	to, err := p.box.Readlink(p.path("run", "active.sock"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", p.fail("host.active", err)
	}
	return strings.TrimSuffix(filepath.Base(to), ".sock"), nil
}

// turn makes the front ask slot, in one move; "" makes it ask nobody.
func (p *Provider) turn(slot string, e entry) error {
	if slot == "" {
		return p.fail("host.switch", p.box.Remove(p.path("run", "active.sock")))
	}
	if err := p.box.Link(filepath.Join("releases", e.Dir), p.path("current")); err != nil {
		return p.fail("host.switch", err)
	}
	return p.fail("host.switch", p.box.Link(slot+".sock", p.path("run", "active.sock")))
}

// launch starts e in slot for the step called key. What that step started
// before is left running; anything else in the slot is stopped.
func (p *Provider) launch(ctx context.Context, slot, key string, e entry) error {
	return p.launchWhile(ctx, slot, key, e, func() bool { return true })
}

// launchWhile is launch for somebody beside whom operations go on: wanted is
// asked in the moment in which nobody else starts anything.
func (p *Provider) launchWhile(ctx context.Context, slot, key string, e entry, wanted func() bool) error {
	command, err := p.command(e)
	if err != nil {
		return err
	}
	return p.locked(ctx, func() error {
		if !wanted() {
			return errUnwanted
		}
		next := tenant{Slot: slot, Release: e.ID, Key: key, Job: slot + "-" + fileName(key), Command: command, Started: time.Now().UTC()}
		if was, ok := p.tenant(slot); ok {
			if was.Key == key && was.Release == e.ID && p.runs(slot, e.ID) {
				return nil
			}
			if err := p.job(was).stop(ctx, p.config.Stop); err != nil {
				return p.fail("host.start", err)
			}
			if err := p.box.Remove(p.job(was).dir); err != nil {
				return p.fail("host.start", err)
			}
		}
		if err := p.box.Remove(p.socket(slot)); err != nil {
			return p.fail("host.start", err)
		}
		if err := p.box.Link(filepath.Join("releases", e.Dir), p.path(slot)); err != nil {
			return p.fail("host.start", err)
		}
		if err := p.setTenant(next); err != nil {
			return err
		}
		env, err := p.environment(e, slot)
		if err != nil {
			return err
		}
		j := p.job(next)
		header := fmt.Sprintf("%s %s %s starts in %s", next.Started.Format(time.RFC3339), e.ID, e.Version, slot)
		if err := p.box.Append(j.log, []byte(header), 0o640); err != nil {
			return p.fail("host.start", err)
		}
		return p.fail("host.start", j.start(ctx, p.path("releases", e.Dir), env, shell(command)))
	})
}

// command is what the Procfile of e says of web.
func (p *Provider) command(e entry) (string, error) {
	data, err := p.box.Read(p.path("releases", e.Dir, "Procfile"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", p.fail("host.start", err)
	}
	command := parseProcfile(data)["web"]
	if command == "" {
		return "", fault.New(fault.Invalid, "host.start", "Add a Procfile with a line such as “web: ./server”.", "The Procfile of %s names no web process.", e.Version)
	}
	return command, nil
}

// halt stops what runs in slot once the front has no request there any more,
// or the time to drain is over.
func (p *Provider) halt(ctx context.Context, slot string) error {
	t, ok := p.tenant(slot)
	if !ok || !p.job(t).alive() {
		return nil
	}
	p.drained(ctx, slot)
	if err := ctx.Err(); err != nil {
		return err // it serves on
	}
	// Noted before it is told: whoever goes back to it after a cancel or a crash
	// must know that it is on its way out.
	t.Leaving = true
	if err := p.setTenant(t); err != nil {
		return err
	}
	if err := p.job(t).stop(ctx, p.config.Stop); err != nil {
		return p.fail("host.stop", err)
	}
	return p.fail("host.stop", p.box.Remove(p.socket(slot)))
}

// processes is what Status tells of the slots.
func (p *Provider) processes() []platform.Process {
	active, _ := p.active()
	var list []platform.Process
	for _, slot := range slots {
		t, ok := p.tenant(slot)
		if !ok {
			continue
		}
		j := p.job(t)
		if slot != active && !j.alive() {
			continue // the release before, which nobody expects to run
		}
		process := platform.Process{Name: "web." + slot, Type: "web", Since: t.Started, Release: t.Release, Command: t.Command}
		switch alive := j.alive(); {
		case alive && t.Leaving:
			process.State = "stopping"
		case alive && slot == active:
			process.State = "up"
		case alive:
			process.State = "starting"
		case slot == active && !t.Leaving && !p.stopped():
			process.State = "crashed"
		default:
			process.State = "stopped"
		}
		if id, ok := j.ident(); ok && process.State != "stopped" && process.State != "crashed" {
			process.PID = id.pid
		}
		list = append(list, process)
	}
	return list
}
