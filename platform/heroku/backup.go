package heroku

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"maitred/fault"
	"maitred/platform"
)

// captureArgs name the database.
type captureArgs struct {
	Database string `json:"database,omitempty"`
	Why      string `json:"why,omitempty"`
}

// restoreArgs name a backup, by its transfer, and where it goes.
type restoreArgs struct {
	Backup   string `json:"backup"` // b001
	Transfer string `json:"transfer"`
	Database string `json:"database,omitempty"`
}

// capturedData is what the undo of a capture knows.
type capturedData struct {
	Captured string `json:"captured"` // the id of the transfer
	Database string `json:"database,omitempty"`
}

// Backups implements platform.Archivist. Heroku tells no sum of what it stores,
// so a backup is "stored" until one of them was restored.
func (p *Provider) Backups(ctx context.Context, t platform.Target) ([]platform.Backup, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	list, err := p.transfers(ctx)
	if err != nil {
		return nil, err
	}
	notes, err := p.noted(ctx)
	if err != nil {
		return nil, err
	}
	var backups []platform.Backup
	for _, one := range list {
		if !one.isBackup() || !one.well() {
			continue
		}
		b := platform.Backup{ID: one.id(), Database: one.FromName, At: one.Created, Size: max(one.Processed, 1), Grade: "stored"}
		if m, ok := notes.Backups[one.UUID]; ok {
			b.By, b.Why, b.Release = m.By, m.Why, m.Release
			if m.Restored {
				b.Grade = "restored"
			}
		} else if one.Schedule != nil {
			b.Why = "by its schedule"
		}
		backups = append(backups, b)
	}
	return backups, nil
}

// PlanCapture implements platform.Archivist.
func (p *Provider) PlanCapture(ctx context.Context, t platform.Target, database string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	if _, err := p.database(ctx, database); err != nil {
		return platform.Plan{}, err
	}
	return platform.Plan{Steps: []platform.Step{{Name: "backup", Action: "capture", Args: raw(captureArgs{Database: database})}}}, nil
}

func (p *Provider) startCapture(ctx context.Context, r platform.Run) (platform.Handle, error) {
	var args captureArgs
	if err := readArgs(r, &args); err != nil {
		return "", err
	}
	return p.begin(ctx, r, args.Database, "backups", nil)
}

func (p *Provider) findCapture(ctx context.Context, r platform.Run) (platform.Handle, bool, error) {
	return p.begun(ctx, r, "backups", func(t transfer) bool { return t.isBackup() && t.Schedule == nil })
}

func (p *Provider) waitCapture(ctx context.Context, r platform.Run, h platform.Handle) (platform.Result, error) {
	var args captureArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	t, err := p.finish(ctx, r, h, "backup")
	if err != nil {
		return platform.Result{}, err
	}
	m := made{Operation: r.Operation, By: r.Requester, Why: args.Why}
	if live, err := p.history(ctx, 1); err == nil && live.live() != nil {
		m.Release = live.live().ID
	}
	err = p.keep(ctx, func(n *note) {
		if n.Backups == nil {
			n.Backups = map[string]made{}
		}
		n.Backups[t.UUID] = m
	})
	return platform.Result{
		Say: fmt.Sprintf("%s, %s", t.id(), size(t.Processed)), Backup: t.id(), Data: raw(capturedData{t.UUID, args.Database}),
	}, err
}

// PlanRestore implements platform.Archivist.
func (p *Provider) PlanRestore(ctx context.Context, t platform.Target, b platform.Backup, database string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	list, err := p.transfers(ctx)
	if err != nil {
		return platform.Plan{}, err
	}
	i := slices.IndexFunc(list, func(one transfer) bool { return one.isBackup() && one.id() == b.ID })
	if i < 0 {
		return platform.Plan{}, fault.New(fault.Missing, "heroku.restore", "/backup list "+t.App, "%s has no backup %s.", t, b.ID)
	}
	if !list[i].well() {
		return platform.Plan{}, fault.New(fault.Refused, "heroku.restore", "/backup list "+t.App, "The backup %s of %s was never finished.", b.ID, t)
	}
	if _, err := p.database(ctx, database); err != nil {
		return platform.Plan{}, err
	}
	into := database
	if into == "" {
		into = p.config.Database
	}
	return platform.Plan{
		Steps: []platform.Step{
			{Name: "safety backup", Action: "capture", Args: raw(captureArgs{Database: database, Why: "safety backup before " + b.ID + " was restored"})},
			{Name: "restore", Action: "restore", Args: raw(restoreArgs{b.ID, list[i].UUID, database}), Undo: "put-back", Always: true},
		},
		Warnings: []string{fmt.Sprintf("Everything in %s is erased and replaced by %s of %s; a safety backup keeps what is there now.",
			into, b.ID, list[i].Created.UTC().Format("2006-01-02 15:04 UTC"))},
	}, nil
}

