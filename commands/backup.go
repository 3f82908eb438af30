package commands

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

// Backup is /backup capture|list|info|cancel|restore|schedule|unschedule|schedules.
type Backup struct {
	Capture    BackupCapture    `cmd:"" role:"developer" example:"/backup capture ocpizza" help:"Make a copy of the database now."`
	List       BackupList       `cmd:"" role:"viewer" example:"/backup list ocpizza" help:"The copies there are, newest first."`
	Info       BackupInfo       `cmd:"" role:"viewer" example:"/backup info ocpizza b3" help:"Everything that is known about one copy."`
	Cancel     BackupCancel     `cmd:"" role:"developer" example:"/backup cancel ocpizza" help:"Stop the capture that runs."`
	Restore    BackupRestore    `cmd:"" role:"lead" example:"/backup restore ocpizza b3 main" help:"Put a copy back in place of the database. What is there now is saved first."`
	Schedule   BackupSchedule   `cmd:"" role:"developer" example:"/backup schedule ocpizza at 02:00 Europe/Paris" help:"Capture regularly."`
	Unschedule BackupUnschedule `cmd:"" role:"developer" example:"/backup unschedule 3" help:"Stop capturing regularly."`
	Schedules  BackupSchedules  `cmd:"" role:"viewer" example:"/backup schedules" help:"What is captured regularly, and when next."`
}

const keepBackups = "back up databases"

// BackupCapture is /backup capture APP [DATABASE] [to ENV].
type BackupCapture struct {
	submits
	Where
	Database string `arg:"" optional:"" complete:"database" placeholder:"DATABASE" help:"The database; the app's default when left out."`
}

// Run submits.
func (b *BackupCapture) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	return submit(ctx, c, s, platform.Capture, b.Target(), nil, engine.BackupArgs{Database: b.Database})
}

// BackupList is /backup list APP [to ENV].
type BackupList struct{ Where }

// Run asks the platform.
func (b *BackupList) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	backups, err := backupsOf(ctx, s, b.Target())
	if err != nil {
		return Answer{}, err
	}
	if len(backups) == 0 {
		card := say("%s has no backup yet.", b.Target())
		card.State = chat.Warning
		card.Buttons = []chat.Button{{Label: "Capture one", Line: "/backup capture " + aimed(b.Target())}}
		return Answer{Card: card}, nil
	}
	const most = 20
	table := rows{{"ID", "DATABASE", "WHEN", "SIZE", "GRADE", "RELEASE", "BY"}}
	for _, one := range backups[:min(most, len(backups))] {
		table = append(table, []string{one.ID, one.Database, when(one.At, c), size(one.Size), one.Grade, one.Release, one.By})
	}
	newest := backups[0]
	card := say("%s has %s; the newest, %s, is from %s.", b.Target(), count(len(backups), "backup", "backups"), newest.ID, when(newest.At, c))
	card.Title, card.Output = "Backups of "+b.Target().String(), table.String()
	card.Notes = []string{fmt.Sprintf("Put one back with /backup restore %s ID DATABASE.", b.App)}
	if len(backups) > most {
		card.Notes = append(card.Notes, fmt.Sprintf("These are the newest %d.", most))
	}
	return Answer{Card: card}, nil
}

// BackupInfo is /backup info APP ID [to ENV].
type BackupInfo struct {
	Where
	Backup string `arg:"" optional:"" complete:"backup" need:"the backup's id, such as b3" placeholder:"ID" help:"The backup."`
}

// Run asks the platform.
func (b *BackupInfo) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	one, err := backup(ctx, s, b.Target(), b.Backup)
	if err != nil {
		return Answer{}, err
	}
	card := say("Backup %s of %s is from %s and takes %s.", one.ID, b.Target(), when(one.At, c), size(one.Size))
	card.Title = fmt.Sprintf("Backup %s of %s", one.ID, b.Target())
	card.Fields = fields("Database", one.Database, "Made", when(one.At, c), "By", one.By, "Why", one.Why,
		"Size", size(one.Size), "Grade", grade(one.Grade), "Release then", one.Release, "SHA-256", one.SHA256)
	if one.Database != "" {
		card.Buttons = []chat.Button{{
			Label: "Restore " + one.ID, Danger: true,
			Line:    fmt.Sprintf("/backup restore %s %s %s to %s", quote(b.App), one.ID, quote(one.Database), quote(b.Environment)),
			Confirm: fmt.Sprintf("Put %s of %s back? Everything written to %s since is lost from the app; a safety backup is made first.", one.ID, when(one.At, c), one.Database),
		}}
	}
	return Answer{Card: card}, nil
}

