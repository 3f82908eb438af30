package bot

import (
	"fmt"
	"time"
	"unicode/utf8"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
)

// The outcomes that the audit knows of a line.
const (
	outcomeOK        = "ok"
	outcomeRefused   = "refused"   // a gate, a missing right, a state that does not allow it
	outcomeInvalid   = "invalid"   // not understood, or about something that does not exist
	outcomeFailed    = "failed"    // maitred or something that it needs did not work
	outcomeDuplicate = "duplicate" // the same work is live; its number was answered
	outcomeAsked     = "asked"     // a form or a question came back
	outcomeIgnored   = "ignored"   // it was not meant for maitred
)

// outcome is what the audit calls a fault.
func outcome(err error) string {
	if err == nil {
		return outcomeOK
	}
	switch fault.Of(err).Kind {
	case fault.Forbidden, fault.Refused, fault.Busy:
		return outcomeRefused
	case fault.Invalid, fault.Missing, fault.Unsupported:
		return outcomeInvalid
	}
	return outcomeFailed
}

// record is the audit row of a line.
func (b *Bot) record(in chat.Inbound, verb string, subject, outcome, detail string) commands.AuditRow {
	return commands.AuditRow{
		At: b.Now().UTC().Truncate(time.Millisecond), Person: in.Person, Place: in.Place,
		Verb: verb, Subject: subject, Line: short(b.Redact(in.Line), 2000),
		Outcome: outcome, Detail: short(b.Redact(detail), 2000),
	}
}

// subject is what a line was about, for the audit: the target, else the
// operation.
func subject(t commands.Target, operation int64) string {
	switch {
	case t.App != "":
		return t.String()
	case operation != 0:
		return fmt.Sprintf("#%d", operation)
	}
	return ""
}

// short keeps at most n characters of text.
func short(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}
