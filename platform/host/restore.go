package host

import (
	"context"
	"fmt"
	"slices"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// restoreArgs name the backup to restore.
type restoreArgs struct {
	Backup string `json:"backup"`
}

// scratch is where the database to come lies until it is swapped in: beside the
// one that it replaces, so that a rename does it.
func (p *Provider) scratch(r platform.Run) string {
	return fmt.Sprintf("%s.restore-%d", p.databaseFile(), r.Operation)
}

// rehearse restores the backup into a scratch copy and reads it whole.
func (p *Provider) rehearse(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args restoreArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	b, err := p.backup(args.Backup)
	if err != nil {
		return platform.Result{}, err
	}
	if err := p.stage(ctx, b, p.scratch(r)); err != nil {
		return platform.Result{}, err
	}
	staged := true
	return platform.Result{Say: b.ID + " is whole: " + b.Contents.String()}, p.remember(noteOf(r, "staged"), &staged)
}

// stage copies a backup to file and makes sure that it is what was stored.
func (p *Provider) stage(ctx context.Context, b stored, file string) error {
	broken := func(why string, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &fault.Error{Kind: fault.Refused, Op: "host.restore", Err: err,
			Say:  fmt.Sprintf("The backup %s cannot be used: %s.", b.ID, why),
			Hint: "/backup list " + p.target.App}
	}
	kept := p.path("backups", b.File)
	if err := p.roomForCopy(kept); err != nil && !fault.Is(err, fault.Missing) {
		return err
	}
	err := copyFile(ctx, kept, file)
	if missing(err) {
		return broken("its file is gone", err)
	}
	if err != nil {
		return p.fail("host.restore", err)
	}
	sum, _, err := sumFile(file)
	if err != nil {
		return p.fail("host.restore", err)
	}
	if sum != b.SHA256 {
		return broken("its file has changed since it was stored", fmt.Errorf("SHA-256 %s", sum))
	}
	if _, err := readSQLite(ctx, file); err != nil && b.Grade != damagedGrade {
		return broken("its file is damaged", err)
	}
	return nil
}

func (p *Provider) unrehearse(_ context.Context, r platform.Run) (platform.Result, error) {
	for _, end := range []string{"", ".part", "-back", "-back.part"} {
		file := p.scratch(r) + end
		if err := p.box.Remove(file); err != nil {
			return platform.Result{}, p.fail("host.restore", err)
		}
	}
	return platform.Result{Say: "the scratch copy is removed"}, nil
}

// holdLimit is how long visitors wait at most should maitred die meanwhile.
const holdLimit = 2 * time.Minute

// hold lets visitors wait and stops the app once their requests have ended, so
// that nobody has the database open and nothing acknowledged is missing in it.
func (p *Provider) hold(ctx context.Context, r platform.Run) (platform.Result, error) {
	if _, err := p.ranBefore(r); err != nil {
		return platform.Result{}, err
	}
	if err := p.holdRequests(p.config.Drain + p.config.Stop + holdLimit); err != nil {
		return platform.Result{}, err
	}
	for _, slot := range slots {
		if err := p.halt(ctx, slot); err != nil {
			return platform.Result{}, err
		}
	}
	return platform.Result{Say: "visitors wait"}, nil
}

// resume starts the app again, if it ran, and lets visitors in.
func (p *Provider) resume(ctx context.Context, r platform.Run) (platform.Result, error) {
	var was ran
	found, err := p.recall(noteOf(r, "ran"), &was)
	if err != nil || !found {
		return platform.Result{Say: "visitors did not wait"}, err
	}
	say := "the app stays stopped"
	if live, err := p.live(); err != nil {
		return platform.Result{}, err
	} else if was.Running && live != nil {
		if err := p.revive(ctx, noteOf(r, "resume"), *live); err != nil {
			return platform.Result{}, err
		}
		say = live.Version + " answers"
	}
	return platform.Result{Say: say}, p.holdRequests(0)
}

// safety keeps what the restore is about to replace.
func (p *Provider) safety(ctx context.Context, r platform.Run) (platform.Result, error) {
	b, err := p.safe(ctx, r, fmt.Sprintf("safety backup before #%d", r.Operation))
	if fault.Is(err, fault.Missing) {
		return platform.Result{Say: "there was no database to keep"}, nil
	}
	if err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: fmt.Sprintf("%s, %s", b.ID, b.Contents), Backup: b.ID}, nil
}

func (p *Provider) safe(ctx context.Context, r platform.Run, why string) (stored, error) {
	b, err := p.take(ctx, r, noteOf(r, "safety"), why)
	if err != nil && !fault.Is(err, fault.Missing) && damaged(ctx, p.databaseFile()) {
		return p.takeDamaged(ctx, r)
	}
	return b, err
}

// takeDamaged keeps a database that cannot be read as it lies there: what is
// wrong with it is why somebody restores, and no reason not to.
func (p *Provider) takeDamaged(ctx context.Context, r platform.Run) (b stored, err error) {
	part := p.path("backups", fmt.Sprintf(".%s.part", noteOf(r, "safety")))
	b = stored{Operation: r.Operation, Key: noteOf(r, "safety"), Backup: platform.Backup{
		Database: p.databaseName(), At: time.Now().UTC(), By: r.Requester, Grade: damagedGrade,
		Why: fmt.Sprintf("the damaged database before #%d, as it was", r.Operation),
	}}
	if err := copyFile(ctx, p.databaseFile(), part); err != nil {
		return b, p.fail("host.safety", err)
	}
	if b.SHA256, b.Size, err = sumFile(part); err != nil {
		return b, p.fail("host.safety", err)
	}
	return b, p.enter(ctx, &b, part, b.At)
}

