package store_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
	"maitred/store/storetest"
)

var ctx = context.Background()

// wants stops the test unless err is a fault of the kind that says all words.
func wants(t *testing.T, err error, kind fault.Kind, words ...string) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("error is %v, want a fault of kind %s", err, kind)
	}
	f := fault.Of(err)
	for _, w := range words {
		if !strings.Contains(f.Say+" "+f.Hint, w) {
			t.Errorf("%q, then %q: want %q in it", f.Say, f.Hint, w)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTwoMaitredsOnOneDirectory(t *testing.T) {
	p := storetest.SQLite(t)
	first := p.Open(t)
	_, err := store.Open(ctx, p.Options)
	wants(t, err, fault.Busy, fmt.Sprintf("Another maitred (pid %d) already uses %s.", os.Getpid(), p.Options.Dir), "Stop that one")
	must(t, first.Ready(ctx))
	must(t, first.Close())
	p.Open(t)
}

// TestALockOutlivesItsProcessForAMoment kills a maitred that was starting a
// program: until that program is another one, it has the lock.
func TestALockOutlivesItsProcessForAMoment(t *testing.T) {
	dir := t.TempDir()
	gone := exec.Command("true")
	must(t, gone.Run())
	f, err := os.Create(filepath.Join(dir, "maitred.lock"))
	must(t, err)
	fmt.Fprintln(f, gone.Process.Pid)
	must(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	time.AfterFunc(50*time.Millisecond, func() { f.Close() })
	release, err := store.Lock(dir)
	must(t, err)
	defer release()
	_, err = store.Lock(dir)
	wants(t, err, fault.Busy, fmt.Sprintf("Another maitred (pid %d) already uses %s.", os.Getpid(), dir), "Stop that one")
}

func TestFilesBelongToOneUser(t *testing.T) {
	p := storetest.SQLite(t)
	p.Options.Dir = filepath.Join(p.Options.Dir, "deep", "inside")
	p.Open(t)
	info, err := os.Stat(p.Options.Dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %o", info.Mode().Perm())
	}
	must(t, filepath.WalkDir(p.Options.Dir, func(path string, d fs.DirEntry, err error) error {
		info, statErr := os.Stat(path)
		if err == nil && statErr == nil && !d.IsDir() && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	}))
}

func TestDirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err := store.Open(ctx, store.Options{Dir: filepath.Join(file, "dir")})
	wants(t, err, fault.Invalid, file, "directory")
	_, err = store.Open(ctx, store.Options{})
	wants(t, err, fault.Invalid, "data_dir")
}

func TestDamagedFile(t *testing.T) {
	damage := map[string]func(content []byte) []byte{
		"another kind of file":   func([]byte) []byte { return bytes.Repeat([]byte("This is a letter. "), 1000) },
		"noise in the middle":    func(c []byte) []byte { copy(c[8192:], bytes.Repeat([]byte{0xA5}, 20_000)); return c },
		"the second half is cut": func(c []byte) []byte { return c[:len(c)/2] },
		"a header of zeros":      func(c []byte) []byte { copy(c, make([]byte, 100)); return c },
	}
	for claim, hurt := range damage {
		t.Run(claim, func(t *testing.T) {
			p := storetest.SQLite(t)
			must(t, p.Open(t).Close())
			file := filepath.Join(p.Options.Dir, "maitred.db")
			content, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(file, hurt(content), 0o600))
			_, err = store.Open(ctx, p.Options)
			wants(t, err, fault.Invalid, file, "damaged", "cp BACKUP "+file)
			_, err = store.Open(ctx, p.Options) // the lock was given back
			wants(t, err, fault.Invalid, file)
		})
	}
}

// TestFullDisk lets SQLite meet the same end of its file that a full disk is,
// and goes on when there is room again.
func TestFullDisk(t *testing.T) {
	s := storetest.SQLite(t).Open(t)
	var pages int
	must(t, s.SQLite().QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages))
	limit := func(n int) {
		_, err := s.SQLite().ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", n))
		must(t, err)
	}
	limit(pages)
	stored := map[string]bool{}
	var err error
	for i := 0; err == nil && i < 10_000; i++ {
		key := fmt.Sprintf("k-%d", i)
		in := chat.Inbound{Key: key, Line: strings.Repeat("long ", 500)}
		if _, err = s.Hear(ctx, in, nil, "one", time.Minute); err == nil {
			stored[key] = true
		}
	}
	wants(t, err, fault.Unreachable, "could not be stored: the disk is full", "Make room")
	limit(pages + 10_000)
	known, err := s.Hear(ctx, chat.Inbound{Key: "after"}, nil, "one", time.Minute)
	if known || err != nil {
		t.Fatalf("with room again: %v %v", known, err)
	}
	for key := range stored {
		_, err := s.Heard(ctx, key)
		must(t, err)
	}
}

