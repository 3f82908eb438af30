package engine

import (
	"context"
	"time"

	"maitred/platform"
)

// Gate is one named reason why an operation may not start. It reads; it never
// waits. The same chain of gates runs at submit and again right before the
// start, for every entry point.
type Gate interface {
	Name() string
	// Check says whether op may start. An error means that the gate cannot
	// tell, which is closed.
	Check(ctx context.Context, op platform.Operation) (Verdict, error)
}

// Verdict is what a gate says. The zero Verdict is closed without a reason,
// which is a mistake; use Open, Closed or NeedsApproval.
type Verdict struct {
	Open     bool
	Evidence string    // a closed gate: what was seen, a sentence
	Opens    string    // a closed gate: what to type or whom to ask
	Approval *Required // approvals that are needed first
	Warnings []string  // of an open gate
}

// Required says whose approval is needed, how many, and for how long it is
// waited for. Zero times are the engine's defaults.
type Required struct {
	Count   int
	Roles   []string
	Expires time.Duration // from the request
	Remind  time.Duration // from the request
}

// Open lets the operation pass.
func Open(warnings ...string) Verdict { return Verdict{Open: true, Warnings: warnings} }

// Closed stops it, with the evidence and what opens the gate.
func Closed(evidence, opens string) Verdict { return Verdict{Evidence: evidence, Opens: opens} }

// NeedsApproval lets it pass once count holders of one of roles have agreed.
func NeedsApproval(count int, roles ...string) Verdict {
	return Verdict{Open: true, Approval: &Required{Count: count, Roles: roles}}
}
