package engine

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// Duplicate is returned when the same work is live already.
type Duplicate struct {
	ID    int64 // of the live operation
	fault *fault.Error
}

func (d *Duplicate) Error() string { return d.fault.Error() }
func (d *Duplicate) Unwrap() error { return d.fault }

// Submit passes the gates and commits the operation with its plan, its first
// events, its card and its place in the line. The same Request.Key twice is one
// operation. Faults: Refused or Forbidden (a gate), Busy (a *Duplicate: the same
// work is live), Invalid, Missing, Unsupported.
func (e *Engine) Submit(ctx context.Context, r Request) (platform.Operation, error) {
	if r.Key == "" {
		r.Key = "engine-" + rand.Text()
	} else {
		if op, err := e.Store.ByKey(ctx, r.Key); err == nil || !fault.Is(err, fault.Missing) {
			return op, err
		}
	}
	holders, err := e.holders(ctx, r)
	if err != nil {
		return platform.Operation{}, err
	}
	op, err := e.draft(ctx, r)
	if err != nil {
		return platform.Operation{}, err
	}
	passed, err := e.check(ctx, op)
	if err != nil {
		return platform.Operation{}, err
	}
	op.Warnings = append(op.Warnings, passed.warnings...)
	e.place(&op, passed.required)

	stored := op
	err = e.update(ctx, op.Target, func(tx Tx) error {
		stored = op // a repeated transaction starts from the same
		return e.insert(ctx, tx, &stored, r, holders)
	})
	if err != nil {
		return platform.Operation{}, err
	}
	e.metrics.submitted(stored)
	if stored.State == platform.Queued && stored.Behind == 0 {
		return e.after(ctx, stored, nil)
	}
	return stored, nil
}

// holders are the operations that hold the target against r now.
func (e *Engine) holders(ctx context.Context, r Request) ([]int64, error) {
	live, err := e.Store.Live(ctx)
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, op := range live {
		if op.Target == r.Target && op.State.Holds() && op.Kind.Conflicts(r.Kind) {
			ids = append(ids, op.ID)
		}
	}
	return ids, nil
}

// draft is the operation that r asks for, planned by the recipe of its kind and
// not stored yet.
func (e *Engine) draft(ctx context.Context, r Request) (platform.Operation, error) {
	p, err := e.provider(r.Target)
	if err != nil {
		return platform.Operation{}, err
	}
	cook, ok := recipes[r.Kind]
	if !ok {
		return platform.Operation{}, fault.New(fault.Invalid, "engine.submit", "/help", "There is no operation %q.", r.Kind)
	}
	d, err := cook(ctx, p, r)
	if err != nil {
		return platform.Operation{}, err
	}
	if len(d.plan.Steps) == 0 {
		return platform.Operation{}, fault.New(fault.Invalid, "engine.submit", "/status "+r.Target.App,
			"There is nothing to do on %s.", r.Target)
	}
	if d.args == nil {
		d.args = r.Args
	}
	d.plan.Steps = unique(d.plan.Steps)
	return platform.Operation{
		Key: r.Key, Kind: r.Kind, Target: r.Target, Args: d.args, Source: r.Source, Plan: d.plan,
		Previous: d.previous, Requester: r.Requester, Place: r.Place, Warnings: d.plan.Warnings,
		Created: e.now(),
	}, nil
}

// place puts op into its first state: waiting for those who must agree, or in
// line.
func (e *Engine) place(op *platform.Operation, need *Required) {
	if need == nil || need.Count <= 0 {
		op.State, op.Queued = platform.Queued, op.Created
		return
	}
	expires := orDefault(need.Expires, time.Hour)
	op.State = platform.Waiting
	op.Approval = &platform.Approval{
		Needed: need.Count, Roles: need.Roles, Digest: Digest(*op),
		Deadline: op.Created.Add(expires),
		Remind:   op.Created.Add(orDefault(need.Remind, expires/2)),
	}
}

