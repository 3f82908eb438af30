package commands

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
	"maitred/platform"
)

// Approve is /approve [ID]: agree that an operation may go.
type Approve struct {
	changes
	ID ID `arg:"" optional:"" complete:"waiting" placeholder:"ID" help:"The operation; in its thread it may be left out."`
}

// Run gives the person's word.
func (a *Approve) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	op, err := s.Operations.Decide(ctx, int64(a.ID), platform.Decision{
		Operation: int64(a.ID), Person: c.Person, Approve: true, At: c.Now,
	})
	return s.counted(c, op, "Your approval counts"), err
}

func (a *Approve) number() *ID { return &a.ID }

// Reject is /reject [ID] [WHY]: any one of the approvers can say no, and that is
// that. A button asks for the reason.
type Reject struct {
	changes
	ID  ID       `arg:"" optional:"" complete:"waiting" placeholder:"ID" help:"The operation; in its thread it may be left out."`
	Why []string `arg:"" optional:"" rest:"text" sep:"none" placeholder:"WHY" help:"The reason, which the requester reads."`
}

// Run gives the person's word.
func (r *Reject) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	why := text(r.Why)
	if why == "" && c.Source == chat.Clicked {
		return Answer{Form: reason(fmt.Sprintf("Reject #%d", r.ID), fmt.Sprintf("/reject %d", r.ID), "Why not? The requester reads this."), Private: true}, nil
	}
	op, err := s.Operations.Decide(ctx, int64(r.ID), platform.Decision{
		Operation: int64(r.ID), Person: c.Person, Why: why, At: c.Now,
	})
	return s.counted(c, op, "Your no counts"), err
}

func (r *Reject) number() *ID { return &r.ID }

func (r *Reject) fill(fields map[string]string) error {
	fillWhy(&r.Why, fields)
	return nil
}

// Breakglass is /breakglass [ID] WHY: let a waiting operation go without its
// approvals. The channel is told, and the audit keeps it.
type Breakglass struct {
	changes
	ID  ID       `arg:"" optional:"" complete:"waiting" placeholder:"ID" help:"The operation; in its thread it may be left out."`
	Why []string `arg:"" optional:"" rest:"text" sep:"none" need:"a reason, which everybody will read" placeholder:"WHY" help:"Why it cannot wait."`
}

// Run breaks the glass.
func (b *Breakglass) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	op, err := s.Operations.BreakGlass(ctx, int64(b.ID), c.Person, text(b.Why))
	return s.counted(c, op, "The glass is broken"), err
}

func (b *Breakglass) number() *ID { return &b.ID }

// Cancel is /cancel [ID]: stop an operation; what it had changed is taken back.
type Cancel struct {
	changes
	Number
}

// Run asks the engine to stop it.
func (n *Cancel) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	op, err := s.Operations.Cancel(ctx, int64(n.ID), c.Person)
	return s.counted(c, op, "You stopped it"), err
}

// Settle is /settle [ID] done|not-done|give-up WHY: say what is true of a step of
// which nobody knows whether it happened.
type Settle struct {
	changes
	ID      ID       `arg:"" optional:"" complete:"unknown" placeholder:"ID" help:"The operation; in its thread it may be left out."`
	Verdict string   `arg:"" optional:"" default:"" enum:"done,not-done,give-up," need:"a verdict: done, not-done or give-up" placeholder:"done|not-done|give-up" help:"What you found: the step happened, it did not, or nobody can tell."`
	Why     []string `arg:"" optional:"" rest:"text" sep:"none" placeholder:"WHY" help:"How you know."`
}

// Run gives the person's word; a button asks how they know.
func (v *Settle) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	why := text(v.Why)
	line := fmt.Sprintf("/settle %d %s", v.ID, v.Verdict)
	if why == "" && mayAsk(c) && c.Source == chat.Clicked {
		return Answer{Form: reason(fmt.Sprintf("Settle #%d as %s", v.ID, v.Verdict), line, "How do you know? It is kept in the history."), Private: true}, nil
	}
	if why == "" {
		return Answer{}, invalid(line+" WHY", "/settle needs a reason: how do you know?")
	}
	op, err := s.Operations.Settle(ctx, int64(v.ID), platform.Settlement{
		Person: c.Person, Verdict: platform.Verdict(v.Verdict), Why: why,
	})
	return s.counted(c, op, "Your word counts"), err
}

func (v *Settle) number() *ID { return &v.ID }

func (v *Settle) fill(fields map[string]string) error {
	fillWhy(&v.Why, fields)
	return nil
}

// counted answers somebody whose word about op was heard. In its thread, and
// where its card has a button, everybody sees what came of it; who typed the word
// elsewhere is told.
func (s Services) counted(c Call, op platform.Operation, what string) Answer {
	a := Answer{Operation: op.ID}
	if op.ID == 0 || c.Subject == op.ID || c.Source != chat.Typed {
		return a
	}
	a.Card, a.Private = say("%s: %s.", what, s.voice().headline(op)), true
	a.Card.State = chat.Good
	a.Card.Buttons = []chat.Button{{Label: fmt.Sprintf("Show #%d", op.ID), Line: fmt.Sprintf("/operation %d", op.ID)}}
	return a
}

// reason is a form that asks why.
func reason(title, line, question string) *chat.Form {
	return &chat.Form{Title: title, Text: question, Line: line, Submit: "Send", Fields: []chat.FormField{
		{Name: "why", Label: "Reason", Kind: chat.AreaField, Required: true},
	}}
}

func fillWhy(why *[]string, fields map[string]string) {
	if given := strings.TrimSpace(fields["why"]); given != "" && len(*why) == 0 {
		*why = strings.Fields(given)
	}
}

// text is the rest of a line as one sentence.
func text(words []string) string { return strings.TrimSpace(strings.Join(words, " ")) }
