// Package bottest plays conversations: what people type and click, and what they
// must see. It runs the real door, commands, engine, store and dispatcher, with a
// fake platform, on a Stage: a chat as its people use it. The room of this
// package is one; the fake of another chat can be another.
package bottest

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
)

// Stage is a chat as its people use it.
type Stage interface {
	// Sender is what maitred speaks through. It may be a chat.FormOpener.
	Sender() chat.Sender
	// Person is somebody of the conversation as the chat knows them; name is
	// "ann", also where the chat's ids are others.
	Person(name string) chat.Person
	// Open connects the chat to the door; Say, Click and Submit go there.
	Open(door chat.Door)
	// Say types a line as somebody at a place.
	Say(ctx context.Context, name string, at chat.Place, line string) error
	// Click clicks the button with this label, and answers yes when it asks.
	Click(ctx context.Context, name string, m Message, label string) error
	// Submit sends the form that somebody was shown last.
	Submit(ctx context.Context, name string, values map[string]string) error
	// Messages are all that were shown, oldest first, as they look now.
	Messages() []Message
}

// Channels is a Stage whose channels have ids that are not their names. Say takes
// both.
type Channels interface {
	Channel(name string) (id string)
}

// Message is one message, or one form, as people see it.
type Message struct {
	ID      string
	Place   chat.Place
	Only    string   // the name of the one who sees it; empty for everybody
	Text    string   // all that can be read, blanks folded
	Buttons []string // their labels
	Mention []string // names of those who were mentioned; "channel" for everybody
	Form    bool
	Changed int // counts up over all messages: when it came to look so
}

// Reads flattens what can be read of a card.
func Reads(c chat.Card) string {
	parts := []string{c.Title, c.Word}
	for _, f := range c.Fields {
		parts = append(parts, f.Label+": "+f.Value)
	}
	for _, s := range c.Steps {
		parts = append(parts, fmt.Sprintf("%s %s %s %s", s.State.Mark(), s.Name, s.State, s.Say))
	}
	parts = append(parts, c.Notes...)
	parts = append(parts, c.Output, c.Text)
	return strings.Join(strings.Fields(strings.Join(parts, "\n")), " ")
}

func (m Message) String() string {
	only := ""
	if m.Only != "" {
		only = "(only " + m.Only + ") "
	}
	at := "#" + m.Place.Channel
	if m.Place.Thread != "" {
		at += " thread " + m.Place.Thread
	}
	text := only + m.Text
	for _, b := range m.Buttons {
		text += " [" + b + "]"
	}
	for _, who := range m.Mention {
		text += " @" + who
	}
	return fmt.Sprintf("%4d %s %s: %s", m.Changed, m.ID, at, text)
}
