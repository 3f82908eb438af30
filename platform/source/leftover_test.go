package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"maitred/fault"
)

// TestALockOfAKilledGitIsRemoved finds what a git left that was killed in the
// middle of a fetch.
func TestALockOfAKilledGitIsRemoved(t *testing.T) {
	r := newRepo(t)
	m := New(t.TempDir(), nil)
	if _, err := m.Resolve(t.Context(), r.dir, "main"); err != nil {
		t.Fatal(err)
	}
	want := r.commit("fourth", "menu.txt", "capricciosa")
	here, err := m.here(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(here.dir, "refs", "heads", "main.lock")
	if err := os.MkdirAll(filepath.Dir(lock), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Resolve(t.Context(), r.dir, "main"); !fault.Is(err, fault.Busy) {
		t.Errorf("with a lock that may be in use: %v", err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(lock, old, old); err != nil {
		t.Fatal(err)
	}
	if src, err := m.Resolve(t.Context(), r.dir, "main"); err != nil || src.SHA != want {
		t.Errorf("with a lock that was left: %s, %v; want %s", src.SHA, err, want)
	}
}

func TestACommitIsKeptInSpiteOfACancel(t *testing.T) {
	r := newRepo(t)
	m := New(t.TempDir(), nil)
	src, err := m.Resolve(t.Context(), r.dir, "main")
	if err != nil {
		t.Fatal(err)
	}
	here, err := m.here(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := here.keep(ctx, src.SHA); err != nil {
		t.Errorf("keeping a commit was cut short: %v", err)
	}
}

// TestAGitThatIsCancelledCleansUp lets git say its last word.
func TestAGitThatIsCancelledCleansUp(t *testing.T) {
	bin, said := t.TempDir(), filepath.Join(t.TempDir(), "said")
	script := "#!/bin/sh\ntrap 'echo bye >" + said + "; exit 1' TERM\necho up >" + said + "\nwhile :; do sleep 0.05; done\n"
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for {
			if data, err := os.ReadFile(said); err == nil && len(data) > 0 {
				cancel()
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	if _, err := git(ctx, "", "fetch"); err == nil {
		t.Error("a git that was cancelled succeeded")
	}
	if data, err := os.ReadFile(said); err != nil || string(data) != "bye\n" {
		t.Errorf("git said %q, %v; it was killed before it could clean up", data, err)
	}
}

func TestOldDownloadsAreRemoved(t *testing.T) {
	data := pack(t, file("Procfile", 3))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }))
	defer server.Close()
	m := New(t.TempDir(), nil)
	dir := filepath.Join(m.dir, "archives")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, age := range map[string]time.Duration{".part-1": 30 * 24 * time.Hour, "old.tar.gz": 30 * 24 * time.Hour, "new.tar.gz": time.Hour} {
		path, at := filepath.Join(dir, name), time.Now().Add(-age)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.ResolveArchive(t.Context(), server.URL+"/ocpizza-1.tar.gz"); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Errorf("there are %v, %v; want the new ones alone", files, err)
	}
}

func TestOneFileOfAnArchiveIsReadWithinLimits(t *testing.T) {
	was := Fair
	Fair = Limits{Entries: 10, Total: 1 << 20, Ratio: 200}
	defer func() { Fair = was }()
	data := pack(t, file("Procfile", 3), file("bomb", 64<<20))
	sum := sha256.Sum256(data)
	if _, _, err := New(t.TempDir(), nil).File(t.Context(), archiveOf(put(t, data), hex.EncodeToString(sum[:])), "Procfile"); !fault.Is(err, fault.Invalid) {
		t.Errorf("an archive beyond all limits was read: %v", err)
	}
}
