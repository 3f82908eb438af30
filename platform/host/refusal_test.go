package host

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"

	"maitred/fault"
	"maitred/platform"
)

func TestABrokenReleaseIsToldWithItsEvidence(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	for tag, want := range map[string]string{
		"v1.2.0": "v1.2.0 did not get healthy within 2 s. GET /healthz answered 503: cannot reach the payment service",
		"v1.3.0": "v1.3.0 ended by itself with exit code 1 before it was healthy.",
		"v1.4.0": "The build of v1.4.0 failed with exit code 3.",
	} {
		y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source(tag)))
		_, err := y.until(t.Context(), "")
		if say := fault.Of(err).Say; say != want {
			t.Errorf("%s is told as %q; want %q", tag, say, want)
		}
		y.undo()
		s.answers("v1.0.0")
	}
	for _, line := range []string{"no settings for the payment service", "no compiler here"} {
		if !strings.Contains(s.log.String(), line) {
			t.Errorf("the log does not quote %q", line)
		}
	}
	s.wantStates(map[string]platform.ReleaseState{"r1": "live", "r2": "failed", "r3": "failed", "r4": "failed"})
}

func TestGoingBackBehindTheDatabaseWarnsAndGoesOn(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.deploy("v1.1.0")
	e, err := s.entry("r1")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := s.PlanRollback(t.Context(), pizza, e.Release)
	want := "The database is ahead of v1.0.0 by 1 migration that it does not know: 0002_stars. They stay."
	if err != nil || len(plan.Warnings) != 1 || plan.Warnings[0] != want {
		t.Errorf("the plan warns %q, %v; want %q", plan.Warnings, err, want)
	}
	s.must(plan, err)
	s.answers("v1.0.0")
	s.wantStates(map[string]platform.ReleaseState{"r1": "live", "r2": "superseded"})
}

func TestOldReleasesArePrunedAndNeverWhatIsNeeded(t *testing.T) {
	s := newStage(t, func(c *Config) { c.Keep = 1 })
	for _, tag := range []string{"v1.0.0", "v1.1.0", "v1.0.0", "v1.1.0"} {
		s.deploy(tag)
	}
	s.wantStates(map[string]platform.ReleaseState{"r1": "pruned", "r2": "pruned", "r3": "superseded", "r4": "live"})
	dirs, err := os.ReadDir(s.path("releases"))
	if err != nil || len(dirs) != 2 {
		t.Errorf("the directories are %v, %v; want two", dirs, err)
	}
	e, err := s.entry("r1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PlanRollback(t.Context(), pizza, e.Release); !fault.Is(err, fault.Refused) {
		t.Errorf("going back to a pruned release: %v", err)
	}
}

func TestTheAppSeesNothingOfMaitred(t *testing.T) {
	t.Setenv("MAITRED_SECRET", "canary-of-maitred")
	s := newStage(t)
	s.secrets["h"] = "line one\nand \"two\" $HOME"
	s.must(s.PlanSet(t.Context(), pizza, "GREETING", "h"))
	s.deploy("v1.0.0")
	_, env := s.visit("/env")
	for _, want := range []string{"RELEASE=v1.0.0", "RELEASE_ID=r1", "APP=ocpizza", "ENVIRONMENT=production", "HOME=" + s.path("shared"), "GREETING=line one\nand \"two\" $HOME"} {
		if !strings.Contains(env, want) {
			t.Errorf("the environment lacks %q:\n%s", want, env)
		}
	}
	if strings.Contains(env, "canary-of-maitred") {
		t.Error("the app sees the environment of maitred")
	}
	info, err := os.Stat(s.path("shared", "env"))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the environment file is %v, %v; want 0640", info.Mode(), err)
	}
	s.secrets["h2"] = "changed"
	y := s.must(s.PlanSet(t.Context(), pizza, "GREETING", "h2"))
	if _, env := s.visit("/env"); !strings.Contains(env, "GREETING=changed") {
		t.Error("the app does not see the new value")
	}
	y.undo()
	if _, env := s.visit("/env"); !strings.Contains(env, "GREETING=line one") {
		t.Error("after the undo the app does not see the value that it had")
	}
	for _, name := range []string{"PATH", "RELEASE", "a-b", "", "A=B", "X\nY"} {
		if _, err := s.PlanSet(t.Context(), pizza, name, "h"); !fault.Is(err, fault.Invalid) {
			t.Errorf("setting %q: %v", name, err)
		}
	}
}

