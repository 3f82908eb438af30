package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
)

func newJob(t *testing.T) job {
	t.Helper()
	dir := t.TempDir()
	return job{box: local{}, dir: filepath.Join(dir, "job"), log: filepath.Join(dir, "log")}
}

var bare = []string{"PATH=/usr/local/bin:/usr/bin:/bin"}

func TestOfTwoThatStartAJobOneGoesOn(t *testing.T) {
	j := newJob(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			// A start that lost the claim says so, or finds the job begun.
			_ = j.start(t.Context(), "/", bare, shell("echo once"))
		})
	}
	all.Wait()
	var out bytes.Buffer
	if rc, err := j.wait(t.Context(), &out); err != nil || rc != 0 {
		t.Fatalf("the job ended with %d, %v", rc, err)
	}
	if out.String() != "once\n" {
		t.Errorf("the job printed %q; want it to have run once", out.String())
	}
}

func TestAJobIsNotItsPidAlone(t *testing.T) {
	j := newJob(t)
	if err := j.start(t.Context(), "/", bare, shell("exit 7")); err != nil {
		t.Fatal(err)
	}
	if rc, err := j.wait(t.Context(), io.Discard); err != nil || rc != 7 {
		t.Fatalf("the job ended with %d, %v", rc, err)
	}
	// The pid of this process, with the start of another.
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	me := strconv.Itoa(os.Getpid())
	for _, who := range []string{me + " 1 " + string(boot), me + " " + startOf(t, os.Getpid()) + " another-boot"} {
		if err := os.WriteFile(filepath.Join(j.dir, "pid"), []byte(who), 0o600); err != nil {
			t.Fatal(err)
		}
		if j.alive() {
			t.Errorf("%q is taken for a job that runs", who)
		}
		if err := j.stop(t.Context(), time.Millisecond); err != nil {
			t.Error(err)
		}
	}
}

func startOf(t *testing.T, pid int) string {
	p, ok := process(pid)
	if !ok {
		t.Fatalf("there is no process %d", pid)
	}
	return p.start
}

