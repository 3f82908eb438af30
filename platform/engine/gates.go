package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// passed is what an operation carries through open gates.
type passed struct {
	required *Required
	warnings []string
}

// chain are the gates in the order in which they are asked: first what concerns
// the person, then the target, then the source. The same for every entry point.
func (e *Engine) chain() []Gate {
	rules := *e.rules.Load()
	look := &inspection{provider: e.provider}
	return append([]Gate{
		permissionGate{e.Policy},
		ownGate{rules.Own},
		lockGate{e.Locks},
		freezeGate{e.Freezes},
		windowGate{rules.Windows, e.Now},
		variablesGate{look},
		procfileGate{look},
		approvalsGate{rules.Approvals, e.Policy},
	}, e.Gates...)
}

// check asks every gate. A closed one is a fault of kind Refused (Forbidden for
// the permission), which names the gate, the evidence and what opens it.
func (e *Engine) check(ctx context.Context, op platform.Operation) (passed, error) {
	var p passed
	for _, g := range e.chain() {
		v, err := g.Check(ctx, op)
		if err != nil {
			return p, cannotTell(g.Name(), op, err)
		}
		if !v.Open {
			return p, refusal(g.Name(), op, v)
		}
		p.warnings = append(p.warnings, v.Warnings...)
		if v.Approval != nil && (p.required == nil || v.Approval.Count > p.required.Count) {
			p.required = v.Approval
		}
	}
	return p, nil
}

// gateError is a refusal that knows its gate.
type gateError struct {
	gate  string
	fault *fault.Error
}

func (g *gateError) Error() string { return g.fault.Error() }
func (g *gateError) Unwrap() error { return g.fault }

func refusal(gate string, op platform.Operation, v Verdict) error {
	kind := fault.Refused
	if gate == permissionName {
		kind = fault.Forbidden
	}
	evidence := v.Evidence
	if evidence == "" {
		evidence = "It gives no reason, which is a mistake in the gate."
	}
	say := fmt.Sprintf("The gate %s is closed for %s: %s", gate, verbOn(op), evidence)
	if kind == fault.Forbidden {
		say = evidence
	}
	return &gateError{gate, &fault.Error{Kind: kind, Op: "engine.gate." + gate, Say: say, Hint: v.Opens}}
}

func cannotTell(gate string, op platform.Operation, err error) error {
	f := fault.Of(err)
	return &gateError{gate, &fault.Error{
		Kind: fault.Refused, Op: "engine.gate." + gate, Hint: f.Hint, Err: err,
		Say: fmt.Sprintf("The gate %s cannot tell whether %s may start, so it stays closed: %s", gate, verbOn(op), f.Say),
	}}
}

func verbOn(op platform.Operation) string { return fmt.Sprintf("%s on %s", op.Kind.Verb(), op.Target) }

const permissionName = "permission"

// permissionGate asks whether the requester may do this at all.
type permissionGate struct{ policy Policy }

func (permissionGate) Name() string { return permissionName }

func (g permissionGate) Check(_ context.Context, op platform.Operation) (Verdict, error) {
	err := g.policy.May(op.Requester, op.Kind.Verb(), op.Target)
	if err == nil {
		return Open(), nil
	}
	if f := fault.Of(err); f.Kind == fault.Forbidden {
		return Closed(f.Say, f.Hint), nil
	}
	return Verdict{}, err
}

// ownGate keeps maitred from working on itself.
type ownGate struct{ own []platform.Target }

func (ownGate) Name() string { return "own-app" }

func (g ownGate) Check(_ context.Context, op platform.Operation) (Verdict, error) {
	for _, t := range g.own {
		if t.App == op.Target.App && (t.Environment == "" || t.Environment == op.Target.Environment) {
			return Closed(fmt.Sprintf("%s is maitred itself, and maitred never works on itself.", op.Target), "/apps"), nil
		}
	}
	return Open(), nil
}

// lockGate keeps everybody but the holder out of a locked target. A backup
// changes nothing there and passes.
type lockGate struct {
	locks func(context.Context) ([]Lock, error)
}

func (lockGate) Name() string { return "lock" }

func (g lockGate) Check(ctx context.Context, op platform.Operation) (Verdict, error) {
	locks, err := g.locks(ctx)
	if err != nil {
		return Verdict{}, err
	}
	return locked(op, locks), nil
}

func locked(op platform.Operation, locks []Lock) Verdict {
	if op.Kind == platform.Capture {
		return Open()
	}
	for _, l := range locks {
		here := l.Target.App == op.Target.App && (l.Target.Environment == "" || l.Target.Environment == op.Target.Environment)
		if here && !l.Person.Same(op.Requester) {
			return Closed(lockedSentence(l), strings.TrimSpace("/unlock "+l.Target.App+in(l.Target.Environment)))
		}
	}
	return Open()
}

// deploys are the kinds that freezes and windows hold back. Going back must stay
// possible, so a rollback passes with a warning.
func deploys(k platform.Kind) bool {
	return k == platform.Deploy || k == platform.Update || k == platform.Restore
}

// freezeGate holds deploys back while a freeze is on.
type freezeGate struct {
	freezes func(context.Context) ([]Freeze, error)
}

