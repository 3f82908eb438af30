package engine

import (
	"context"
	"database/sql"
	"time"

	"maitred/chat"
	"maitred/platform"
)

// Store keeps operations. Package store implements it over SQLite and
// PostgreSQL; storetest proves both.
type Store interface {
	// Update runs fn in one transaction in which nobody else can Update the same
	// target, and commits when fn returns nil. On SQLite fn must use tx for
	// every read, because there is one connection. It may be run again after a
	// serialization failure, so it changes nothing but through tx. After the
	// commit the store wakes whoever waits on Changed.
	Update(ctx context.Context, t platform.Target, fn func(tx Tx) error) error

	// The reads. Operation and ByKey report fault.Missing.
	Operation(ctx context.Context, id int64) (platform.Operation, error)
	ByKey(ctx context.Context, key string) (platform.Operation, error)
	Operations(ctx context.Context, f Filter) ([]platform.Operation, error) // newest first
	Live(ctx context.Context) ([]platform.Operation, error)                 // every operation that has not ended, oldest first
	Steps(ctx context.Context, id int64) ([]platform.StepRecord, error)     // by phase and index: do first, then undo
	Decisions(ctx context.Context, id int64) ([]platform.Decision, error)   // oldest first
	Events(ctx context.Context, id int64) ([]Event, error)                  // oldest first
	Event(ctx context.Context, event int64) (Event, error)

	// SaveStep writes a step record by (Operation, Index, Undo) outside any
	// target's transaction, when the operation's fence is still r.Fence, and
	// bumps the operation's version so that its cards follow. A stale fence is
	// ErrFenced and writes nothing.
	SaveStep(ctx context.Context, r platform.StepRecord) error

	Locks(ctx context.Context) ([]Lock, error)
	Freezes(ctx context.Context) ([]Freeze, error)
	// SetLock sets l when the target has no lock, or one that expired or is the
	// same person's; otherwise it returns the lock that stands and false.
	SetLock(ctx context.Context, l Lock, now time.Time) (Lock, bool, error)
	RemoveLock(ctx context.Context, t platform.Target) (bool, error)
	SetFreeze(ctx context.Context, f Freeze) error // replaces the app's freeze
	RemoveFreeze(ctx context.Context, app string) (bool, error)

	// Beat renews the lease of a replica by the store's clock and returns when it
	// ends. Dead lists replicas whose lease is over. TakeOver removes a dead
	// replica by compare-and-set and reports whether the caller won it.
	Beat(ctx context.Context, replica, boot string, lease time.Duration) (time.Time, error)
	Dead(ctx context.Context) ([]string, error)
	TakeOver(ctx context.Context, dead, by string) (bool, error)
	// Replicas lists those that neither resigned nor were taken over, the dead
	// that nobody took over yet among them.
	Replicas(ctx context.Context) ([]string, error)
	Resign(ctx context.Context, replica, boot string) error // a polite stop

	// Secret opens a sealed value by its handle. Faults: Missing.
	Secret(ctx context.Context, handle string) (string, error)
	// Prune deletes operations (with steps, events, decisions) that ended before t.
	Prune(ctx context.Context, t time.Time) (int, error)
}

// Tx is one transaction of a Store, on one target.
type Tx interface {
	// SQL is the transaction itself, for the engine's enqueue and nothing else.
	SQL() *sql.Tx

	Operation(ctx context.Context, id int64) (platform.Operation, error)
	ByKey(ctx context.Context, key string) (platform.Operation, bool, error)
	// Live are the operations of the transaction's target that have not ended,
	// in the order of their line: by Queued (unqueued last), then ID.
	Live(ctx context.Context) ([]platform.Operation, error)
	Decisions(ctx context.Context, id int64) ([]platform.Decision, error)
	Steps(ctx context.Context, id int64) ([]platform.StepRecord, error)

	// Insert stores op as new, at Version 1, sets its ID, and enqueues its card.
	// When inboundKey is not empty, the outcome of that inbound row is set to
	// the operation in the same commit, and the secrets named by its fields
	// belong to the operation from then on.
	Insert(ctx context.Context, op *platform.Operation, inboundKey string) error
	// Save stores op when its Version is still the stored one (else
	// ErrChanged), counts the version up, and enqueues its card and the messages
	// that depend on it. A change of state that the table in platform forbids is
	// refused by the database as well. An ended operation's secrets are wiped.
	Save(ctx context.Context, op *platform.Operation) error
	// AddStep and SaveStep write step records without the fence check.
	SaveStep(ctx context.Context, r platform.StepRecord) error
	// AddEvent stores e (ID set) and, when it is Told, enqueues its message.
	AddEvent(ctx context.Context, e *Event) error
	// Decide stores d; a second word of the same person (Person.Same) is
	// ErrDecided.
	Decide(ctx context.Context, d platform.Decision) error
	// Locks and Freezes as in Store, within the transaction.
	Locks(ctx context.Context) ([]Lock, error)
	Freezes(ctx context.Context) ([]Freeze, error)
	// Audit appends a row in maitred's own name: what the engine decided itself.
	Audit(ctx context.Context, place chat.Place, verb, subject, outcome, detail string) error
}

// The conditions that callers of a Store tell apart with errors.Is.
var (
	ErrFenced  = sentinel("the operation has changed hands")
	ErrChanged = sentinel("the operation has changed meanwhile")
	ErrDecided = sentinel("this person has decided already")
)

type sentinel string

func (s sentinel) Error() string { return string(s) }
