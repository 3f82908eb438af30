package chat

import "time"

// Inbound is one thing somebody said, clicked or submitted, or that a clock or
// a webhook says in somebody's name. It can be stored whole, except Secrets.
type Inbound struct {
	Key     string            `json:"key"` // what the chat repeats on redelivery; unique over all chats
	Person  Person            `json:"person"`
	Place   Place             `json:"place"`
	Line    string            `json:"line"`             // as typed; a button's or form's command
	Fields  map[string]string `json:"fields,omitempty"` // of a form; after Receive also the handles of its secrets
	Secrets map[string]string `json:"-"`                // plain values, sealed and replaced by handles before anything is stored
	Reply   ReplyRef          `json:"reply"`
	Source  Source            `json:"source,omitempty"`
	At      time.Time         `json:"at"`
}

// Source says how the line came to be.
type Source string

const (
	Typed     Source = "typed"
	Clicked   Source = "clicked"
	Submitted Source = "submitted" // a form
	Scheduled Source = "scheduled"
	Called    Source = "called" // over /v1
)

// ReplyRef lets a chat answer privately even after a restart: sealed bytes that
// only the chat understands, and when they stop working. Most chats need none.
type ReplyRef struct {
	Data    []byte    `json:"data,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
}

// Ack is what the door says when an Inbound is committed.
type Ack struct {
	Known bool // it had been received before; nothing new will happen
}

// Completion is one way to finish a line that is being typed.
type Completion struct {
	Insert string `json:"insert"`         // the whole line with the completion in place
	Label  string `json:"label"`          // what to show
	Help   string `json:"help,omitempty"` // a few words
}
