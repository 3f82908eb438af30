package platform

import (
	"encoding/json"
	"slices"
	"time"

	"maitred/chat"
)

// Operation is a durable piece of work on a target: #214. It is a row; the
// engine is the only one that changes it.
type Operation struct {
	ID          int64           `json:"id"`
	Key         string          `json:"key"` // of the request: the same key twice is one operation
	Kind        Kind            `json:"kind"`
	Target      Target          `json:"target"`
	Args        json.RawMessage `json:"args,omitempty"` // as the recipe of Kind defines them; part of what is approved
	Source      *Source         `json:"source,omitempty"`
	Plan        Plan            `json:"plan"`
	State       State           `json:"state"`
	Reason      string          `json:"reason,omitempty"`   // of an end other than succeeded: rejected, expired, voided, gate:NAME, step:NAME, by:PERSON
	Message     string          `json:"message,omitempty"`  // the sentence that goes with Reason
	Undone      bool            `json:"undone"`             // what it had changed was taken back
	Release     string          `json:"release,omitempty"`  // the release that it made live
	Backup      string          `json:"backup,omitempty"`   // the backup that it made
	Previous    string          `json:"previous,omitempty"` // the release that was live when it started
	Requester   chat.Person     `json:"requester"`
	Place       chat.Place      `json:"place"`              // where its message lives
	Approval    *Approval       `json:"approval,omitempty"` // what it waits or waited for
	Behind      int64           `json:"behind,omitempty"`   // while queued: the operation that goes before it
	BrokenGlass bool            `json:"broken_glass,omitempty"`
	Cancel      *Cancellation   `json:"cancel,omitempty"` // asked for, perhaps not yet carried out
	Fence       int64           `json:"fence"`            // grows each time the work is handed to a runner
	Owner       string          `json:"owner,omitempty"`  // replica that runs it
	Version     int64           `json:"version"`          // grows with every change: what the cards follow
	Warnings    []string        `json:"warnings,omitempty"`
	Created     time.Time       `json:"created"`
	Queued      time.Time       `json:"queued,omitzero"`
	Started     time.Time       `json:"started,omitzero"`
	Ended       time.Time       `json:"ended,omitzero"`
}

// State is where an operation is in its life.
type State string

