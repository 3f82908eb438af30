package platform

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"
)

// Plan says how something would be done, as data: it is stored with the
// operation, shown in the chat, and walked by the engine, also by a later
// version of maitred than the one that made it.
type Plan struct {
	Steps    []Step   `json:"steps"`
	Warnings []string `json:"warnings,omitempty"` // sentences for the requester and the approvers
}

// Step is one line of a plan. It is data, so that it can be stored, shown, and
// resumed by a later version of maitred.
type Step struct {
	Name   string          `json:"name"`             // "build", "migrate", "switch": what the card shows
	Action string          `json:"action"`           // a key of Provider.Actions
	Args   json.RawMessage `json:"args,omitempty"`   // what the action needs to know; never a secret
	Undo   string          `json:"undo,omitempty"`   // the action that takes it back; empty when there is nothing to take back
	Always bool            `json:"always,omitempty"` // its undo runs even when the step itself had not finished (it may have done half)
}

// Action carries a step out in one of three ways. Exactly one of Do, Start (with
// Find and Wait) and Once is set.
//
//	Do                 may be repeated: the same call twice leaves the same world.
//	Start, Find, Wait  starts work elsewhere and waits for it. After a crash Find looks for what Start began before anyone starts again.
//	Once               must not be repeated: an intent without a result becomes unknown, and a person is asked.
//
// All of them end soon after ctx ends, with whatever they started stopped (Wait:
// its whole process group), and return ctx's error. An error that is a
// fault.Error is shown; another is logged and shown as a reference.
type Action struct {
	Do    func(ctx context.Context, r Run) (Result, error)
	Start func(ctx context.Context, r Run) (Handle, error)
	Find  func(ctx context.Context, r Run) (Handle, bool, error)
	Wait  func(ctx context.Context, r Run, h Handle) (Result, error)
	Once  func(ctx context.Context, r Run) (Result, error)

	Timeout time.Duration // the engine's default when zero
	Retries int           // how often an Unreachable fault of a Do is tried again
}

// ErrStopping is the cause (context.Cause) of a context that ends because
// maitred itself stops, politely. Wait then returns and leaves what Start began
// running, so that the next start finds it; for any other cause it stops it.
var ErrStopping = errors.New("maitred is stopping")

// Handle finds work that was started elsewhere. It is stored.
type Handle string

// Result is what came of a step. It is stored and never holds a secret.
type Result struct {
	Say      string          `json:"say,omitempty"`      // for the card, a few words: "3 migrations"
	Data     json.RawMessage `json:"data,omitempty"`     // for later steps and the undo
	Release  string          `json:"release,omitempty"`  // the release this step made live
	Backup   string          `json:"backup,omitempty"`   // the backup this step made
	Warnings []string        `json:"warnings,omitempty"` // sentences for the thread
	Exit     *int            `json:"exit,omitempty"`     // exit code of a command that the person asked for
}

// Run is what an action gets.
type Run struct {
	Operation int64  // number of the operation: #214
	Requester string // label of who asked, for ledgers
	Target    Target
	Step      Step
	Key       string                     // "214/build": stable over restarts, for naming things elsewhere
	Fence     int64                      // grows each time the operation changes hands; a runner may refuse an older one
	Results   map[string]json.RawMessage // Result.Data of the finished steps by name; on undo also the step's own
	Log       io.Writer                  // reaches the thread, redacted; never nil
	// Secret opens a handle made by the door. The value must go nowhere but to
	// the platform.
	Secret func(ctx context.Context, handle string) (string, error)
}
