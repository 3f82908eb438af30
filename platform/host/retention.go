package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"maitred/platform"
)

// makeRoom removes backups beyond those that are kept. It never fails what came
// before: a backup too many takes up disk space only.
func (p *Provider) makeRoom(ctx context.Context, r platform.Run, result *platform.Result) {
	var removed []string
	err := p.locked(ctx, func() error {
		list, err := p.backups()
		for _, b := range surplus(list, p.config.Database.Keep, r.Operation) {
			err = errors.Join(err, p.removeBackup(b))
			removed = append(removed, b.ID)
		}
		return err
	})
	if len(removed) > 0 {
		fmt.Fprintf(r.Log, "Removed to make room: %s.\n", strings.Join(removed, ", "))
	}
	if err != nil {
		result.Warnings = append(result.Warnings, "Old backups could not be removed. They take up disk space only.")
		fmt.Fprintf(r.Log, "old backups: %v\n", err)
	}
}

// removeBackup notes that b is gone before its file is, so that nobody chooses
// it meanwhile.
func (p *Provider) removeBackup(b stored) error {
	b.Removed = true
	if err := p.appendLine(p.inState("backups.jsonl"), b); err != nil {
		return err
	}
	return p.fail("host.backup", p.box.Remove(p.path("backups", b.File)))
}

// surplus are the backups, newest first, beyond keep that were asked for and
// keep that were made for safety. What an operation made stays while it is under
// way, and so does the newest that has proved itself in a restore.
func surplus(list []stored, keep int, operation int64) (gone []stored) {
	kept := map[bool]int{}
	proved := false
	for _, b := range list {
		safety := b.Why != ""
		kept[safety]++
		newest := b.Grade == "restored" && !proved
		proved = proved || newest
		if kept[safety] > keep && !newest && b.Operation != operation {
			gone = append(gone, b)
		}
	}
	return gone
}