func TestBackup(t *testing.T) {
	p := storetest.SQLite(t)
	s := p.Open(t)
	op := platform.Operation{Key: "k", Kind: platform.Deploy, State: platform.Queued, Target: platform.Target{App: "ocpizza"}}
	must(t, s.Update(ctx, op.Target, func(tx engine.Tx) error { return tx.Insert(ctx, &op, "") }))
	file := filepath.Join(t.TempDir(), "it's a backup.db")
	must(t, store.Backup(ctx, p.Options, file)) // while s is open
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %o", info.Mode().Perm())
	}
	wants(t, s.Backup(ctx, file), fault.Invalid, file, "there already")
	wants(t, s.Backup(ctx, filepath.Join(t.TempDir(), "no", "where")), fault.Invalid, "cannot be written")
	wants(t, store.Backup(ctx, store.Options{Dir: t.TempDir()}, file+"2"), fault.Missing, "no store")

	restored := storetest.SQLite(t)
	content, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(restored.Options.Dir, "maitred.db"), content, 0o600))
	back, err := restored.Open(t).Operation(ctx, op.ID)
	must(t, err)
	if back.Key != "k" {
		t.Errorf("the restored store holds %+v", back)
	}
}

// TestSecretIsNowhere looks for a secret value in every file of the store, its
// backup included, before and after it was wiped.
func TestSecretIsNowhere(t *testing.T) {
	const canary = "c4n4ry-value-of-a-secret"
	p := storetest.SQLite(t)
	s := p.Open(t)
	sealed, err := storetest.Seal{}.Seal([]byte(canary))
	must(t, err)
	in := chat.Inbound{Key: "k", Line: "/config set TOKEN", Secrets: map[string]string{"value": canary}, Fields: map[string]string{"value": "handle"}}
	_, err = s.Hear(ctx, in, map[string][]byte{"handle": sealed}, "one", time.Minute)
	must(t, err)
	sweep := func(what string, secret []byte) {
		t.Helper()
		must(t, filepath.WalkDir(p.Options.Dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if bytes.Contains(content, secret) {
				t.Errorf("%s is in %s", what, path)
			}
			return err
		}))
	}
	must(t, s.Backup(ctx, filepath.Join(p.Options.Dir, "backup")))
	sweep("the secret", []byte(canary))
	value, err := s.Secret(ctx, "handle")
	if value != canary || err != nil {
		t.Fatalf("the secret opens as %q, %v", value, err)
	}
	must(t, s.Answered(ctx, "k", nil, 0, false, commands.AuditRow{Person: chat.Person{Who: "ann"}}))
	must(t, os.Remove(filepath.Join(p.Options.Dir, "backup")))
	_, err = s.SQLite().ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	must(t, err)
	sweep("the secret", []byte(canary))
	sweep("the wiped, sealed secret", sealed)
}

// TestReadsDoNotWait reads while a transaction is open: on one connection that
// would be a deadlock.
func TestReadsDoNotWait(t *testing.T) {
	s := storetest.SQLite(t).Open(t)
	pizza := platform.Target{App: "ocpizza"}
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		op := platform.Operation{Key: "k", Kind: platform.Deploy, State: platform.Queued, Target: pizza}
		if err := tx.Insert(ctx, &op, ""); err != nil {
			return err
		}
		if _, err := s.Operation(short, op.ID); !fault.Is(err, fault.Missing) {
			t.Errorf("a read outside sees what is not committed: %v", err)
		}
		_, err := s.Live(short)
		return err
	}))
}

// TestSettings are those that the acknowledgements rest on.
func TestSettings(t *testing.T) {
	s := storetest.SQLite(t).Open(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "secure_delete": "1"} {
		var is string
		must(t, s.SQLite().QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&is))
		if is != want {
			t.Errorf("%s is %s, want %s", pragma, is, want)
		}
	}
	if n := s.SQLite().Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections may write", n)
	}
	if s.Pool() != nil {
		t.Error("there is a pool")
	}
}

// TestVerifyBeside verifies the audit while a maitred has the directory, and
// after it is gone.
func TestVerifyBeside(t *testing.T) {
	p := storetest.SQLite(t)
	s := p.Open(t)
	must(t, s.AppendAudit(ctx, commands.AuditRow{Person: chat.Person{Who: "ann"}, Verb: "status"}))
	_, err := s.Chain(ctx)
	must(t, err)
	for _, when := range []string{"beside a maitred", "alone"} {
		report, err := store.VerifyAudit(ctx, p.Options)
		if err != nil || !report.Good() || report.Linked != 1 {
			t.Errorf("%s: %+v, %v", when, report, err)
		}
		must(t, s.Close())
	}
	_, err = store.VerifyAudit(ctx, store.Options{Dir: t.TempDir()})
	wants(t, err, fault.Missing, "no store")
}
