// Package notifications makes what chats show follow what is stored: an outbox
// of subjects that should be seen somewhere at some version, and a dispatcher
// that posts and edits until they are.
package notifications

import (
	"context"
	"strconv"
	"time"

	"maitred/chat"
)

// Subject is a thing that is shown: operation 214, event 977, alert 31.
type Subject struct {
	Kind string `json:"kind"`
	ID   int64  `json:"id"`
}

const (
	OperationSubject = "operation" // the parent message: edited through the whole life
	EventSubject     = "event"     // a new message in the operation's thread
)

// Due is an outbox row: this subject should be seen there, at this version. What
// it looks like is asked when it is sent.
type Due struct {
	ID       int64
	Subject  Subject
	Parent   *Subject // its message is the root of the thread this one belongs to; nil posts at Place
	Place    chat.Place
	Version  int64            // wanted
	Shown    int64            // the version that the chat shows; 0 before the first post
	Message  *chat.MessageRef // nil before the first post
	Attempts int              // failed ones since the last success
	Posting  bool             // an earlier post was begun and nobody knows how it ended: Post with the same key again
}

// Key names the message for the chat, so that a repeated post is one message.
func (d Due) Key() string { return "due-" + itoa(d.ID) }

// Renderer words a subject; commands has one for operations, alerts one for
// alerts. The version is the one that the card shows. Faults: Missing when the
// subject is gone, which ends its row.
type Renderer interface {
	Render(ctx context.Context, s Subject) (c chat.Card, version int64, err error)
}

// Outbox is the stored queue of what is due. Package store implements it.
type Outbox interface {
	// Claim takes up to limit rows whose wanted version is above the shown one,
	// whose time has come and whose parent (if any) is shown, for owner until
	// the lease ends; oldest first, at most one per (place's channel, subject).
	Claim(ctx context.Context, owner string, lease time.Duration, limit int) ([]Due, error)
	// Begin notes that a post of d starts, so that a crash is known of.
	Begin(ctx context.Context, d Due) error
	// Shown stores that the chat shows version at ref and gives the row back.
	Shown(ctx context.Context, d Due, version int64, ref chat.MessageRef) error
	// Later gives the row back to be tried again not before t.
	Later(ctx context.Context, d Due, t time.Time, why string) error
	// Drop ends the row: it cannot be shown, ever, and why.
	Drop(ctx context.Context, d Due, why string) error
	// MessageOf finds the message that shows a subject in a chat.
	MessageOf(ctx context.Context, s Subject) (chat.MessageRef, bool, error)
	// SubjectOf finds what a message shows, so that "approve" in a thread knows
	// what is meant.
	SubjectOf(ctx context.Context, p chat.Place) (Subject, bool, error)
	// Changed wakes when something may be due. It may wake for nothing.
	Changed() <-chan struct{}
	// Backlog counts rows that are due, and how long the oldest has been.
	Backlog(ctx context.Context) (int, time.Duration, error)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
