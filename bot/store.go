package bot

import (
	"context"
	"time"

	"maitred/chat"
	"maitred/commands"
)

// Store keeps what was heard. Package store implements it.
type Store interface {
	// Hear commits in (with its sealed secrets by handle) in state received,
	// owned by owner until the lease ends, and reports whether its key was
	// already known. It returns only when the row is on disk.
	Hear(ctx context.Context, in chat.Inbound, secrets map[string][]byte, owner string, lease time.Duration) (known bool, err error)
	// Heard reads a row. Faults: Missing.
	Heard(ctx context.Context, key string) (Heard, error)
	// Abandoned takes up rows that are not told yet and whose owner is dead or
	// gone, for owner, oldest first.
	Abandoned(ctx context.Context, owner string, lease time.Duration, limit int) ([]Heard, error)
	// Renew keeps the leases of owner's rows that are not told yet.
	Renew(ctx context.Context, owner string, lease time.Duration) error
	// Answered ends a row with what was said back, and appends the audit row in
	// the same commit.
	Answered(ctx context.Context, key string, said []Said, operation int64, started bool, row commands.AuditRow) error
	// Told notes that what was said to the lines of keys was delivered. A row to
	// which nothing was said needs no telling.
	Told(ctx context.Context, keys ...string) error
	// Audit appends a row outside any inbound.
	AppendAudit(ctx context.Context, row commands.AuditRow) error
}

// Heard is an inbound row.
type Heard struct {
	In        chat.Inbound
	Done      bool // answered; Abandoned then returns it because nobody knows whether that was delivered
	Said      []Said
	Operation int64 // that the line started; known as soon as the engine committed it
	Started   bool
}

// Said is one answer to a line.
type Said struct {
	Card    chat.Card  `json:"card"`
	Private bool       `json:"private,omitempty"`
	Form    *chat.Form `json:"form,omitempty"`
	Refused bool       `json:"refused,omitempty"` // it was not done: refused, failed, not understood
}