// insert stores a new operation and, when nothing is before it, begins it.
// Holders are the operations that held the target when it was planned.
func (e *Engine) insert(ctx context.Context, tx Tx, op *platform.Operation, r Request, holders []int64) error {
	known, found, err := tx.ByKey(ctx, r.Key)
	if err != nil {
		return err
	}
	if found {
		*op = known
		return nil
	}
	live, err := tx.Live(ctx)
	if err != nil {
		return err
	}
	if twin, found := duplicate(*op, live); found {
		return &Duplicate{ID: twin.ID, fault: &fault.Error{
			Kind: fault.Busy, Op: "engine.submit",
			Say:  fmt.Sprintf("%s asked for the same already: %s is %s.", twin.Requester.Label(), Title(twin), twin.State),
			Hint: fmt.Sprintf("/operation %d", twin.ID),
		}}
	}
	if gate, v, err := e.barred(ctx, tx, *op); err != nil {
		return err
	} else if !v.Open {
		return refusal(gate, *op, v)
	}
	if op.State == platform.Queued {
		op.Behind = before(*op, live)
	}
	key := ""
	if r.Inbound {
		key = r.Key
	}
	if err := tx.Insert(ctx, op, key); err != nil {
		return err
	}
	return e.introduce(ctx, tx, op, anyEnded(holders, live))
}

// anyEnded reports whether one of the operations is no longer live.
func anyEnded(ids []int64, live []platform.Operation) bool {
	return slices.ContainsFunc(ids, func(id int64) bool {
		return !slices.ContainsFunc(live, func(op platform.Operation) bool { return op.ID == id })
	})
}

// introduce writes the first events of a stored operation, and begins it when it
// need not wait. With a plan that has aged it stands in line, where everything is
// looked at again.
func (e *Engine) introduce(ctx context.Context, tx Tx, op *platform.Operation, aged bool) error {
	who := op.Requester
	if err := e.tell(ctx, tx, *op, Event{Kind: Submitted, By: &who,
		Say: fmt.Sprintf("%s asked for it.", who.Label())}); err != nil {
		return err
	}
	for _, w := range op.Warnings {
		if err := e.tell(ctx, tx, *op, Event{Kind: Warned, Say: w}); err != nil {
			return err
		}
	}
	switch {
	case op.State == platform.Waiting:
		return e.tell(ctx, tx, *op, Event{Kind: ApprovalAsked, Say: asking(*op)})
	case op.Behind != 0:
		return e.tell(ctx, tx, *op, Event{Kind: InLine, Say: fmt.Sprintf("It waits in line behind #%d.", op.Behind)})
	case aged, e.stopping.Load(), e.leased() != nil:
		return nil // this replica begins nothing any more: the next start or another one does
	}
	return e.begin(ctx, tx, op)
}

// duplicate finds a live operation that does exactly what op would do.
func duplicate(op platform.Operation, live []platform.Operation) (platform.Operation, bool) {
	digest := Digest(op)
	for _, other := range live {
		if other.Kind == op.Kind && Digest(other) == digest {
			return other, true
		}
	}
	return platform.Operation{}, false
}

// Digest names what an operation would do: its kind, target, commit and
// arguments. An approval is for one digest.
func Digest(op platform.Operation) string {
	sha := ""
	if op.Source != nil {
		sha = op.Source.SHA
	}
	args := op.Args
	if canonical, err := canonicalJSON(args); err == nil {
		args = canonical
	}
	raw, err := json.Marshal([]any{op.Kind, op.Target.App, op.Target.Environment, sha, string(args)})
	if err != nil {
		panic(fmt.Sprintf("engine: digest: %v", err)) // strings cannot fail to marshal
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// canonicalJSON is raw with its keys in order and no space, so that a detour
// through a database does not change a digest.
func canonicalJSON(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// tell stores an event of op.
func (e *Engine) tell(ctx context.Context, tx Tx, op platform.Operation, ev Event) error {
	ev.Operation, ev.At = op.ID, e.now()
	return tx.AddEvent(ctx, &ev)
}

// update is Store.Update, again when a step record was saved in between.
func (e *Engine) update(ctx context.Context, t platform.Target, fn func(tx Tx) error) error {
	var err error
	for range 20 {
		if err = e.Store.Update(ctx, t, fn); !errors.Is(err, ErrChanged) {
			return err
		}
	}
	return err
}
