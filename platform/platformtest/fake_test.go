package platformtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
)

var ocpizza = platform.Target{App: "ocpizza", Environment: "production"}

func source(version string) platform.Source {
	return platform.Source{Repository: "/srv/ocpizza.git", Ref: version, SHA: "5ca1ab1e" + version, Version: version}
}

func stage(f *Fake, reopen func() platform.Provider) Stage {
	f.Script(Script{Step: "probe", Version: "v3", Fail: "v3 never gets healthy."})
	starts := func(key string) (n int) {
		for _, e := range f.Journal() {
			if e.Key == key && e.Event == Begin {
				n++
			}
		}
		return n
	}
	return Stage{
		Provider: f, Reopen: reopen, Target: ocpizza,
		First: source("v1"), Second: source("v2"), Broken: source("v3"),
		Answer: func() string { return f.Answer(ocpizza) },
		Write:  func(data string) { f.Write(ocpizza, data) },
		Read:   func() string { return f.Read(ocpizza) },
		Starts: starts,
		Echo:   []string{"echo", "two", "words"}, Says: "two words", Exit3: []string{"exit", "3"},
		Printed: "is live", Procfile: true,
	}
}

func TestFakeInMemory(t *testing.T) {
	Run(t, Subject{Open: func(t *testing.T) Stage { return stage(New(Options{}), nil) }})
}

func TestFakeInFiles(t *testing.T) {
	Run(t, Subject{Open: func(t *testing.T) Stage {
		o := Options{Dir: t.TempDir()}
		reopen := func() platform.Provider {
			f := New(o)
			f.Script(Script{Step: "probe", Version: "v3", Fail: "v3 never gets healthy."})
			return f
		}
		return stage(New(o), reopen)
	}})
}

func TestSlowFake(t *testing.T) {
	Run(t, Subject{Open: func(t *testing.T) Stage { return stage(New(Options{Slow: 45 * time.Millisecond}), nil) }})
}

func TestBareFake(t *testing.T) {
	Run(t, Subject{Open: func(t *testing.T) Stage {
		s := stage(New(Options{}), nil)
		s.Provider = s.Provider.(*Fake).Bare()
		return s
	}})
}

func TestScripts(t *testing.T) {
	run := func(o Options, step string, ctx context.Context) (*Fake, error) {
		f := New(o)
		p := newPlayer(t, stage(f, nil))
		y := p.begin(f.PlanDeploy(t.Context(), ocpizza, source("v1")))
		for i, s := range y.plan.Steps {
			if s.Name == step {
				return f, y.step(ctx, i)
			}
			p.check(s.Name, y.step(t.Context(), i))
		}
		t.Fatalf("there is no step %s", step)
		return nil, nil
	}

	t.Run("a step fails as told and changes nothing", func(t *testing.T) {
		f, err := run(Options{Scripts: []Script{{Step: "switch", Fail: "The switch is stuck."}}}, "switch", t.Context())
		if f.Answer(ocpizza) != "" || fault.Of(err).Say != "The switch is stuck." {
			t.Errorf("answer %q, error %v", f.Answer(ocpizza), err)
		}
	})
	t.Run("a lost answer has changed the world", func(t *testing.T) {
		f, err := run(Options{Scripts: []Script{{Step: "switch", Lose: true}}}, "switch", t.Context())
		if f.Answer(ocpizza) != "v1" || !fault.Is(err, fault.Unreachable) {
			t.Errorf("answer %q, error %v", f.Answer(ocpizza), err)
		}
	})
	for _, way := range []Way{Do, Attach, Once} {
		t.Run("a hanging step ends with its context: "+string(way), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := run(Options{Ways: map[string]Way{"switch": way}, Scripts: []Script{{Step: "switch", Hang: true}}}, "switch", ctx)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v", err)
			}
		})
	}
	t.Run("work that was begun when the answer was lost is found", func(t *testing.T) {
		f, err := run(Options{Scripts: []Script{{Step: "build", Lose: true, Early: true, Times: 1}}}, "build", t.Context())
		if !fault.Is(err, fault.Unreachable) {
			t.Fatalf("error %v", err)
		}
		p := newPlayer(t, stage(f, nil))
		y := p.begin(f.PlanDeploy(t.Context(), ocpizza, source("v1")))
		h, found, err := y.action("build").Find(t.Context(), y.run(0))
		if err != nil || !found {
			t.Fatalf("found %t, %v", found, err)
		}
		if _, err := y.action("build").Wait(t.Context(), y.run(0), h); err != nil || p.Starts(y.run(0).Key) != 1 {
			t.Errorf("waited: %v; begun %d times", err, p.Starts(y.run(0).Key))
		}
	})
	t.Run("a script is only for its version and its app", func(t *testing.T) {
		for _, s := range []Script{{Version: "v2", Fail: "No."}, {App: "ocburger", Fail: "No."}, {Step: "undo switch", Fail: "No."}} {
			if _, err := run(Options{Scripts: []Script{s}}, "switch", t.Context()); err != nil {
				t.Errorf("%+v struck: %v", s, err)
			}
		}
	})
	t.Run("the journal tells who did what when", func(t *testing.T) {
		f, err := run(Options{}, "switch", t.Context())
		if err != nil {
			t.Fatal(err)
		}
		last := f.Journal()[len(f.Journal())-1]
		if last.Event != End || last.Action != "switch" || last.Operation != 101 || last.Fence != 1 || last.At.IsZero() || last.PID != os.Getpid() {
			t.Errorf("the last entry is %+v", last)
		}
	})
	t.Run("a script is used as often as it says", func(t *testing.T) {
		f := New(Options{Scripts: []Script{{Step: "maintenance", Fail: "Not now.", Times: 2}}})
		p := newPlayer(t, stage(f, nil))
		y := p.begin(f.PlanMaintenance(t.Context(), ocpizza, true, ""))
		for n, want := range []bool{false, false, true} {
			if err := y.step(t.Context(), 0); (err == nil) != want {
				t.Errorf("call %d: %v", n+1, err)
			}
		}
	})
}

// TestCrash kills a process that shares a world with the test.
func TestCrash(t *testing.T) {
	if dir := os.Getenv("PLATFORMTEST_CRASH"); dir != "" {
		f := New(Options{Dir: dir, Scripts: []Script{{Step: "build", Crash: true}}})
		p := newPlayer(t, stage(f, nil))
		t.Fatalf("build ended: %v", p.begin(f.PlanDeploy(t.Context(), ocpizza, source("v1"))).step(t.Context(), 0))
	}
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestCrash$")
	child.Env = append(os.Environ(), "PLATFORMTEST_CRASH="+dir)
	out, err := child.CombinedOutput()
	if err == nil || child.ProcessState.Exited() {
		t.Fatalf("the child was not killed: %v\n%s", err, out)
	}
	f := New(Options{Dir: dir})
	p := newPlayer(t, stage(f, nil))
	y := p.begin(f.PlanDeploy(t.Context(), ocpizza, source("v1")))
	h, found, err := y.action("build").Find(t.Context(), y.run(0))
	if err != nil || !found {
		t.Fatalf("the build of the killed process is found: %t, %v", found, err)
	}
	result, err := y.action("build").Wait(t.Context(), y.run(0), h)
	p.check("wait", err)
	y.keep(0, result)
	p.check("the rest", y.rest(t.Context()))
	p.answers(p.First)
	if n := p.Starts(y.run(0).Key); n != 1 {
		t.Errorf("build was begun %d times", n)
	}
}
