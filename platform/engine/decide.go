package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// Decide is one person's word on a waiting operation. The Nth approval or the
// first reject decides. Faults: Forbidden (and who may), Refused (decided
// already), Missing.
func (e *Engine) Decide(ctx context.Context, id int64, d platform.Decision) (platform.Operation, error) {
	op, err := e.Store.Operation(ctx, id)
	if err != nil {
		return op, err
	}
	if err := e.mayDecide(op, d.Person); err != nil {
		return op, err
	}
	d.Operation, d.Broke = id, false
	err = e.update(ctx, op.Target, func(tx Tx) error {
		op, err = tx.Operation(ctx, id)
		if err != nil {
			return err
		}
		if err := e.undecided(ctx, tx, op); err != nil {
			return err
		}
		d.At = e.now()
		return e.decide(ctx, tx, &op, d)
	})
	if errors.Is(err, ErrDecided) {
		return op, fault.New(fault.Refused, "engine.decide", fmt.Sprintf("/operation %d", id),
			"You have decided about #%d already; a person has one word.", id)
	}
	return e.after(ctx, op, err)
}

// decide stores d and moves op when it decides.
func (e *Engine) decide(ctx context.Context, tx Tx, op *platform.Operation, d platform.Decision) error {
	if err := tx.Decide(ctx, d); err != nil {
		return err
	}
	who, because := d.Person, ""
	if d.Why != "" {
		because = ": " + d.Why
	}
	if !d.Approve {
		if err := e.tell(ctx, tx, *op, Event{Kind: Decided, By: &who,
			Say: fmt.Sprintf("%s rejected it%s", who.Label(), sentence(because))}); err != nil {
			return err
		}
		return e.end(ctx, tx, op, platform.Cancelled, "rejected",
			fmt.Sprintf("%s was rejected by %s%s Nothing was changed.", Title(*op), who.Label(), sentence(because)))
	}
	said, err := tx.Decisions(ctx, op.ID)
	if err != nil {
		return err
	}
	have := approvals(said)
	say := fmt.Sprintf("%s approved it%s", who.Label(), sentence(because))
	if missing := op.Approval.Needed - have; missing > 0 {
		say += fmt.Sprintf(" %d more needed.", missing)
		if err := tx.Save(ctx, op); err != nil {
			return err
		}
	} else if err := e.queueUp(ctx, tx, op); err != nil {
		return err
	}
	return e.tell(ctx, tx, *op, Event{Kind: Decided, By: &who, Say: say})
}

// queueUp moves a waiting operation to the end of its target's line.
func (e *Engine) queueUp(ctx context.Context, tx Tx, op *platform.Operation) error {
	live, err := tx.Live(ctx)
	if err != nil {
		return err
	}
	op.State, op.Queued = platform.Queued, e.now()
	for _, other := range live { // the end of the line, whatever the clocks say
		if other.State == platform.Queued && !other.Queued.Before(op.Queued) {
			op.Queued = other.Queued.Add(1e6)
		}
	}
	op.Behind = before(*op, live)
	if err := tx.Save(ctx, op); err != nil {
		return err
	}
	if op.Behind == 0 {
		return nil
	}
	return e.tell(ctx, tx, *op, Event{Kind: InLine, Say: fmt.Sprintf("It waits in line behind #%d.", op.Behind)})
}

// BreakGlass lets a waiting operation go without its approvals. The channel is
// told. Faults: Forbidden, Refused, Invalid (without a reason), Missing.
func (e *Engine) BreakGlass(ctx context.Context, id int64, by chat.Person, why string) (platform.Operation, error) {
	op, err := e.Store.Operation(ctx, id)
	if err != nil {
		return op, err
	}
	if strings.TrimSpace(why) == "" {
		return op, fault.New(fault.Invalid, "engine.breakglass", fmt.Sprintf("/breakglass %d WHY", id), "Say why the glass is broken.")
	}
	if by.Guest || by.Automaton || by.Who == "" {
		return op, fault.New(fault.Forbidden, "engine.breakglass", "", "Only a known person may break the glass.")
	}
	if err := e.Policy.May(by, "breakglass", op.Target); err != nil {
		return op, err
	}
	err = e.update(ctx, op.Target, func(tx Tx) error {
		op, err = tx.Operation(ctx, id)
		if err != nil {
			return err
		}
		if err := e.undecided(ctx, tx, op); err != nil {
			return err
		}
		said, err := tx.Decisions(ctx, id)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(said, func(d platform.Decision) bool { return d.Person.Same(by) }) {
			if err := tx.Decide(ctx, platform.Decision{Operation: id, Person: by, Approve: true, Broke: true, Why: why, At: e.now()}); err != nil {
				return err
			}
		}
		op.BrokenGlass = true
		if err := e.queueUp(ctx, tx, &op); err != nil {
			return err
		}
		return e.tell(ctx, tx, op, Event{Kind: GlassBroken, By: &by,
			Say: fmt.Sprintf("%s broke the glass: %s goes without its approvals. %s", by.Label(), Title(op), sentence(why))})
	})
	return e.after(ctx, op, err)
}