func TestVariablesSurviveTheFile(t *testing.T) {
	s := newStage(t)
	if err := s.ready(); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		want := rapid.MapOf(rapid.StringMatching(`[A-Z_][A-Z0-9_]{0,8}`), rapid.String()).Draw(rt, "variables")
		if err := s.putVariables(want); err != nil {
			rt.Fatal(err)
		}
		got, err := s.variables()
		if err != nil || len(got) != len(want) {
			rt.Fatalf("got %v, %v; want %v", got, err, want)
		}
		for name, value := range want {
			if got[name] != strings.ToValidUTF8(value, "�") && got[name] != value {
				rt.Fatalf("%s is %q; want %q", name, got[name], value)
			}
		}
	})
}

func TestAnAddressInUseIsTold(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := newStage(t, func(c *Config) { c.Listen = taken.Addr().String() })
	err = s.EnsureFront(t.Context())
	if !fault.Is(err, fault.Refused) || !strings.Contains(fault.Of(err).Say, "in use by another program") {
		t.Errorf("got %v", err)
	}
}

// poor is a machine without room, or that may not be written.
type poor struct {
	local
	free int64
	err  error
}

func (p poor) Free(string) (int64, error) { return p.free, nil }
func (p poor) Append(path string, lines []byte, mode fs.FileMode) error {
	if p.err != nil {
		return fmt.Errorf("append %s: %w", path, p.err)
	}
	return p.local.Append(path, lines, mode)
}

func TestAPoorMachineIsToldInASentence(t *testing.T) {
	for name, c := range map[string]struct {
		box  poor
		want string
	}{
		"little room":     {poor{free: 1 << 20}, "has 1.0 MiB free; this release needs"},
		"a full disk":     {poor{free: 1 << 40, err: syscall.ENOSPC}, "The disk of ocpizza/production is full."},
		"a read-only one": {poor{free: 1 << 40, err: syscall.EROFS}, "maitred may not write below"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.box = c.box
			y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.0.0")))
			_, err := y.until(t.Context(), "")
			if f := fault.Of(err); f.Kind != fault.Refused || !strings.Contains(f.Say, c.want) || f.Hint == "" {
				t.Errorf("got %v", err)
			}
			y.undo()
			if names, _ := s.box.List(s.path("releases")); len(names) != 0 {
				t.Errorf("files are left: %v", names)
			}
		})
	}
}

func TestHomeThatIsAFileIsTold(t *testing.T) {
	s := newStage(t)
	if err := os.WriteFile(s.config.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.0.0")))
	if _, err := y.until(t.Context(), ""); !fault.Is(err, fault.Refused) {
		t.Errorf("got %v", err)
	}
}

func TestConfigTellsEveryProblemAtOnce(t *testing.T) {
	_, err := New(Config{Transport: "carrier pigeon", Listen: "here", Database: Database{Kind: "oracle"}, Required: []string{"SOCKET"}}, Options{Target: pizza})
	say := fault.Of(err).Say
	for _, want := range []string{"carrier pigeon", "trusted: true", "dir is missing", `listen “here”`, "oracle", "SOCKET is set by maitred"} {
		if !strings.Contains(say, want) {
			t.Errorf("%q does not tell %q", say, want)
		}
	}
	good := Config{Dir: "/tmp/x", Trusted: true, Listen: "127.0.0.1:0"}
	if _, err := New(good, Options{Target: pizza}); err != nil {
		t.Errorf("a good configuration: %v", err)
	}
	if _, err := New(good, Options{Target: pizza, Replicas: true}); !fault.Is(err, fault.Invalid) {
		t.Errorf("with replicas: %v", err)
	}
}

func TestATornLedgerLineTakesNoOtherWithIt(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	f, err := os.OpenFile(s.inState("releases.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id":"r9","sta`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	s.deploy("v1.1.0")
	s.wantStates(map[string]platform.ReleaseState{"r1": "superseded", "r2": "live"})
}

func TestLogsAreReadAcrossTheCap(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	log := s.path("shared", "log", "blue.log")
	if err := rotate(log); err != nil {
		t.Fatal(err)
	}
	if err := s.box.Append(log, []byte("after the cap"), 0o640); err != nil {
		t.Fatal(err)
	}
	lines, err := s.Logs(t.Context(), pizza, platform.LogQuery{})
	var texts []string
	for _, l := range lines {
		texts = append(texts, l.Text)
	}
	if err != nil || !contains(texts, "serving v1.0.0") || texts[len(texts)-1] != "after the cap" || lines[0].At.IsZero() {
		t.Errorf("the log is %q, %v", texts, err)
	}
	if _, err := s.Logs(t.Context(), pizza, platform.LogQuery{Process: "worker"}); !fault.Is(err, fault.Missing) {
		t.Errorf("the log of a process that is not there: %v", err)
	}
}