const damagedGrade = "damaged"

// safetyOf is the safety backup that r's operation made.
func (p *Provider) safetyOf(r platform.Run) (stored, bool, error) {
	list, err := p.backups()
	if err != nil {
		return stored{}, false, err
	}
	i := slices.IndexFunc(list, func(b stored) bool { return b.Operation == r.Operation && b.Key == noteOf(r, "safety") })
	if i < 0 {
		return stored{}, false, nil
	}
	return list[i], true, nil
}

// swap halts once more what hold has halted: whatever was started since would
// write on into the file that is replaced.
func (p *Provider) swap(ctx context.Context, r platform.Run) (platform.Result, error) {
	for _, slot := range slots {
		if err := p.halt(ctx, slot); err != nil {
			return platform.Result{}, err
		}
	}
	if err := p.exchange(ctx, p.scratch(r)); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: "the database is the backup's"}, nil
}

// exchange makes file the database, with the app stopped. When file is gone, it
// is the database already.
func (p *Provider) exchange(ctx context.Context, file string) error {
	if _, _, err := p.box.Tail(file, 0, 0); missing(err) {
		return p.clearLog()
	} else if err != nil {
		return p.fail("host.swap", err)
	}
	if _, _, err := p.box.Tail(p.databaseFile(), 0, 0); err == nil {
		if err := settleSQLite(ctx, p.databaseFile()); err != nil && !corrupt(err) {
			return p.fail("host.swap", err)
		}
	}
	if err := p.box.Rename(file, p.databaseFile()); err != nil {
		return p.fail("host.swap", err)
	}
	return p.clearLog()
}

// clearLog removes the logs of a database that was replaced. They are empty,
// because exchange settled them, or belong to one that was damaged.
func (p *Provider) clearLog() error {
	for _, end := range []string{"-wal", "-shm", "-journal"} {
		if err := p.box.Remove(p.databaseFile() + end); err != nil {
			return p.fail("host.swap", err)
		}
	}
	return nil
}

// unswap puts the safety backup back.
func (p *Provider) unswap(ctx context.Context, r platform.Run) (platform.Result, error) {
	var staged bool
	if found, err := p.recall(noteOf(r, "staged"), &staged); err != nil || !found {
		return platform.Result{Say: "nothing was swapped"}, err
	}
	if _, _, err := p.box.Tail(p.scratch(r), 0, 0); err == nil {
		return platform.Result{Say: "nothing was swapped"}, nil
	}
	b, ok, err := p.safetyOf(r)
	if err != nil || !ok {
		return platform.Result{Say: "there was no database before"}, err
	}
	// Visitors may have been let in since: what they wrote is kept aside.
	why := fmt.Sprintf("safety backup before the restore #%d was taken back", r.Operation)
	if _, err := p.take(ctx, r, noteOf(r, "unswap"), why); err != nil && ctx.Err() != nil {
		return platform.Result{}, err
	} else if err != nil {
		fmt.Fprintf(r.Log, "What is replaced could not be kept: %v\n", err)
	}
	back := p.scratch(r) + "-back"
	if err := p.stage(ctx, b, back); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: b.ID + " is put back"}, p.exchange(ctx, back)
}

// restored notes that the backup has proved itself.
func (p *Provider) restored(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args restoreArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	result := platform.Result{Say: args.Backup + " is graded restored"}
	err := p.locked(ctx, func() error {
		b, err := p.backup(args.Backup)
		if err != nil || b.Grade == "restored" {
			return err
		}
		b.Grade = "restored"
		return p.appendLine(p.inState("backups.jsonl"), b)
	})
	if err == nil {
		p.makeRoom(ctx, r, &result)
	}
	return result, err
}

// putBack is the undo of a capture: the backup that this operation made becomes
// the database again, with a safety backup of what it replaces.
func (p *Provider) putBack(ctx context.Context, r platform.Run) (platform.Result, error) {
	list, err := p.backups()
	if err != nil {
		return platform.Result{}, err
	}
	i := slices.IndexFunc(list, func(b stored) bool { return b.Operation == r.Operation && b.Key != noteOf(r, "safety") })
	if i < 0 {
		return platform.Result{Say: "there was no backup to put back"}, nil
	}
	b := list[i]
	back := p.scratch(r) + "-back"
	var done bool
	if found, err := p.recall(noteOf(r, "put-back"), &done); err != nil {
		return platform.Result{}, err
	} else if !found {
		if err := p.stage(ctx, b, back); err != nil {
			return platform.Result{}, err
		}
		if _, err := p.hold(ctx, r); err != nil {
			return platform.Result{}, err
		}
		if _, err := p.safe(ctx, r, fmt.Sprintf("safety backup before %s was put back by #%d", b.ID, r.Operation)); err != nil && !fault.Is(err, fault.Missing) {
			return platform.Result{}, err
		}
		if err := p.exchange(ctx, back); err != nil {
			return platform.Result{}, err
		}
		done = true
		if err := p.remember(noteOf(r, "put-back"), &done); err != nil {
			return platform.Result{}, err
		}
	}
	if _, err := p.resume(ctx, r); err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: b.ID + " is put back"}, nil
}