func (p *Provider) startRestore(ctx context.Context, r platform.Run) (platform.Handle, error) {
	var args restoreArgs
	if err := readArgs(r, &args); err != nil {
		return "", err
	}
	return p.pour(ctx, r, args.Transfer, args.Database)
}

// pour starts the restore of a backup.
func (p *Provider) pour(ctx context.Context, r platform.Run, id, database string) (platform.Handle, error) {
	from, err := p.transfer(ctx, id, false)
	if err != nil {
		return "", err
	}
	return p.begin(ctx, r, database, "restores", map[string]string{"backup_url": from.ToURL})
}

func (p *Provider) findRestore(ctx context.Context, r platform.Run) (platform.Handle, bool, error) {
	var args restoreArgs
	if err := readArgs(r, &args); err != nil {
		return "", false, err
	}
	return p.poured(ctx, r, args.Transfer)
}

// poured looks for the restore of a backup.
func (p *Provider) poured(ctx context.Context, r platform.Run, id string) (platform.Handle, bool, error) {
	from, err := p.transfer(ctx, id, false)
	if err != nil {
		return "", false, err
	}
	return p.begun(ctx, r, "restores", func(t transfer) bool { return t.isRestore() && t.FromURL == from.ToURL })
}

func (p *Provider) waitRestore(ctx context.Context, r platform.Run, h platform.Handle) (platform.Result, error) {
	t, err := p.finish(ctx, r, h, "restore")
	if err != nil {
		return platform.Result{}, err
	}
	list, err := p.transfers(ctx)
	if err != nil {
		return platform.Result{}, err
	}
	i := slices.IndexFunc(list, func(one transfer) bool { return one.isBackup() && one.ToURL == t.FromURL })
	if i < 0 {
		return platform.Result{Say: size(t.Processed) + " restored"}, nil
	}
	err = p.keep(ctx, func(n *note) {
		if m, ok := n.Backups[list[i].UUID]; ok {
			m.Restored = true
			n.Backups[list[i].UUID] = m
		}
	})
	return platform.Result{Say: fmt.Sprintf("%s restored, %s", list[i].id(), size(t.Processed))}, err
}

// UndoCapture implements platform.Archivist.
func (p *Provider) UndoCapture() string { return "put-back" }

// captured is the backup that this operation made before it changed anything.
func captured(r platform.Run) (capturedData, error) {
	var d capturedData
	if json.Unmarshal(r.Results[r.Step.Name], &d) == nil && d.Captured != "" {
		return d, nil
	}
	for _, data := range r.Results {
		if json.Unmarshal(data, &d) == nil && d.Captured != "" {
			return d, nil
		}
	}
	return d, fault.New(fault.Missing, "heroku.put-back", "/backup list "+r.Target.App, "#%d made no backup that could be put back.", r.Operation)
}

// undoing gives the undo of a step notes of its own.
func undoing(r platform.Run) platform.Run {
	r.Key += "/undo"
	return r
}

func (p *Provider) startPutBack(ctx context.Context, r platform.Run) (platform.Handle, error) {
	d, err := captured(r)
	if err != nil {
		return "", err
	}
	if err := p.halt(ctx, r); err != nil {
		return "", err
	}
	return p.pour(ctx, undoing(r), d.Captured, d.Database)
}

// halt ends the restore that is to be undone, should it still go on.
func (p *Provider) halt(ctx context.Context, r platform.Run) error {
	h, ok, err := p.begun(ctx, r, "restores", transfer.isRestore)
	if err != nil || !ok {
		return err
	}
	t, err := p.transfer(ctx, string(h), false)
	if err != nil || t.ended() {
		return err
	}
	return p.cancel(ctx, h)
}

func (p *Provider) findPutBack(ctx context.Context, r platform.Run) (platform.Handle, bool, error) {
	d, err := captured(r)
	if err != nil {
		return "", false, err
	}
	return p.poured(ctx, undoing(r), d.Captured)
}
