package engine

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// Lock keeps everybody but its holder out of a target. The holder may set it
// again, with another reason or end. Faults: Busy (who holds it), Invalid.
func (e *Engine) Lock(ctx context.Context, l Lock) error {
	if strings.TrimSpace(l.Why) == "" {
		return fault.New(fault.Invalid, "engine.lock", "/lock "+l.Target.App+" WHY", "Say why %s is locked.", l.Target)
	}
	if l.At.IsZero() {
		l.At = e.now()
	}
	if !l.Expires.After(e.now()) {
		return fault.New(fault.Invalid, "engine.lock", "", "A lock ends some time: its end must lie ahead.")
	}
	if _, err := e.provider(l.Target); err != nil && l.Target.Environment != "" {
		return err
	}
	held, ok, err := e.Store.SetLock(ctx, l, e.now())
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Busy, "engine.lock", "/unlock "+l.Target.App, "%s", lockedSentence(held))
	}
	return nil
}

// Unlock removes the lock of t and returns it. Whoever may unlock may take
// somebody else's away. Faults: Missing.
func (e *Engine) Unlock(ctx context.Context, t platform.Target, by chat.Person) (Lock, error) {
	locks, err := e.Locks(ctx)
	if err != nil {
		return Lock{}, err
	}
	for _, l := range locks {
		if l.Target != t {
			continue
		}
		if _, err := e.Store.RemoveLock(ctx, t); err != nil {
			return Lock{}, err
		}
		e.look()
		return l, nil
	}
	return Lock{}, fault.New(fault.Missing, "engine.unlock", "/status "+t.App, "%s is not locked.", t)
}

// Locks are those in force.
func (e *Engine) Locks(ctx context.Context) ([]Lock, error) {
	all, err := e.Store.Locks(ctx)
	if err != nil {
		return nil, err
	}
	var live []Lock
	for _, l := range all {
		if l.Expires.After(e.now()) {
			live = append(live, l)
		}
	}
	return live, nil
}

// Freeze stops deploys of an app, or of all.
func (e *Engine) Freeze(ctx context.Context, f Freeze) error {
	if strings.TrimSpace(f.Why) == "" {
		return fault.New(fault.Invalid, "engine.freeze", strings.TrimSpace("/freeze "+f.App)+" WHY", "Say why deploys are frozen.")
	}
	if f.At.IsZero() {
		f.At = e.now()
	}
	if !f.Expires.IsZero() && !f.Expires.After(e.now()) {
		return fault.New(fault.Invalid, "engine.freeze", "", "The end of a freeze must lie ahead.")
	}
	return e.Store.SetFreeze(ctx, f)
}

// Unfreeze ends the freeze of app ("" is the one of all apps) and returns it.
// Faults: Missing.
func (e *Engine) Unfreeze(ctx context.Context, app string, by chat.Person) (Freeze, error) {
	freezes, err := e.Freezes(ctx)
	if err != nil {
		return Freeze{}, err
	}
	for _, f := range freezes {
		if f.App != app {
			continue
		}
		if _, err := e.Store.RemoveFreeze(ctx, app); err != nil {
			return Freeze{}, err
		}
		e.look()
		return f, nil
	}
	what := app
	if what == "" {
		what = "Everything"
	}
	return Freeze{}, fault.New(fault.Missing, "engine.unfreeze", "/status", "%s is not frozen.", what)
}

// Freezes are those in force.
func (e *Engine) Freezes(ctx context.Context) ([]Freeze, error) {
	all, err := e.Store.Freezes(ctx)
	if err != nil {
		return nil, err
	}
	var live []Freeze
	for _, f := range all {
		if f.Expires.IsZero() || f.Expires.After(e.now()) {
			live = append(live, f)
		}
	}
	return live, nil
}

func lockedSentence(l Lock) string {
	return fmt.Sprintf("%s is locked by %s until %s UTC: %s",
		l.Target, l.Person.Label(), l.Expires.UTC().Format("2 Jan 15:04"), sentence(l.Why))
}
