package platformtest

import (
	"context"
	"os"
	"syscall"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// Script tells a Fake how an action is to behave. The first one that matches
// is used; zero fields match everything and change nothing.
type Script struct {
	Step    string // of the plan ("switch"), or of its undo ("undo switch")
	Version string // only while this Source.Version (or its SHA) is deployed
	App     string // only on this app
	Times   int    // how often; 0 is always

	Slow        time.Duration // take this long
	Fail        string        // fail with this sentence, having changed nothing
	Unreachable bool          // Fail is worth another try
	Hang        bool          // until the context ends
	Lose        bool          // do it, then report a failure as if the answer was lost
	Crash       bool          // do it, then kill -9 the own process
	Early       bool          // Lose and Crash strike when it has begun, not when it is done
}

// Script adds scripts, before those that are there.
func (f *Fake) Script(scripts ...Script) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts = append(append([]Script(nil), scripts...), f.scripts...)
}

// Unscript forgets all scripts.
func (f *Fake) Unscript() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.scripts = nil
}

// scripted takes the script for one call of an action.
func (f *Fake) scripted(v verb, r platform.Run) Script {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.scripts {
		s := &f.scripts[i]
		if s.Times < 0 || !s.matches(v, r) {
			continue
		}
		if s.Times > 0 {
			if s.Times--; s.Times == 0 {
				s.Times = -1 // used up
			}
		}
		if s.Slow == 0 {
			s.Slow = f.options.Slow
		}
		return *s
	}
	return Script{Slow: f.options.Slow}
}

func (s Script) matches(v verb, r platform.Run) bool {
	name := r.Step.Name
	if v.undo {
		name = "undo " + name
	}
	if s.Step != "" && s.Step != name {
		return false
	}
	if s.App != "" && s.App != r.Target.App {
		return false
	}
	if s.Version != "" {
		src := readArgs(r).Source
		return src != nil && (src.Version == s.Version || src.SHA == s.Version)
	}
	return true
}

// play spends the time that the script asks for, before the world changes. Its
// error means that nothing was changed.
func (s Script) play(ctx context.Context) error {
	if s.Hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if err := pause(ctx, s.Slow); err != nil {
		return err
	}
	return s.failure()
}

func (s Script) failure() error {
	switch {
	case s.Fail == "":
		return nil
	case s.Unreachable:
		return fault.New(fault.Unreachable, "fake", "", "%s", s.Fail)
	}
	return fault.New(fault.Invalid, "fake", "", "%s", s.Fail)
}

// strike loses the answer or the process, when the script says so.
func (s Script) strike() error {
	if s.Crash {
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return err
		}
		select {} // the signal is on its way
	}
	if s.Lose {
		return fault.New(fault.Unreachable, "fake", "", "The answer of the platform was lost.")
	}
	return nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
