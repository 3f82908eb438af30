package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// stored is one line of the ledger of backups. The last line of an id counts.
type stored struct {
	platform.Backup
	File      string   `json:"file"` // below backups
	Operation int64    `json:"operation"`
	Key       string   `json:"key"` // of the step that made it
	Contents  contents `json:"contents"`
	Removed   bool     `json:"removed,omitempty"` // to make room for newer ones
}

// backups are those that there are, newest first.
func (p *Provider) backups() ([]stored, error) {
	list, err := p.everStored()
	return slices.DeleteFunc(list, func(b stored) bool { return b.Removed }), err
}

// everStored are all backups that there were, newest first.
func (p *Provider) everStored() ([]stored, error) {
	lines, err := readLines[stored](p, p.inState("backups.jsonl"))
	if err != nil {
		return nil, err
	}
	var list []stored
	for _, line := range lines {
		if i := slices.IndexFunc(list, func(b stored) bool { return b.ID == line.ID }); i >= 0 {
			list[i] = line
		} else {
			list = append(list, line)
		}
	}
	slices.SortStableFunc(list, func(a, b stored) int { return number(b.ID) - number(a.ID) })
	return list, nil
}

// Backups implements platform.Archivist.
func (p *Provider) Backups(_ context.Context, t platform.Target) ([]platform.Backup, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	list, err := p.backups()
	if err != nil {
		return nil, err
	}
	backups := make([]platform.Backup, 0, len(list))
	for _, b := range list {
		backups = append(backups, b.Backup)
	}
	return backups, nil
}

func (p *Provider) backup(id string) (stored, error) {
	list, err := p.backups()
	if err != nil {
		return stored{}, err
	}
	for _, b := range list {
		if b.ID == id {
			return b, nil
		}
	}
	return stored{}, fault.New(fault.Missing, "host.backup", "/backup list "+p.target.App, "%s has no backup %s.", p.target, fault.Quote(id))
}

// databaseName is how the one database of an app is called.
func (p *Provider) databaseName() string {
	base := filepath.Base(p.config.Database.Path)
	return base[:len(base)-len(filepath.Ext(base))]
}

func (p *Provider) checkDatabase(database, what string) error {
	if err := p.noDatabase(what); err != nil {
		return err
	}
	if database != "" && database != p.databaseName() {
		return fault.New(fault.Missing, "host.database", "", "%s has no database %s; it has %s.", p.target, fault.Quote(database), p.databaseName())
	}
	return nil
}

// PlanCapture implements platform.Archivist.
func (p *Provider) PlanCapture(_ context.Context, t platform.Target, database string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	if err := p.checkDatabase(database, "back up"); err != nil {
		return platform.Plan{}, err
	}
	if _, _, err := p.box.Tail(p.databaseFile(), 0, 0); missing(err) {
		return platform.Plan{}, fault.New(fault.Missing, "host.capture", "/deploy "+t.App, "%s has no database yet: its first deploy makes one.", t)
	}
	return platform.Plan{Steps: []platform.Step{{Name: "capture", Action: "capture"}}}, nil
}

func (p *Provider) capture(ctx context.Context, r platform.Run) (platform.Result, error) {
	b, err := p.take(ctx, r, r.Key, "")
	if err != nil {
		return platform.Result{}, err
	}
	result := platform.Result{Say: fmt.Sprintf("%s, %s, %s", b.ID, size(b.Size), b.Contents), Backup: b.ID}
	p.makeRoom(ctx, r, &result)
	return result, nil
}

// take makes a backup for the step called key, the same one each time: copied,
// read back whole, summed, and only then given its name.
func (p *Provider) take(ctx context.Context, r platform.Run, key, why string) (stored, error) {
	list, err := p.backups()
	if err != nil {
		return stored{}, err
	}
	if i := slices.IndexFunc(list, func(b stored) bool { return b.Operation == r.Operation && b.Key == key }); i >= 0 {
		return list[i], nil
	}
	if err := p.roomForCopy(p.databaseFile()); err != nil {
		return stored{}, err
	}
	named := time.Now().UTC() // the file that a crash kept out of the ledger is replaced, not left
	if err := p.remember(noteOf(r, fileName(key)+"-named"), &named); err != nil {
		return stored{}, err
	}
	part := p.path("backups", fmt.Sprintf(".%s.part", fileName(key)))
	for _, old := range []string{part, part + "-wal", part + "-shm", part + "-journal"} {
		if err := p.box.Remove(old); err != nil {
			return stored{}, p.fail("host.capture", err)
		}
	}
	b := stored{Operation: r.Operation, Key: key, Backup: platform.Backup{
		Database: p.databaseName(), At: time.Now().UTC(), By: r.Requester, Grade: "readable", Why: why,
	}}
	if live, err := p.live(); err != nil {
		return stored{}, err
	} else if live != nil {
		b.Release = live.ID
	}
	if err := copySQLite(ctx, p.databaseFile(), part); err != nil {
		return stored{}, p.copyFailed(ctx, part, err)
	}
	if b.Contents, err = readSQLite(ctx, part); err != nil {
		return stored{}, p.copyFailed(ctx, part, err)
	}
	if b.SHA256, b.Size, err = sumFile(part); err != nil {
		return stored{}, p.copyFailed(ctx, part, err)
	}
	return b, p.enter(ctx, &b, part, named)
}

