package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"maitred/config"
	"maitred/store"
)

// check tells every mistake of a configuration. With --audit it also verifies
// that the audit of its store is whole and unchanged.
func check(ctx context.Context, t terminal, args []string) error {
	var audit bool
	files, err := flags(t, "check", args, func(f *flag.FlagSet) {
		f.BoolVar(&audit, "audit", false, "verify the chain of the audit")
	})
	if err != nil {
		return err
	}
	if len(files) != 1 {
		return mistyped("check", "check needs one file, not %d.", len(files))
	}
	c, err := config.Load(files[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s is good: %s, %s, %s.\n", files[0],
		count(len(c.Apps), "app"), count(len(c.People), "person"), count(len(c.Roles), "role"))
	if !audit {
		return nil
	}
	return checkAudit(ctx, t, c)
}

func checkAudit(ctx context.Context, t terminal, c *config.Config) error {
	url, err := c.DatabaseURL()
	if err != nil {
		return err
	}
	keys, err := config.OpenKeys(c.Keys, false)
	if err != nil {
		return err
	}
	report, err := store.VerifyAudit(ctx, store.Options{Dir: c.DataDir, URL: url, AuditKey: keys.Audit, Log: zap.NewNop()})
	if err != nil {
		return err
	}
	if !report.Good() {
		fmt.Fprintf(t.err, "The audit is not as it was written. %s\n", report.Why)
		return quiet(1)
	}
	fmt.Fprintf(t.out, "The audit is whole: %s in the chain", count(int(report.Linked), "row"))
	if report.Unlinked > 0 {
		fmt.Fprintf(t.out, ", %d too new to be in it", report.Unlinked)
	}
	fmt.Fprintln(t.out, ".")
	return nil
}

// backupStore copies maitred's own data to a new file.
func backupStore(ctx context.Context, t terminal, args []string) error {
	var file string
	to, err := flags(t, "backup-store", args, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", "maitred.yml", "the configuration")
	})
	if err != nil {
		return err
	}
	if len(to) != 1 {
		return mistyped("backup-store", "backup-store needs the name of one new file.")
	}
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	url, err := c.DatabaseURL()
	if err != nil {
		return err
	}
	if err := store.Backup(ctx, store.Options{Dir: c.DataDir, URL: url, Log: zap.NewNop()}, to[0]); err != nil {
		return err
	}
	info, err := os.Stat(to[0])
	if err != nil {
		return err
	}
	fmt.Fprintf(t.out, "%s holds a copy of the store, read back whole: %d bytes.\n", to[0], info.Size())
	fmt.Fprintf(t.out, "The keys in %s are not part of it: keep them elsewhere, and not beside the copy.\n", filepath.Clean(c.Keys))
	return nil
}

// count is "1 app", "2 apps", "3 people".
func count(n int, noun string) string {
	plural := noun + "s"
	if noun == "person" {
		plural = "people"
	}
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %s", n, plural)
}