const (
	Waiting   State = "waiting" // for approval
	Queued    State = "queued"  // for its turn on the target
	Running   State = "running"
	Undoing   State = "undoing"
	Unknown   State = "unknown" // a step may or may not have happened: a person settles it
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// next is the life of an operation: the check, the drawing in docs, the SQL
// constraint and the random-walk test all read it.
var next = map[State][]State{
	Waiting:   {Queued, Cancelled},
	Queued:    {Running, Cancelled},
	Running:   {Succeeded, Failed, Cancelled, Undoing, Unknown},
	Undoing:   {Failed, Cancelled, Unknown},
	Unknown:   {Running, Undoing, Failed},
	Succeeded: {},
	Failed:    {},
	Cancelled: {},
}

// States are all states, in the order of a life.
var States = []State{Waiting, Queued, Running, Undoing, Unknown, Succeeded, Failed, Cancelled}

// CanBecome reports whether an operation in s may go to t.
func (s State) CanBecome(t State) bool { return slices.Contains(next[s], t) }

// Ended reports whether nothing will happen to the operation any more.
func (s State) Ended() bool { return len(next[s]) == 0 }

// Holds reports whether an operation in s occupies its target.
func (s State) Holds() bool { return s == Running || s == Undoing || s == Unknown }

// Kind is the verb of an operation.
type Kind string

const (
	Deploy      Kind = "deploy"
	Rollback    Kind = "rollback"
	Update      Kind = "update"
	Restore     Kind = "restore"
	Capture     Kind = "capture"
	Maintain    Kind = "maintenance"
	Start       Kind = "start"
	Stop        Kind = "stop"
	Restart     Kind = "restart"
	Scale       Kind = "scale"
	RunCommand  Kind = "run"
	SetConfig   Kind = "config-set"
	UnsetConfig Kind = "config-unset"
)

// Verb is the command that asks for k, as roles and approval rules name it.
func (k Kind) Verb() string {
	switch k {
	case Restore:
		return "backup restore"
	case Capture:
		return "backup capture"
	case Maintain:
		return "maintenance on"
	case SetConfig:
		return "config set"
	case UnsetConfig:
		return "config unset"
	}
	return string(k)
}

// Exclusive reports whether an operation of kind k needs its target for itself.
// Others run beside it, except the pairs that Conflicts knows.
func (k Kind) Exclusive() bool {
	return k == Deploy || k == Rollback || k == Update || k == Restore
}

// conflicts are the pairs that must not run at once on one target, beyond the
// rule that two exclusive operations never do.
var conflicts = map[Kind][]Kind{
	Deploy:      {Start, Stop, Restart, Scale, SetConfig, UnsetConfig},
	Rollback:    {Start, Stop, Restart, Scale, SetConfig, UnsetConfig},
	Update:      {Start, Stop, Restart, Scale, SetConfig, UnsetConfig, Maintain, Capture, RunCommand},
	Restore:     {Start, Stop, Restart, Scale, SetConfig, UnsetConfig, Capture, RunCommand},
	Capture:     {Capture},
	Maintain:    {Maintain},
	Start:       {Start, Stop, Restart, Scale},
	Stop:        {Stop, Restart, Scale},
	Restart:     {Restart, Scale},
	Scale:       {Scale},
	SetConfig:   {SetConfig, UnsetConfig, Start, Stop, Restart},
	UnsetConfig: {UnsetConfig, Start, Stop, Restart},
}

// Conflicts reports whether operations of kinds k and l must not run on one
// target at the same time. It is symmetric.
func (k Kind) Conflicts(l Kind) bool {
	if k.Exclusive() && l.Exclusive() {
		return true
	}
	return slices.Contains(conflicts[k], l) || slices.Contains(conflicts[l], k)
}

// Approval is what an operation waits for, and until when.
type Approval struct {
	Needed   int       `json:"needed"`
	Roles    []string  `json:"roles"` // whose holders may decide
	Deadline time.Time `json:"deadline"`
	Remind   time.Time `json:"remind,omitzero"` // when to remind; zero after that was done
	Digest   string    `json:"digest"`          // of SHA, target and arguments: what was approved
}

// Decision is one person's word on an operation. A person has one.
type Decision struct {
	Operation int64       `json:"operation"`
	Person    chat.Person `json:"person"`
	Approve   bool        `json:"approve"`
	Why       string      `json:"why,omitempty"`
	Broke     bool        `json:"broke,omitempty"` // by /breakglass
	At        time.Time   `json:"at"`
}

// Cancellation is a person's wish that an operation stop.
type Cancellation struct {
	Person chat.Person `json:"person"`
	At     time.Time   `json:"at"`
}

// StepRecord is what is known of one step of an operation, in one phase.
type StepRecord struct {
	Operation int64          `json:"operation"`
	Index     int            `json:"index"` // in Plan.Steps
	Undo      bool           `json:"undo"`  // of taking the step back
	Name      string         `json:"name"`
	State     chat.StepState `json:"state"`
	Fence     int64          `json:"fence"`   // under which it was begun
	Attempt   int            `json:"attempt"` // how often it was begun
	Handle    Handle         `json:"handle,omitempty"`
	Result    Result         `json:"result"`
	Error     string         `json:"error,omitempty"`  // the sentence for the person
	Output    string         `json:"output,omitempty"` // the last lines it printed, redacted, at most 16 KiB
	Started   time.Time      `json:"started,omitzero"`
	Ended     time.Time      `json:"ended,omitzero"`
}

// Settlement is a person's word on a step that is unknown.
type Settlement struct {
	Person  chat.Person `json:"person"`
	Verdict Verdict     `json:"verdict"`
	Why     string      `json:"why"`
}

// Verdict is what a person found to be true of an unknown step.
type Verdict string

const (
	WasDone    Verdict = "done"
	WasNotDone Verdict = "not-done"
	GiveUp     Verdict = "give-up" // nobody can tell or wait: the operation ends as failed, nothing is undone
)