// enter gives the copy in part its id and name, and notes it.
func (p *Provider) enter(ctx context.Context, b *stored, part string, named time.Time) error {
	return p.locked(ctx, func() error {
		list, err := p.everStored()
		if err != nil {
			return err
		}
		last := 0
		for _, other := range list {
			last = max(last, number(other.ID))
		}
		b.ID = fmt.Sprintf("b%d", last+1)
		b.File = fmt.Sprintf("%s-%s.sqlite", b.ID, named.Format("20060102T150405Z"))
		if err := p.box.Rename(part, p.path("backups", b.File)); err != nil {
			return p.fail("host.capture", err)
		}
		return p.appendLine(p.inState("backups.jsonl"), b)
	})
}

func (p *Provider) copyFailed(ctx context.Context, part string, err error) error {
	err = errors.Join(err, p.box.Remove(part))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f := p.fail("host.capture", err); fault.Of(f).Kind != fault.Internal {
		return f
	}
	return &fault.Error{Kind: fault.Refused, Op: "host.capture", Err: err,
		Say:  fmt.Sprintf("The database of %s could not be copied and read back, so there is no backup of it.", p.target),
		Hint: "Look at the database on the machine, and at the room on its disk."}
}

// roomForCopy refuses a copy of file, a database, that would fill the disk.
func (p *Provider) roomForCopy(file string) error {
	if err := p.ready(); err != nil {
		return err
	}
	_, database, err := p.box.Tail(file, 0, 0)
	if missing(err) {
		return fault.New(fault.Missing, "host.capture", "/deploy "+p.target.App, "%s has no database yet: its first deploy makes one.", p.target)
	}
	if err != nil {
		return p.fail("host.capture", err)
	}
	free, err := p.box.Free(p.config.Dir)
	if err != nil {
		return p.fail("host.capture", err)
	}
	if need := database + database/10 + 16<<20; free < need {
		return fault.New(fault.Refused, "host.capture", fmt.Sprintf("Free some space below %s and try again.", p.config.Dir),
			"The disk of %s has %s free; a copy of the database needs %s.", p.target, size(free), size(need))
	}
	return nil
}

// PlanRestore implements platform.Archivist. Between hold and start the front
// lets visitors wait, so that the safety backup holds every write that was
// acknowledged.
func (p *Provider) PlanRestore(_ context.Context, t platform.Target, b platform.Backup, database string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	if err := p.checkDatabase(database, "restore"); err != nil {
		return platform.Plan{}, err
	}
	known, err := p.backup(b.ID)
	if err != nil {
		return platform.Plan{}, err
	}
	if known.Grade == damagedGrade {
		return platform.Plan{}, fault.New(fault.Refused, "host.restore", "/backup list "+t.App, "%s is the copy of a damaged database, kept for a look.", known.ID)
	}
	in := raw(restoreArgs{Backup: known.ID})
	steps := []platform.Step{
		{Name: "check", Action: "rehearse", Args: in, Undo: "unrehearse", Always: true},
		{Name: "hold", Action: "hold", Args: in, Undo: "resume", Always: true},
		{Name: "safety backup", Action: "safety", Args: in},
		{Name: "swap", Action: "swap", Args: in, Undo: "unswap", Always: true},
	}
	if live, err := p.live(); err != nil {
		return platform.Plan{}, err
	} else if p.config.Migrate != "" && live != nil {
		steps = append(steps, platform.Step{Name: "migrate", Action: "migrate", Args: raw(launchArgs{Live: true})})
	}
	steps = append(steps,
		platform.Step{Name: "start", Action: "resume", Args: in, Undo: "hold", Always: true},
		platform.Step{Name: "finish", Action: "restored", Args: in},
	)
	return platform.Plan{Steps: steps, Warnings: []string{
		fmt.Sprintf("What was written after %s was taken (%s) leaves the live database; a safety backup keeps it.", known.ID, known.At.Format("2006-01-02 15:04 UTC")),
		"Visitors wait for a few seconds while the app starts again on the restored database.",
	}}, nil
}

// UndoCapture implements platform.Archivist.
func (p *Provider) UndoCapture() string { return "put-back" }
