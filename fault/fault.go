// Package fault is the one error type that a person in a chat may read. An
// Error carries a sentence and the next thing to type for the person, and the
// operation and the cause for the log. The package imports nothing of maitred.
package fault

import (
	"errors"
	"fmt"
)

// Kind says whose move it is.
type Kind int

const (
	Internal    Kind = iota // ours to mend; the person sees a reference, the log sees the cause
	Invalid                 // they can type something else
	Forbidden               // someone else may do it
	Missing                 // there is no such app, ref, backup …
	Refused                 // a gate is closed: which one, on what evidence, what opens it
	Busy                    // it will work when something else ends
	Unsupported             // this platform cannot do it
	Unreachable             // a remote service failed; worth another try
)

var kinds = map[Kind]string{
	Internal: "internal", Invalid: "invalid", Forbidden: "forbidden", Missing: "missing",
	Refused: "refused", Busy: "busy", Unsupported: "unsupported", Unreachable: "unreachable",
}

// String is the word used in logs, metrics and JSON.
func (k Kind) String() string { return kinds[k] }

// Error is a failure with two readers.
type Error struct {
	Kind Kind
	Op   string // for the log: "heroku.backup.capture"
	Say  string // for the person: a sentence, always safe to show
	Hint string // for the person: what to type next; may be empty
	Err  error  // for the log: the cause; may be nil
}

// Error is the text for the log: what was tried, what the person was told, and
// the cause.
func (e *Error) Error() string {
	text := e.Say
	if e.Op != "" {
		text = e.Op + ": " + text
	}
	if e.Err != nil {
		text = fmt.Sprintf("%s: %v", text, e.Err)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Of returns the first Error in err's chain. An err without one is somebody's
// slip and comes back as Internal with a sentence that gives nothing away; nil
// stays nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Say: "Something went wrong inside maitred.", Err: err}
}

// Is reports whether err carries an Error of the given kind.
func Is(err error, k Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == k
}

// New returns an Error without a cause. Say may be a format for args.
func New(k Kind, op, hint, say string, args ...any) *Error {
	return &Error{Kind: k, Op: op, Hint: hint, Say: fmt.Sprintf(say, args...)}
}
