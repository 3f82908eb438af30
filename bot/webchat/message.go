package webchat

import (
	"context"
	"slices"
	"strconv"
	"time"

	"maitred/chat"
)

// Message is one message as it is stored. maitred's own have a Card, a Form or a
// File and no Author.
type Message struct {
	ID       int64
	Seq      int64      // grows with every change of any message: what an open page follows
	Key      string     // the same key twice is one message
	Channel  string     //
	Thread   int64      // the message that the thread hangs on; zero in the channel itself
	Author   string     // persona; empty is maitred
	Viewer   string     // the only persona that sees it; empty is everybody
	Mentions []string   // personas; Everybody for all
	Text     string     // of a persona
	Card     *chat.Card //
	Form     *chat.Form // until it is answered
	File     string     // the name of a file that hangs on it
	Lost     bool       // it was shown, but the door could not store it
	At       time.Time  //
	Edited   time.Time  // zero when never
}

// Everybody in Mentions means the whole channel.
const Everybody = "*"

// Ref is where the message is, for whoever edits it or answers it.
func (m Message) Ref() chat.MessageRef {
	return chat.MessageRef{Place: m.Place(), ID: strconv.FormatInt(m.ID, 10)}
}

// Place is where the message was said.
func (m Message) Place() chat.Place {
	p := chat.Place{Chat: Name, Channel: m.Channel}
	if m.Thread != 0 {
		p.Thread = strconv.FormatInt(m.Thread, 10)
	}
	return p
}

// mentions reports whether the persona should notice m.
func (m Message) mentions(persona string) bool {
	return slices.Contains(m.Mentions, persona) || slices.Contains(m.Mentions, Everybody)
}

// Thread is what hangs on a message, as one persona sees it.
type Thread struct {
	Replies   int
	New       int  // not seen yet
	Mentioned bool // a reply not seen yet mentions the persona
	Last      time.Time
}

// Unread is what a persona has not seen of a channel.
type Unread struct {
	Messages int `json:"messages"` // in the channel itself
	Mentions int `json:"mentions"` // there and in its threads
}

// Store keeps the messages. Package store implements it.
type Store interface {
	// AddMessage stores m (ID, Seq set) with the data of its file, and touches
	// the message that its thread hangs on. A known key stores nothing and
	// returns what stands. Faults: Missing when there is no such thread.
	AddMessage(ctx context.Context, m Message, file []byte) (stored Message, known bool, err error)
	// ChangeMessage stores the Card, Form, Mentions, Lost and Edited of m under
	// its ID, and returns what is stored. Faults: Missing.
	ChangeMessage(ctx context.Context, m Message) (Message, error)
	// Message reads one. Faults: Missing.
	Message(ctx context.Context, id int64) (Message, error)
	// MessageFile reads the data of a message's file. Faults: Missing.
	MessageFile(ctx context.Context, id int64) ([]byte, error)
	// Messages are the newest ones of a channel (or of a thread in it) that the
	// viewer may see, with ids below before unless that is zero, oldest first.
	Messages(ctx context.Context, channel string, thread int64, viewer string, before int64, limit int) ([]Message, error)
	// MessagesSince are those changed after seq that the viewer may see, in the
	// order of their changes.
	MessagesSince(ctx context.Context, seq int64, viewer string, limit int) ([]Message, error)
	// LastChange is the highest Seq there is.
	LastChange(ctx context.Context) (int64, error)
	// Threads tells what hangs on each of the roots; those on which nothing
	// hangs are left out.
	Threads(ctx context.Context, roots []int64, viewer string) (map[int64]Thread, error)
	// MarkSeen notes that the viewer has seen a channel, or a thread in it, up
	// to the message. It never goes back.
	MarkSeen(ctx context.Context, viewer, channel string, thread, message int64) error
	// MarkAllSeen notes that the viewer has seen every channel and thread up to
	// the newest message.
	MarkAllSeen(ctx context.Context, viewer string) error
	// Unread counts by channel what the viewer has not seen.
	Unread(ctx context.Context, viewer string) (map[string]Unread, error)
}