func grade(word string) string {
	meaning := map[string]string{
		"stored": "stored (not read back yet)", "readable": "readable (read back whole and checked)",
		"restored": "restored (a restore from it succeeded)",
	}[word]
	if meaning == "" {
		return word
	}
	return meaning
}

// BackupCancel is /backup cancel APP [to ENV]: stop the capture that is live.
type BackupCancel struct {
	changes
	Where
}

// Run finds the capture and cancels it.
func (b *BackupCancel) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	live, err := s.Operations.Live(ctx)
	if err != nil {
		return Answer{}, err
	}
	for _, op := range live {
		if op.Kind == platform.Capture && op.Target == b.Target() {
			op, err = s.Operations.Cancel(ctx, op.ID, c.Person)
			return Answer{Operation: op.ID}, err
		}
	}
	return Answer{}, missing("/backup list "+aimed(b.Target()), "No capture of %s is running or waiting.", b.Target())
}

// BackupRestore is /backup restore APP [ID DATABASE] [to ENV]. Both left out is
// the latest into the default database; one without the other is refused,
// because it is too easy to mean something else.
type BackupRestore struct {
	submits
	Where
	Backup   string `arg:"" optional:"" complete:"backup" placeholder:"ID" help:"The backup; the latest when left out."`
	Database string `arg:"" optional:"" complete:"database" placeholder:"DATABASE" help:"The database to put it into; named together with the backup, or not at all."`
}

// Run finds the backup and submits.
func (b *BackupRestore) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	backups, err := backupsOf(ctx, s, b.Target())
	if err != nil {
		return Answer{}, err
	}
	if len(backups) == 0 {
		return Answer{}, missing("/backup capture "+aimed(b.Target()), "%s has no backup to put back.", b.Target())
	}
	if b.Backup == "" {
		return submit(ctx, c, s, platform.Restore, b.Target(), nil, engine.BackupArgs{Backup: backups[0].ID})
	}
	if b.Database == "" {
		return Answer{}, b.half(backups)
	}
	one, err := named(backups, b.Backup, b.Target())
	if err != nil {
		return Answer{}, err
	}
	return submit(ctx, c, s, platform.Restore, b.Target(), nil, engine.BackupArgs{Backup: one.ID, Database: b.Database})
}

// half refuses a backup without a database, or the other way round.
func (b *BackupRestore) half(backups []platform.Backup) error {
	for _, one := range backups {
		if !strings.EqualFold(one.ID, b.Backup) {
			continue
		}
		database := one.Database
		if database == "" {
			database = "DATABASE"
		}
		return invalid(fmt.Sprintf("/backup restore %s %s %s to %s", quote(b.App), one.ID, quote(database), quote(b.Environment)),
			"Into which database? A restore erases what is there, so name both the backup and the database, or neither (the latest into the default).")
	}
	if backupID(b.Backup) {
		_, err := named(backups, b.Backup, b.Target())
		return err
	}
	return invalid(fmt.Sprintf("/backup restore %s %s %s to %s", quote(b.App), backups[0].ID, quote(b.Backup), quote(b.Environment)),
		"Which backup into %s? A restore erases what is there, so name both the backup and the database, or neither (the latest into the default).", b.Backup)
}

// backupID reports whether text looks like b3.
func backupID(text string) bool {
	digits, ok := strings.CutPrefix(strings.ToLower(text), "b")
	return ok && isNumber(digits)
}

func backupsOf(ctx context.Context, s Services, t platform.Target) ([]platform.Backup, error) {
	p, err := provider[platform.Archivist](s, t, keepBackups)
	if err != nil {
		return nil, err
	}
	return p.Backups(ctx, t)
}

func backup(ctx context.Context, s Services, t platform.Target, id string) (platform.Backup, error) {
	backups, err := backupsOf(ctx, s, t)
	if err != nil {
		return platform.Backup{}, err
	}
	return named(backups, id, t)
}

func named(backups []platform.Backup, id string, t platform.Target) (platform.Backup, error) {
	var ids []string
	for _, one := range backups {
		if strings.EqualFold(one.ID, id) {
			return one, nil
		}
		ids = append(ids, one.ID)
	}
	switch {
	case len(ids) == 0:
		return platform.Backup{}, missing("/backup capture "+aimed(t), "%s has no backup yet.", t)
	case len(ids) > 5:
		ids = ids[:5]
	}
	return platform.Backup{}, missing("/backup list "+aimed(t), "%s has no backup “%s”. The newest are %s.", t, short(id), list(ids, "and"))
}

// fields are labelled values; empty ones are left out.
func fields(pairs ...string) []chat.Field {
	var out []chat.Field
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" && pairs[i+1] != "–" {
			out = append(out, chat.Field{Label: pairs[i], Value: pairs[i+1]})
		}
	}
	return out
}
