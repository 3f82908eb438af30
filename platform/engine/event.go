package engine

import (
	"time"

	"maitred/chat"
	"maitred/platform"
)

// Event is something that happened to an operation. Events are append-only: the
// history that /operation shows. Those that somebody must notice become new
// messages in the operation's thread; see Told.
type Event struct {
	ID        int64        `json:"id"`
	Operation int64        `json:"operation"`
	Kind      EventKind    `json:"kind"`
	By        *chat.Person `json:"by,omitempty"`   // nil when maitred itself
	Say       string       `json:"say"`            // a sentence
	Step      string       `json:"step,omitempty"` // the name of the step it tells of; its output is in the step's record
	Undo      bool         `json:"undo,omitempty"` // it tells of taking that step back
	At        time.Time    `json:"at"`
}

// EventKind is what an Event tells.
type EventKind string

const (
	Submitted      EventKind = "submitted"
	ApprovalAsked  EventKind = "approval-asked"    // mentions who may decide; edited when decided
	ApprovalRemind EventKind = "approval-reminder" // mentions them again
	Decided        EventKind = "decided"           // mentions the requester
	GlassBroken    EventKind = "glass-broken"      // mentions the channel
	InLine         EventKind = "in-line"
	TurnCame       EventKind = "turn-came" // mentions the requester, when it had waited in line
	Began          EventKind = "began"
	Warned         EventKind = "warned"
	StepEnded      EventKind = "step-ended" // its output goes to the thread
	UndoBegan      EventKind = "undo-began"
	CancelAsked    EventKind = "cancel-asked"
	BecameUnknown  EventKind = "became-unknown" // mentions the requester and who may settle
	Settled        EventKind = "settled"
	TakenOver      EventKind = "taken-over" // another replica carries on
	Finished       EventKind = "finished"   // mentions the requester
)

// Told reports whether an event of kind k becomes a message of its own in the
// thread.
func (k EventKind) Told() bool {
	switch k {
	case Submitted, InLine, Began, TakenOver:
		return false
	}
	return true
}

// Lock is a person keeping others out of a target.
type Lock struct {
	Target  platform.Target `json:"target"` // an empty environment locks every environment of the app
	Person  chat.Person     `json:"person"`
	Why     string          `json:"why"`
	At      time.Time       `json:"at"`
	Expires time.Time       `json:"expires"`
}

// Freeze stops deploys for everybody. An empty App freezes all apps.
type Freeze struct {
	App     string      `json:"app,omitempty"`
	Person  chat.Person `json:"person"`
	Why     string      `json:"why"`
	At      time.Time   `json:"at"`
	Expires time.Time   `json:"expires,omitzero"` // zero lasts until /unfreeze
}

// Filter narrows a list of operations. Zero fields do not narrow.
type Filter struct {
	App         string
	Environment string
	Kinds       []platform.Kind
	States      []platform.State
	Requester   string // Person.Who
	Before      int64  // ids below, for paging
	Limit       int    // at most; 20 when zero
}
