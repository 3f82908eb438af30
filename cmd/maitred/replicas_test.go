package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maitred/store/storetest"
)

// replica is one maitred serve among several on one PostgreSQL.
type replica struct {
	address string
	process *exec.Cmd
	printed *printed
	ended   chan struct{}
}

// serveReplica starts a replica in dir with a configuration that names it.
func serveReplica(t *testing.T, dir, database, name, extra string) *replica {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{address: freePort(t), printed: &printed{}, ended: make(chan struct{})}
	file := filepath.Join(dir, fmt.Sprintf("maitred-%s-%d.yml", name, time.Now().UnixNano()))
	text := fmt.Sprintf("data_dir: %s\nkeys: %s\ndatabase: ${env:DATABASE_URL}\nlisten: %s\n%s"+
		"people: {ann: {roles: [all], token_sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}}\nroles: {all: {may: ['*']}}\n",
		filepath.Join(dir, name), filepath.Join(dir, "keys"), r.address, extra)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r.process = exec.Command(path, "serve", "--config", file)
	r.process.Env = append(os.Environ(), "DATABASE_URL="+database)
	r.process.Stdout, r.process.Stderr = r.printed, r.printed
	if err := r.process.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.process.Wait(); close(r.ended) }() // how it ended is asked of ProcessState
	t.Cleanup(r.kill)
	return r
}

func (r *replica) kill() {
	r.process.Process.Kill() // it may have ended already
	<-r.ended
}

func (r *replica) ready() bool {
	resp, err := http.Get("http://" + r.address + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// untilReady waits, and gives up early when the process has ended.
func (r *replica) untilReady(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !r.ready(); time.Sleep(50 * time.Millisecond) {
		select {
		case <-r.ended:
			t.Fatalf("it ended:\n%s", r.printed)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not ready:\n%s", r.printed)
		}
	}
}

// says is what a replica answers to ann.
func (r *replica) says(t *testing.T, line string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "say", "--server", "http://"+r.address, "--token", "test", line).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// TestReplicasShareOnePostgreSQL kills one of two, and starts one too many.
func TestReplicasShareOnePostgreSQL(t *testing.T) {
	database, dir := storetest.Postgres(t), t.TempDir()
	a := serveReplica(t, dir, database, "a", "replica: a\n")
	b := serveReplica(t, dir, database, "b", "replica: b\n")
	a.untilReady(t)
	b.untilReady(t)
	for _, r := range []*replica{a, b} {
		if got := r.says(t, "/whoami"); !strings.Contains(got, "ann") {
			t.Errorf("it says %q", got)
		}
	}
	if got := b.says(t, "/audit"); strings.Count(got, "/whoami") != 2 {
		t.Errorf("b does not see what was said to a:\n%s", got)
	}
	twin := serveReplica(t, dir, database, "twin", "replica: b\n")
	select {
	case <-twin.ended:
		if code := twin.process.ProcessState.ExitCode(); code != 1 || !strings.Contains(twin.printed.String(), "replica b") {
			t.Errorf("a second b ended with %d:\n%s", code, twin.printed)
		}
	case <-b.ended: // the newer one carries on in its name: one of them must go
	case <-time.After(30 * time.Second):
		t.Errorf("two replicas are called b:\n%s", twin.printed)
	}
	a.kill()
	again := serveReplica(t, dir, database, "a", "replica: a\n")
	again.untilReady(t)
	if got := again.says(t, "/audit"); !strings.Contains(got, "/whoami") {
		t.Errorf("after kill -9 it does not know what was said:\n%s", got)
	}
}
