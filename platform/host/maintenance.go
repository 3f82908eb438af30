package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"maitred/platform"
)

// maintenanceArgs switch the page.
type maintenanceArgs struct {
	On  bool   `json:"on"`
	Why string `json:"why,omitempty"`
}

// PlanMaintenance implements platform.Maintainer.
func (p *Provider) PlanMaintenance(_ context.Context, t platform.Target, on bool, why string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	name := "maintenance off"
	if on {
		name = "maintenance on"
	}
	return platform.Plan{Steps: []platform.Step{{
		Name: name, Action: "maintenance", Args: raw(maintenanceArgs{On: on, Why: why}), Undo: "unmaintenance", Always: true,
	}}}, nil
}

func (p *Provider) flag() string { return p.path("shared", "maintenance.on") }

// Maintenance implements platform.Maintainer. It reads the flag file each time,
// so that one set by hand is seen as well.
func (p *Provider) Maintenance(_ context.Context, t platform.Target) (platform.Maintenance, error) {
	if err := p.mine(t); err != nil {
		return platform.Maintenance{}, err
	}
	data, err := p.box.Read(p.flag())
	if errors.Is(err, fs.ErrNotExist) {
		return platform.Maintenance{}, nil
	}
	if err != nil {
		return platform.Maintenance{}, p.fail("host.maintenance", err)
	}
	var m platform.Maintenance
	if json.Unmarshal(data, &m) != nil || m.Since.IsZero() { // maitred always writes since when
		m = platform.Maintenance{Why: "the flag file was made by hand"}
		if text := oneLine(string(data), 200); text != "" {
			m.Why += ": " + text
		}
	}
	m.On = true
	return m, nil
}

func (p *Provider) setMaintenance(m platform.Maintenance) error {
	if err := p.ready(); err != nil {
		return err
	}
	if !m.On {
		return p.fail("host.maintenance", p.box.Remove(p.flag()))
	}
	return p.fail("host.maintenance", p.box.Put(p.flag(), raw(m), 0o640))
}

func (p *Provider) maintain(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args maintenanceArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	was, err := p.Maintenance(ctx, r.Target)
	if err != nil {
		return platform.Result{}, err
	}
	if err := p.remember(noteOf(r, fmt.Sprintf("maintenance-%t", args.On)), &was); err != nil {
		return platform.Result{}, err
	}
	say := "visitors see the app"
	now := platform.Maintenance{}
	if args.On {
		say = "visitors see the maintenance page"
		now = platform.Maintenance{On: true, By: r.Requester, Why: args.Why, Since: time.Now().UTC()}
		if was.On {
			now.Since = was.Since
		}
	}
	return platform.Result{Say: say}, p.setMaintenance(now)
}

func (p *Provider) unmaintain(_ context.Context, r platform.Run) (platform.Result, error) {
	var args maintenanceArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	var was platform.Maintenance
	found, err := p.recall(noteOf(r, fmt.Sprintf("maintenance-%t", args.On)), &was)
	if err != nil || !found {
		return platform.Result{Say: "nothing had changed"}, err
	}
	return platform.Result{Say: "as before"}, p.setMaintenance(was)
}
