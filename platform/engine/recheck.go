package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"maitred/fault"
	"maitred/platform"
)

// closedAt is why an operation is not started after all.
type closedAt struct{ reason, say string }

// recheck looks at everything again right before the start: the gates, that the
// approvals are for what would be done and suffice now, that the ref still names
// the commit that was approved, and the plan, which may have aged while it
// waited. It changes nothing.
func (e *Engine) recheck(ctx context.Context, op platform.Operation) (platform.Operation, *closedAt) {
	stopped := func(reason, why string) *closedAt { return notStarted(op, reason, why) }
	if op.Approval != nil && op.Approval.Digest != Digest(op) {
		return op, stopped("voided", "what was approved is not what would be done")
	}
	p, err := e.check(ctx, op)
	if err != nil {
		name := "unknown"
		if g := (*gateError)(nil); errors.As(err, &g) {
			name = g.gate
		}
		return op, stopped("gate:"+name, fault.Of(err).Say)
	}
	if why, err := e.lacking(ctx, op, p.required); err != nil || why != "" {
		if err != nil {
			why = fault.Of(err).Say
		}
		return op, stopped("gate:approvals", why)
	}
	if why := e.moved(ctx, op); why != "" {
		return op, stopped("voided", why)
	}
	fresh, err := e.draft(ctx, Request{
		Key: op.Key, Kind: op.Kind, Target: op.Target, Source: op.Source, Args: op.Args,
		Requester: op.Requester, Place: op.Place,
	})
	if err != nil {
		return op, stopped("voided", fault.Of(err).Say)
	}
	if Digest(fresh) != Digest(op) {
		return op, stopped("voided", "the world has moved, and it would do something else now")
	}
	op.Plan, op.Previous = fresh.Plan, fresh.Previous
	op.Warnings = append(slices.Clone(p.warnings), fresh.Warnings...)
	return op, nil
}

func notStarted(op platform.Operation, reason, why string) *closedAt {
	return &closedAt{reason, fmt.Sprintf("%s was not started: %s Nothing was changed.", Title(op), sentence(why))}
}

// lacking says which approvals are missing by the rules of now; empty is none.
func (e *Engine) lacking(ctx context.Context, op platform.Operation, need *Required) (string, error) {
	if need == nil || op.BrokenGlass {
		return "", nil
	}
	said, err := e.Store.Decisions(ctx, op.ID)
	if err != nil {
		return "", err
	}
	have := 0
	for _, d := range said {
		if d.Approve && !d.Person.Same(op.Requester) && holdsAny(e.Policy.Roles(d.Person), need.Roles) {
			have++
		}
	}
	if have >= need.Count {
		return "", nil
	}
	return fmt.Sprintf("it needs %d approval(s) of %s by the rules of now, and has %d", need.Count, list(need.Roles), have), nil
}

// moved says why an approved ref is not what it was; empty is that it is.
func (e *Engine) moved(ctx context.Context, op platform.Operation) string {
	if op.Approval == nil || op.Source == nil || e.Resolve == nil || op.Source.Archive != "" {
		return ""
	}
	now, err := e.Resolve(ctx, op.Target, op.Source.Ref)
	if err != nil {
		return fmt.Sprintf("whether %s still is the commit that was approved cannot be told: %s", op.Source.Ref, fault.Of(err).Say)
	}
	if now.SHA == op.Source.SHA {
		return ""
	}
	return fmt.Sprintf("%s was %s when it was approved and is %s now", op.Source.Ref, short(op.Source.SHA), short(now.SHA))
}

// barred looks for a lock or freeze that came after the gates were asked, within
// the transaction of the start. It returns the gate, when one is closed.
func (e *Engine) barred(ctx context.Context, tx Tx, op platform.Operation) (string, Verdict, error) {
	locks, err := tx.Locks(ctx)
	if err != nil {
		return "", Verdict{}, err
	}
	freezes, err := tx.Freezes(ctx)
	if err != nil {
		return "", Verdict{}, err
	}
	now := e.now()
	locks = slices.DeleteFunc(locks, func(l Lock) bool { return !l.Expires.After(now) })
	freezes = slices.DeleteFunc(freezes, func(f Freeze) bool { return !f.Expires.IsZero() && !f.Expires.After(now) })
	if v := locked(op, locks); !v.Open {
		return "lock", v, nil
	}
	if v := frozen(op, freezes); !v.Open {
		return "freeze", v, nil
	}
	return "", Open(), nil
}

func short(sha string) string {
	if len(sha) > 8 {
		return sha[:8]
	}
	return sha
}
