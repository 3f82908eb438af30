package commands

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
)

// Audit is /audit [--who W] [--verb V] [--app A] [--outcome O] [--since 1d]: who
// did what, and what was refused.
type Audit struct {
	Who     string `name:"who" complete:"person" placeholder:"WHO" help:"Only this person or service."`
	Verb    string `name:"verb" complete:"command" placeholder:"VERB" help:"Only this command, such as deploy."`
	App     string `name:"app" complete:"app" placeholder:"APP" help:"Only what was about this app."`
	Outcome string `name:"outcome" complete:"outcome" placeholder:"OUTCOME" help:"Only what ended so: ok, refused, invalid, failed, asked, succeeded, cancelled or expired."`
	Since   Span   `name:"since" placeholder:"1d" help:"Only what is younger than this."`
	Limit   int    `name:"limit" default:"20" placeholder:"20" help:"How many rows, 100 at most."`
	Before  int64  `name:"before" placeholder:"SEQ" help:"Only rows before this one, to read on."`
}

// Run reads the audit.
func (a *Audit) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	if a.Limit < 1 || a.Limit > 100 {
		return Answer{}, invalid("/audit --limit=100", "--limit is between 1 and 100.")
	}
	if err := outcome(a.Outcome); err != nil {
		return Answer{}, err
	}
	f := AuditFilter{Who: a.Who, Verb: strings.ToLower(strings.TrimPrefix(a.Verb, "/")), Outcome: a.Outcome, Before: a.Before, Limit: a.Limit}
	if a.App != "" {
		app, err := s.app(a.App)
		if err != nil {
			return Answer{}, err
		}
		f.App = app.Name
	}
	if a.Since > 0 {
		f.Since = c.Now.Add(-a.Since.Duration())
	}
	found, err := s.Audit.Audit(ctx, f)
	if err != nil {
		return Answer{}, err
	}
	if len(found) == 0 {
		return Answer{Card: say("The audit has nothing like that."), Private: true}, nil
	}
	table := rows{{"SEQ", "WHEN", "WHO", "LINE", "ABOUT", "OUTCOME", "DETAIL"}}
	for _, r := range found {
		line := r.Line
		if line == "" {
			line = r.Verb
		}
		table = append(table, []string{fmt.Sprint(r.Seq), when(r.At, c), r.Person.Label(), clip(line, 60), r.Subject, r.Outcome, clip(r.Detail, 80)})
	}
	card := say("%s, newest first.", capital(count(len(found), "row of the audit", "rows of the audit")))
	card.Title, card.Output = "Audit", table.String()
	if len(found) == a.Limit {
		older := *a
		older.Before = found[len(found)-1].Seq
		card.Buttons = []chat.Button{{Label: "Older", Line: older.line()}}
	}
	return Answer{Card: card, Private: true}, nil
}

// outcomes are the words that the door and the engine write into the audit.
var outcomes = []string{"ok", "refused", "invalid", "failed", "asked", "succeeded", "cancelled", "expired"}

func outcome(word string) error {
	if _, known := exact(word, outcomes); word == "" || known {
		return nil
	}
	if best := nearest(word, outcomes); best != "" {
		return invalid("/audit --outcome="+best, "Nothing ends as “%s”. Did you mean %s?", short(word), best)
	}
	return invalid("/audit", "Nothing ends as “%s”; it is one of %s.", short(word), list(outcomes, "or"))
}

// line spells a again, for the button that reads on.
func (a *Audit) line() string {
	text := "/audit"
	for _, o := range []struct{ name, value string }{
		{"who", a.Who}, {"verb", a.Verb}, {"app", a.App}, {"outcome", a.Outcome},
	} {
		if o.value != "" {
			text += " --" + o.name + "=" + quote(o.value)
		}
	}
	if a.Since > 0 {
		text += " --since=" + a.Since.Duration().String()
	}
	return fmt.Sprintf("%s --limit=%d --before=%d", text, a.Limit, a.Before)
}

// clip shortens text to n characters, on one line.
func clip(text string, n int) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n-1]) + "…"
	}
	return text
}