func (freezeGate) Name() string { return "freeze" }

func (g freezeGate) Check(ctx context.Context, op platform.Operation) (Verdict, error) {
	freezes, err := g.freezes(ctx)
	if err != nil {
		return Verdict{}, err
	}
	return frozen(op, freezes), nil
}

func frozen(op platform.Operation, freezes []Freeze) Verdict {
	for _, f := range freezes {
		if f.App != "" && f.App != op.Target.App {
			continue
		}
		what, thaw := "All apps are", "/unfreeze --all"
		if f.App != "" {
			what, thaw = f.App+" is", "/unfreeze "+f.App
		}
		until := ""
		if !f.Expires.IsZero() {
			until = " until " + f.Expires.UTC().Format("2 Jan 15:04") + " UTC"
		}
		say := fmt.Sprintf("%s frozen by %s%s: %s", what, f.Person.Label(), until, sentence(f.Why))
		if op.Kind == platform.Rollback {
			return Open(say + " A rollback passes.")
		}
		if deploys(op.Kind) {
			return Closed(say, thaw)
		}
	}
	return Open()
}

// windowGate lets deploys start only inside the deploy windows.
type windowGate struct {
	windows []DeployWindow
	now     func() time.Time
}

func (windowGate) Name() string { return "window" }

func (g windowGate) Check(_ context.Context, op platform.Operation) (Verdict, error) {
	if !deploys(op.Kind) && op.Kind != platform.Rollback {
		return Open(), nil
	}
	var matching []string
	var next time.Time
	now := g.now()
	for _, w := range g.windows {
		if !w.matches(op.Target) {
			continue
		}
		in, err := w.Holds(now)
		if err != nil {
			return Verdict{}, err
		}
		if in {
			return Open(), nil
		}
		matching = append(matching, w.String())
		opens, err := w.Opens(now)
		if err != nil {
			return Verdict{}, err
		}
		if next.IsZero() || opens.Before(next) {
			next = opens
		}
	}
	if len(matching) == 0 {
		return Open(), nil
	}
	say := fmt.Sprintf("It is %s, and %s may be changed %s.", now.In(next.Location()).Format("Mon 15:04 MST"), op.Target, strings.Join(matching, " or "))
	if op.Kind == platform.Rollback {
		return Open(say + " A rollback passes."), nil
	}
	return Closed(say, "Ask again from "+next.Format("Mon 2 Jan 15:04 MST")+"."), nil
}

// inspection looks at a source once for all gates of a chain.
type inspection struct {
	provider func(platform.Target) (platform.Provider, error)
	once     sync.Once
	seen     platform.Inspection
	err      error
}

func (i *inspection) of(ctx context.Context, op platform.Operation) (platform.Inspection, error) {
	i.once.Do(func() {
		if op.Source == nil {
			return
		}
		p, err := i.provider(op.Target)
		if err != nil {
			i.err = err
			return
		}
		if able, ok := p.(platform.Inspector); ok {
			i.seen, i.err = able.Inspect(ctx, op.Target, *op.Source)
		}
	})
	return i.seen, i.err
}

// variablesGate wants every obligatory config variable to be set.
type variablesGate struct{ look *inspection }

func (variablesGate) Name() string { return "variables" }

func (g variablesGate) Check(ctx context.Context, op platform.Operation) (Verdict, error) {
	seen, err := g.look.of(ctx, op)
	if err != nil {
		return Verdict{}, err
	}
	if len(seen.Missing) == 0 {
		return Open(), nil
	}
	return Closed(fmt.Sprintf("%s has no value for %s, which this version must have.", op.Target, list(seen.Missing)),
		fmt.Sprintf("/config set %s %s%s", op.Target.App, seen.Missing[0], in(op.Target.Environment))), nil
}

// procfileGate wants a source that says how it is run.
type procfileGate struct{ look *inspection }

func (procfileGate) Name() string { return "procfile" }

func (g procfileGate) Check(ctx context.Context, op platform.Operation) (Verdict, error) {
	seen, err := g.look.of(ctx, op)
	if err != nil {
		return Verdict{}, err
	}
	if len(seen.Problems) == 0 {
		return Open(), nil
	}
	return Closed(strings.Join(seen.Problems, " "),
		fmt.Sprintf("Mend the Procfile, commit, and /deploy %s@REF%s", op.Target.App, in(op.Target.Environment))), nil
}

// approvalsGate says whose approval is needed first.
type approvalsGate struct {
	rules  []ApprovalRule
	policy Policy
}

func (approvalsGate) Name() string { return "approvals" }

func (g approvalsGate) Check(_ context.Context, op platform.Operation) (Verdict, error) {
	i := slices.IndexFunc(g.rules, func(r ApprovalRule) bool { return r.matches(op) })
	if i < 0 || holdsAny(g.policy.Roles(op.Requester), g.rules[i].Unless) {
		return Open(), nil
	}
	r := g.rules[i]
	v := NeedsApproval(max(r.Count, 1), r.Roles...)
	v.Approval.Expires, v.Approval.Remind = r.Expires, r.Remind
	return v, nil
}

// in is the end of a command that names an environment.
func in(environment string) string {
	if environment == "" {
		return ""
	}
	return " in " + environment
}
