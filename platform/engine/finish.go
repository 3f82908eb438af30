package engine

import (
	"context"
	"fmt"
	"strings"

	"maitred/platform"
)

// end ends an operation within tx: nothing happens to it after this.
func (e *Engine) end(ctx context.Context, tx Tx, op *platform.Operation, s platform.State, reason, say string) error {
	op.State, op.Reason, op.Message = s, reason, say
	op.Ended, op.Behind = e.now(), 0
	if err := tx.Save(ctx, op); err != nil {
		return err
	}
	return e.tell(ctx, tx, *op, Event{Kind: Finished, Say: say})
}

// Title is how an operation is named in a sentence: "Deploy #3 of ocpizza
// v1.1.0 to production".
func Title(op platform.Operation) string {
	verb, preposition := strings.ReplaceAll(string(op.Kind), "-", " "), "on"
	switch op.Kind {
	case platform.Deploy, platform.Update:
		preposition = "to"
	case platform.Restore, platform.Capture:
		verb = "backup " + verb
	case platform.SetConfig:
		verb = "setting of a variable"
	case platform.UnsetConfig:
		verb = "unsetting of a variable"
	case platform.RunCommand:
		verb = "command"
	}
	text := fmt.Sprintf("%s%s #%d of %s", strings.ToUpper(verb[:1]), verb[1:], op.ID, op.Target.App)
	if op.Source != nil && op.Source.Version != "" {
		text += " " + op.Source.Version
	}
	if op.Target.Environment != "" {
		text += " " + preposition + " " + op.Target.Environment
	}
	return text
}

// asking is the sentence that asks for approval.
func asking(op platform.Operation) string {
	people := "one"
	if op.Approval.Needed != 1 {
		people = fmt.Sprint(op.Approval.Needed)
	}
	return fmt.Sprintf("%s asks for %s. It needs the approval of %s of: %s.",
		op.Requester.Label(), Title(op), people, strings.Join(op.Approval.Roles, ", "))
}

// list joins words as a sentence does: "a, b and c".
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}
