package engine_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

// journal is what the platform of the kitchen was asked to do.
func (k *kitchen) journal() []platformtest.Entry {
	k.t.Helper()
	all, err := platformtest.ReadJournal(filepath.Join(k.order.Dir, "world"))
	if err != nil {
		k.t.Fatal(err)
	}
	return all
}

// untilEntry waits for an entry of the journal.
func (k *kitchen) untilEntry(what string, wanted func(platformtest.Entry) bool) platformtest.Entry {
	k.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		for _, entry := range k.journal() {
			if wanted(entry) {
				return entry
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	k.t.Fatalf("%s: not in the journal after a minute", what)
	return platformtest.Entry{}
}

// finish lets the servers come to an end.
func (k *kitchen) finish() {
	k.t.Helper()
	if err := os.WriteFile(filepath.Join(k.order.Dir, "enough"), nil, 0o600); err != nil {
		k.t.Fatal(err)
	}
	k.until("nothing live", func(p progress) bool { return p.Live == 0 })
	k.stopAll()
}

// A replica that is frozen, taken for dead and thawed begins nothing any more
// and ends with an error; its work is finished once, by the survivor.
func TestThawedReplicaFindsItselfReplaced(t *testing.T) {
	k := newKitchen(t, storetest.PostgreSQL(t), 1)
	// One operation at a time, so that it is frozen within the switch and not in
	// the moment between an intent and its action, which nobody can tell apart.
	k.order.Slow, k.order.Depth = 200*time.Millisecond, 1
	k.startAs("frozen")
	frozen := k.running["frozen"]
	k.untilEntry("work of the first replica", func(e platformtest.Entry) bool { return e.Step == "switch" })
	if err := frozen.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	k.startAs("survivor")
	survivor := k.running["survivor"].Process.Pid
	k.untilEntry("work that was taken over", func(e platformtest.Entry) bool {
		return e.PID == survivor && e.Fence > 1
	})
	thawed := time.Now()
	if err := frozen.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	delete(k.running, "frozen")
	ended := make(chan error, 1)
	go func() { ended <- frozen.Wait() }()
	select {
	case err := <-ended:
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
			t.Errorf("the thawed replica ended with %v, not with an error", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the thawed replica goes on")
	}
	k.finish()
	for _, entry := range k.journal() {
		if entry.PID == frozen.Process.Pid && entry.Event == platformtest.Begin && entry.At.After(thawed) {
			t.Errorf("the thawed replica began %s %s", entry.Key, entry.Action)
		}
	}
}

// BenchmarkTakeover measures from the death of a replica to the first thing that
// a survivor does for its operations, with the lease of production.
func BenchmarkTakeover(b *testing.B) {
	for b.Loop() {
		k := newKitchen(b, storetest.PostgreSQL(b), 2)
		k.order.Lease, k.order.Slow = 10*time.Second, 50*time.Millisecond
		k.startAs("dies")
		k.untilEntry("work", func(e platformtest.Entry) bool { return e.Step == "switch" })
		k.startAs("survivor")
		died, victim := time.Now(), k.running["dies"]
		if err := victim.Process.Kill(); err != nil {
			b.Fatal(err)
		}
		_ = victim.Wait() // it was killed, and says so
		delete(k.running, "dies")
		entry := k.untilEntry("work that was taken over", func(e platformtest.Entry) bool { return e.At.After(died) && e.Fence > 1 })
		took := entry.At.Sub(died)
		k.finish()
		b.ReportMetric(took.Seconds(), "s/takeover")
		if took > 15*time.Second {
			b.Errorf("the take-over took %s, the promise is 15 s", took)
		}
	}
}

// BenchmarkRestart measures from the start of a new process to the first thing
// that it does for the operations of the killed one.
func BenchmarkRestart(b *testing.B) {
	for b.Loop() {
		k := newKitchen(b, storetest.SQLite(b), 1)
		k.order.Slow = 50 * time.Millisecond
		k.startAs("one")
		k.untilEntry("work", func(e platformtest.Entry) bool { return e.Step == "switch" })
		k.kill()
		again := time.Now()
		k.startAs("one")
		entry := k.untilEntry("work that was resumed", func(e platformtest.Entry) bool { return e.At.After(again) })
		took := entry.At.Sub(again)
		k.finish()
		b.ReportMetric(float64(took.Milliseconds()), "ms/recovery")
		if took > time.Second {
			b.Errorf("the recovery took %s, the promise is 1 s", took)
		}
	}
}
