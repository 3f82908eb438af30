package chat

import (
	"slices"
	"time"
)

// Card is what maitred says, before a chat gives it a form. Every field is
// optional but Text, which a notification and a screen reader use. A chat
// renders a card within its limits and degrades; it never fails on length.
type Card struct {
	Title   string     `json:"title,omitempty"`
	State   State      `json:"state,omitempty"`
	Word    string     `json:"word,omitempty"` // the state's word where the general one is not exact ("rolled back")
	Fields  []Field    `json:"fields,omitempty"`
	Steps   []StepLine `json:"steps,omitempty"`
	Notes   []string   `json:"notes,omitempty"`
	Output  string     `json:"output,omitempty"` // preformatted, as a program printed it; already redacted
	Image   *Image     `json:"image,omitempty"`
	Buttons []Button   `json:"buttons,omitempty"`
	Mention []Person   `json:"mention,omitempty"` // who must notice: only ever in a new message
	Channel bool       `json:"channel,omitempty"` // mention everybody in the channel
	Text    string     `json:"text"`
}

// Map is c with every text that is shown passed through f, for redaction. The
// lines of buttons pass too, because some chats show them.
func (c Card) Map(f func(string) string) Card {
	c.Title, c.Word, c.Output, c.Text = f(c.Title), f(c.Word), f(c.Output), f(c.Text)
	c.Fields, c.Steps = slices.Clone(c.Fields), slices.Clone(c.Steps)
	c.Notes, c.Buttons = slices.Clone(c.Notes), slices.Clone(c.Buttons)
	for i, field := range c.Fields {
		c.Fields[i] = Field{Label: f(field.Label), Value: f(field.Value)}
	}
	for i := range c.Steps {
		c.Steps[i].Name, c.Steps[i].Say = f(c.Steps[i].Name), f(c.Steps[i].Say)
	}
	for i, note := range c.Notes {
		c.Notes[i] = f(note)
	}
	for i, b := range c.Buttons {
		c.Buttons[i].Label, c.Buttons[i].Line, c.Buttons[i].Confirm = f(b.Label), f(b.Line), f(b.Confirm)
	}
	return c
}

// Field is a short labelled value.
type Field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Image is a picture with the words that replace it.
type Image struct {
	Name string `json:"name"` // file name
	Type string `json:"type"` // "image/png"
	Data []byte `json:"data"`
	Alt  string `json:"alt"`
}

// StepLine is one step of an operation on its card.
type StepLine struct {
	Name  string        `json:"name"`
	State StepState     `json:"state"`
	Say   string        `json:"say,omitempty"`  // what came of it, in a few words
	Took  time.Duration `json:"took,omitempty"` // nanoseconds in JSON
	Word  string        `json:"word,omitempty"` // the state's word where the general one is not exact ("stopped")
}

// Called is the word for the state of l.
func (l StepLine) Called() string {
	if l.Word != "" {
		return l.Word
	}
	return string(l.State)
}

// State colours a card. Each has a word, because colour alone says nothing to
// many people.
type State string

const (
	Neutral State = ""
	Waiting State = "waiting"
	Working State = "working"
	Good    State = "good"
	Warning State = "warning"
	Bad     State = "bad"
	Unsure  State = "unsure" // nobody knows yet what is true
)

// StepState is the state of a step line. It has a mark and a word.
type StepState string

const (
	StepPending StepState = "pending"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepUndone  StepState = "undone"
	StepUnknown StepState = "unknown"
	StepSkipped StepState = "skipped"
)

var marks = map[StepState]string{
	StepPending: "○", StepRunning: "◐", StepDone: "✓", StepFailed: "✗",
	StepUndone: "↶", StepUnknown: "?", StepSkipped: "–",
}

// Mark is one character for s, readable without colour.
func (s StepState) Mark() string { return marks[s] }