func TestACancelStopsTheWholeGroup(t *testing.T) {
	j := newJob(t)
	// A child that ignores the polite signal and outlives its parent.
	if err := j.start(t.Context(), "/", bare, shell(`(trap "" TERM; echo up; sleep 60; sleep 60) & sleep 60`)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := writerFunc(func(b []byte) {
		if strings.Contains(string(b), "up") {
			cancel()
		}
	})
	began := time.Now()
	if _, err := j.wait(ctx, out); !errors.Is(err, context.Canceled) {
		t.Fatalf("wait ended with %v", err)
	}
	if id, _ := j.ident(); j.alive() || len(j.box.Group(id.pid, j.mark())) != 0 {
		t.Error("something of the job still runs")
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestWhatACommandLeavesBehindIsStopped(t *testing.T) {
	j := newJob(t)
	if err := j.start(t.Context(), "/", bare, shell("sleep 60 & exit 4")); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if rc, err := j.wait(t.Context(), &out); err != nil || rc != 4 || j.alive() || !strings.Contains(out.String(), "left running") {
		t.Errorf("the job ended with %d, %v, still there: %t; %q", rc, err, j.alive(), out.String())
	}
}

func TestACancelInTheMomentOfTheStartLeavesNothing(t *testing.T) {
	for i := range 20 {
		j := newJob(t)
		ctx, cancel := context.WithCancel(t.Context())
		timer := time.AfterFunc(time.Duration(i)*500*time.Microsecond, cancel)
		err := j.start(ctx, "/", bare, shell("sleep 60"))
		if err != nil && !errors.Is(err, context.Canceled) || err == nil && !j.begun() {
			t.Errorf("start ended with %v, on record: %t", err, j.begun())
		}
		if err := j.stop(t.Context(), time.Second); err != nil || j.alive() {
			t.Errorf("stop ended with %v", err)
		}
		timer.Stop()
		cancel()
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

func TestAPoliteStopLeavesTheJob(t *testing.T) {
	j := newJob(t)
	if err := j.start(t.Context(), "/", bare, shell("echo first; while ! test -e "+j.dir+"/go; do sleep 0.01; done; echo second")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	stop(platform.ErrStopping)
	if _, err := j.wait(ctx, io.Discard); !errors.Is(err, context.Canceled) || !j.alive() {
		t.Fatalf("wait ended with %v; the job runs: %t", err, j.alive())
	}
	if err := os.WriteFile(j.dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if rc, err := j.wait(t.Context(), &out); err != nil || rc != 0 || out.String() != "first\nsecond\n" {
		t.Errorf("found again it ended with %d, %v, %q", rc, err, out.String())
	}
}

func TestAMigrationThatWasCutShortIsNotRepeated(t *testing.T) {
	for name, c := range map[string]struct{ step, want string }{
		"build":     {"build", ""},
		"migration": {"migrate", "was cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, func(c *Config) {
				line := `test -e "$HOME/` + cutMark(name) + `" || { touch "$HOME/` + cutMark(name) + `"; sleep 60; }`
				if name == "build" {
					c.Build = []string{line}
				} else {
					c.Migrate = line
				}
			})
			y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.0.0")))
			if _, err := y.until(t.Context(), c.step); err != nil {
				t.Fatal(err)
			}
			a, r := s.Actions()[c.step], y.run(y.done)
			if _, err := a.Start(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			for missing(statErr(s.path("shared", cutMark(name)))) {
				time.Sleep(time.Millisecond)
			}
			id, _ := s.step(r).ident()
			if err := s.box.Signal(id.pid, syscall.SIGKILL); err != nil { // the machine lost power
				t.Fatal(err)
			}
			for s.step(r).alive() {
				time.Sleep(time.Millisecond)
			}
			s.Provider = s.open()
			_, err := y.step(t.Context(), y.done)
			if c.want == "" && err != nil || c.want != "" && !strings.Contains(fault.Of(err).Say, c.want) {
				t.Errorf("the %s went on with %v", name, err)
			}
		})
	}
}

func cutMark(name string) string { return "cut-" + name }

func statErr(path string) error {
	_, err := os.Stat(path)
	return err
}

func TestEveryPrefixOfARestoreIsTakenBack(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.1.0")
	s.post("margherita")
	s.must(s.PlanCapture(t.Context(), pizza, ""))
	s.post("funghi")
	list, err := s.Backups(t.Context(), pizza)
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; ; k++ {
		y := s.begin(s.PlanRestore(t.Context(), pizza, list[0], ""))
		if k > len(y.plan.Steps) {
			break
		}
		for range k {
			for range 2 { // each step as after a crash that lost its answer
				if _, err := y.step(t.Context(), y.done); err != nil {
					t.Fatalf("%s: %v", y.plan.Steps[y.done].Name, err)
				}
				s.Provider = s.open()
			}
			y.done++
		}
		y.undo()
		y.undo()
		if _, notes := s.visit("/notes"); notes != "margherita\nfunghi" {
			t.Fatalf("after the undo of %d steps the notes are %q", k, notes)
		}
		if left, _ := filepath.Glob(s.databaseFile() + ".restore*"); len(left) > 0 {
			t.Errorf("scratch copies are left: %v", left)
		}
	}
}

func TestNobodyGoesBackToAProcessThatIsOnItsWayOut(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.1.0")))
	if _, err := y.until(t.Context(), "drain"); err != nil {
		t.Fatal(err)
	}
	old, _ := s.tenant("blue")
	old.Leaving = true // a crash right after this was noted, with the process still there
	if err := s.setTenant(old); err != nil {
		t.Fatal(err)
	}
	before, _ := s.job(old).ident()
	y.undo()
	s.answers("v1.0.0")
	if now, _ := s.job(s.activeTenant()).ident(); now.pid == before.pid {
		t.Error("visitors are sent to a process that was told to stop")
	}
}

func TestADamagedBackupIsRefused(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.post("margherita")
	s.must(s.PlanCapture(t.Context(), pizza, ""))
	list, err := s.backups()
	if err != nil {
		t.Fatal(err)
	}
	file := s.path("backups", list[0].File)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 0xff
	for _, damage := range []func() error{
		func() error { return os.WriteFile(file, data, 0o640) },
		func() error { return os.Truncate(file, int64(len(data)/2)) },
		func() error { return os.Remove(file) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		y := s.begin(s.PlanRestore(t.Context(), pizza, list[0].Backup, ""))
		if _, err := y.until(t.Context(), ""); !fault.Is(err, fault.Refused) || y.done != 0 {
			t.Errorf("a damaged backup ended with %v after %d steps", err, y.done)
		}
		y.undo()
		if _, notes := s.visit("/notes"); notes != "margherita" {
			t.Errorf("the notes are %q", notes)
		}
	}
}

// TestAStartKeepsWhatASwitchHasDone starts maitred again after a kill between the
// link of the front and the ledger: visitors see the new release, and the ledger
// still says the old one.
func TestAStartKeepsWhatASwitchHasDone(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.1.0")))
	if _, err := y.until(t.Context(), "switch"); err != nil {
		t.Fatal(err)
	}
	c, e, err := s.Provider.must(y.run(y.done))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.turn(c.Slot, e); err != nil {
		t.Fatal(err)
	}
	s.Provider = s.open()
	pid := s.activePID()
	if err := s.EnsureRunning(t.Context(), pizza); err != nil {
		t.Fatal(err)
	}
	s.answers("v1.1.0")
	if now := s.activePID(); now != pid {
		t.Errorf("the new release was stopped: visitors are served by process %d; before by %d", now, pid)
	}
	if _, err := y.until(t.Context(), ""); err != nil {
		t.Fatalf("the deploy goes on: %v", err)
	}
	s.answers("v1.1.0")
	s.wantStates(map[string]platform.ReleaseState{"r1": platform.ReleaseSuperseded, "r2": platform.ReleaseLive})
}

// TestABackupThatWasNotNotedIsMadeAgain is killed between the file and its line
// in the ledger.
func TestABackupThatWasNotNotedIsMadeAgain(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	y := s.must(s.PlanCapture(t.Context(), pizza, ""))
	if err := os.Remove(s.inState("backups.jsonl")); err != nil {
		t.Fatal(err)
	}
	for now := time.Now().Unix(); time.Now().Unix() == now; {
		time.Sleep(10 * time.Millisecond) // names hold seconds
	}
	s.Provider, y.done = s.open(), 0
	if _, err := y.until(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	list, err := s.backups()
	if err != nil || len(list) != 1 {
		t.Fatalf("backups: %+v, %v", list, err)
	}
	if files, err := s.box.List(s.path("backups")); err != nil || len(files) != 1 || files[0] != list[0].File {
		t.Errorf("there are the files %v, %v; want %s alone", files, err, list[0].File)
	}
}