// after starts what may start now, and returns op as it is then.
func (e *Engine) after(ctx context.Context, op platform.Operation, err error) (platform.Operation, error) {
	if err != nil {
		return op, err
	}
	if op.State.Ended() {
		e.metrics.ended(op)
	}
	e.advance(ctx, op.Target)
	if now, err := e.Store.Operation(ctx, op.ID); err == nil {
		return now, nil
	}
	return op, nil
}

// mayDecide is nil when who may approve or reject op.
func (e *Engine) mayDecide(op platform.Operation, who chat.Person) error {
	no := func(format string, args ...any) error {
		return fault.New(fault.Forbidden, "engine.decide", fmt.Sprintf("/operation %d", op.ID), "%s", fmt.Sprintf(format, args...))
	}
	if op.Approval == nil {
		return fault.New(fault.Refused, "engine.decide", fmt.Sprintf("/operation %d", op.ID), "%s needs no approval.", Title(op))
	}
	deciders := e.deciders(op)
	switch {
	case who.Automaton:
		return no("Only people approve; %s is a service. %s", who.Label(), deciders)
	case who.Guest || who.Who == "":
		return no("maitred does not know you as one who may decide. %s", deciders)
	case who.Same(op.Requester):
		return fault.New(fault.Forbidden, "engine.decide", fmt.Sprintf("/cancel %d", op.ID),
			"You asked for %s yourself, so somebody else decides. %s", Title(op), deciders)
	case !holdsAny(e.Policy.Roles(who), op.Approval.Roles):
		return no("Deciding about #%d needs the role %s. %s", op.ID, strings.Join(op.Approval.Roles, " or "), deciders)
	}
	return nil
}

// deciders is the sentence that names who may decide about op.
func (e *Engine) deciders(op platform.Operation) string {
	var names []string
	for _, p := range e.Policy.Holders(op.Place.Chat, op.Approval.Roles...) {
		if !p.Same(op.Requester) && !p.Automaton && !p.Guest {
			names = append(names, p.Label())
		}
	}
	if len(names) == 0 {
		return fmt.Sprintf("Holders of the role %s may.", strings.Join(op.Approval.Roles, " or "))
	}
	return fmt.Sprintf("These people may: %s.", strings.Join(names, ", "))
}

// undecided is nil while op waits and its time is not over.
func (e *Engine) undecided(ctx context.Context, tx Tx, op platform.Operation) error {
	hint := fmt.Sprintf("/operation %d", op.ID)
	if op.State == platform.Waiting {
		if e.now().Before(op.Approval.Deadline) {
			return nil
		}
		return fault.New(fault.Refused, "engine.decide", hint, "The time to decide about #%d is over; it has to be asked for again.", op.ID)
	}
	if op.Approval == nil {
		return fault.New(fault.Refused, "engine.decide", hint, "%s needs no approval; it %s.", Title(op), standing(op.State))
	}
	said, err := tx.Decisions(ctx, op.ID)
	if err != nil {
		return err
	}
	if len(said) == 0 {
		return fault.New(fault.Refused, "engine.decide", hint, "There is nothing left to decide about #%d: it %s.", op.ID, standing(op.State))
	}
	last := said[len(said)-1]
	word := "rejected"
	switch {
	case last.Broke:
		word = "let through by breaking the glass"
	case last.Approve:
		word = "approved"
	}
	return fault.New(fault.Refused, "engine.decide", hint, "#%d was %s by %s at %s UTC; it %s.",
		op.ID, word, last.Person.Label(), last.At.UTC().Format("15:04:05"), standing(op.State))
}

// standing is where an operation is in its life, behind "it".
func standing(s platform.State) string {
	switch s {
	case platform.Waiting:
		return "waits for approval"
	case platform.Succeeded, platform.Failed:
		return "has " + string(s)
	case platform.Cancelled:
		return "was cancelled"
	case platform.Undoing:
		return "is being taken back"
	case platform.Unknown:
		return "needs a person: nobody knows whether a step happened"
	}
	return "is " + string(s)
}

// approvals counts the people who agreed.
func approvals(said []platform.Decision) int {
	n := 0
	for _, d := range said {
		if d.Approve {
			n++
		}
	}
	return n
}

func holdsAny(have, want []string) bool {
	return slices.ContainsFunc(want, func(w string) bool { return slices.Contains(have, w) })
}

// sentence ends text as a sentence.
func sentence(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}
