package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"maitred/chat"
	"maitred/platform"
)

// card is an operation as it stands: one message, edited through a whole life.
func (v *Voice) card(ctx context.Context, op platform.Operation) (chat.Card, error) {
	steps, err := v.services.Operations.Steps(ctx, op.ID)
	if err != nil {
		return chat.Card{}, err
	}
	decisions, err := v.services.Operations.Decisions(ctx, op.ID)
	if err != nil {
		return chat.Card{}, err
	}
	card := chat.Card{
		Title: title(op), Steps: stepLines(op, steps), Fields: v.facts(op, decisions),
		Text: sentence(v.headline(op)), Buttons: v.buttons(op),
	}
	card.State, card.Word = colour(op)
	if op.State == platform.Running && op.Cancel == nil {
		card.Text = sentence(v.headline(op) + progress(card.Steps))
	}
	card.Notes = append(card.Notes, op.Warnings...)
	if serves := v.serves(ctx, op); op.State.Ended() && serves != "" {
		card.Notes = append(card.Notes, serves)
	}
	if op.State.Ended() && op.State != platform.Succeeded && op.Message != "" {
		card.Notes = append(card.Notes, sentence(op.Message))
	}
	if code, ok := exit(steps); ok {
		card.Text = sentence(v.headline(op) + fmt.Sprintf(" with exit code %d", code))
		card.Fields = append(card.Fields, chat.Field{Label: "Exit code", Value: fmt.Sprint(code)})
		if code != 0 && op.State == platform.Succeeded {
			card.State, card.Word = chat.Warning, fmt.Sprintf("exit code %d", code)
		}
	}
	return card, nil
}

// facts are the labelled values of an operation.
func (v *Voice) facts(op platform.Operation, decisions []platform.Decision) []chat.Field {
	facts := fields("Operation", fmt.Sprintf("#%d", op.ID), "Requested by", op.Requester.Label(), "Commit", source(op), "Approvals", approvals(op, decisions))
	a := argumentsOf(op)
	if op.Kind == platform.Maintain {
		facts = append(facts, fields("Why", a.Why)...)
	}
	if op.State == platform.Succeeded {
		facts = append(facts, fields("Release", op.Release, "Before", op.Previous)...)
	}
	facts = append(facts, fields("Backup", op.Backup)...)
	if op.Behind != 0 {
		facts = append(facts, chat.Field{Label: "Behind", Value: fmt.Sprintf("#%d", op.Behind)})
	}
	if op.Cancel != nil {
		facts = append(facts, chat.Field{Label: "Cancelled by", Value: op.Cancel.Person.Label()})
	}
	if !op.Ended.IsZero() && !op.Started.IsZero() {
		facts = append(facts, chat.Field{Label: "Took", Value: chat.Span(op.Ended.Sub(op.Started))})
	}
	return facts
}

// source is the commit that goes live, and what it was asked for as.
func source(op platform.Operation) string {
	switch s := op.Source; {
	case s == nil:
		return ""
	case s.Archive != "":
		return s.Archive + " (" + commit(s.SHA) + ")"
	case s.Ref != "" && s.Ref != s.SHA:
		return commit(s.SHA) + " (" + s.Ref + ")"
	default:
		return commit(s.SHA)
	}
}

// approvals counts who agreed: "1 of 1 by lead".
func approvals(op platform.Operation, decisions []platform.Decision) string {
	if op.Approval == nil {
		return ""
	}
	var yes, no []string
	for _, d := range decisions {
		switch {
		case d.Broke:
			return fmt.Sprintf("glass broken by %s%s", d.Person.Label(), because(d.Why))
		case d.Approve:
			yes = append(yes, d.Person.Label())
		default:
			no = append(no, d.Person.Label()+because(d.Why))
		}
	}
	text := fmt.Sprintf("%d of %d", len(yes), op.Approval.Needed)
	if len(yes) > 0 {
		text += " by " + list(yes, "and")
	}
	if len(no) > 0 {
		text += ", rejected by " + list(no, "and")
	}
	if op.State == platform.Waiting {
		text += ", of " + list(op.Approval.Roles, "or")
	}
	return text
}

// stepLines are the steps of the plan with what came of each.
func stepLines(op platform.Operation, records []platform.StepRecord) []chat.StepLine {
	lines := make([]chat.StepLine, len(op.Plan.Steps))
	for i, step := range op.Plan.Steps {
		lines[i] = chat.StepLine{Name: step.Name, State: chat.StepPending}
		if op.State.Ended() {
			lines[i].State = chat.StepSkipped
		}
	}
	for _, r := range records {
		if r.Index < 0 || r.Index >= len(lines) {
			continue
		}
		line := &lines[r.Index]
		if r.Undo {
			takenBack(line, r)
			continue
		}
		line.State, line.Say = r.State, r.Result.Say
		if r.Error != "" {
			line.Say = clip(r.Error, 200)
		}
		if !r.Ended.IsZero() && !r.Started.IsZero() {
			line.Took = r.Ended.Sub(r.Started)
		}
		if r.State == chat.StepFailed && stopped(op) {
			line.Word = "stopped"
		}
	}
	return lines
}

// stopped reports whether op ended its step because a person cancelled it, and
// not because the step failed.
func stopped(op platform.Operation) bool {
	return op.Cancel != nil && !strings.HasPrefix(op.Reason, "step:")
}

// takenBack shows on the line of a step how its undo goes.
func takenBack(line *chat.StepLine, undo platform.StepRecord) {
	switch undo.State {
	case chat.StepDone:
		line.State, line.Say = chat.StepUndone, undo.Result.Say
	case chat.StepRunning:
		line.State, line.Say = chat.StepRunning, "being taken back"
	case chat.StepFailed:
		line.State, line.Say = chat.StepFailed, "could not be taken back: "+clip(undo.Error, 200)
	case chat.StepUnknown:
		line.State, line.Say = chat.StepUnknown, "nobody knows whether it was taken back"
	}
}

// progress names the step that runs: ": build (2 of 5)".
func progress(steps []chat.StepLine) string {
	for i, s := range steps {
		if s.State == chat.StepRunning {
			return fmt.Sprintf(": %s (%d of %d)", s.Name, i+1, len(steps))
		}
	}
	return ""
}

// exit is the exit code of the command that the person asked for.
func exit(steps []platform.StepRecord) (int, bool) {
	for _, s := range slices.Backward(steps) {
		if s.Result.Exit != nil && !s.Undo {
			return *s.Result.Exit, true
		}
	}
	return 0, false
}

// buttons are what can be done with an operation as it stands. Their lines are
// absolute.
func (v *Voice) buttons(op platform.Operation) []chat.Button {
	switch op.State {
	case platform.Waiting:
		return append(deciding(op), cancelling(op, "Withdraw"))
	case platform.Queued:
		return []chat.Button{cancelling(op, "Cancel")}
	case platform.Running:
		if op.Cancel == nil {
			return []chat.Button{cancelling(op, "Cancel")}
		}
	case platform.Unknown:
		return settling(op)
	case platform.Succeeded:
		return v.after(op)
	case platform.Cancelled:
		return again(op)
	}
	return nil
}

func deciding(op platform.Operation) []chat.Button {
	return []chat.Button{
		{Label: "Approve", Line: fmt.Sprintf("/approve %d", op.ID), Confirm: "Approve: " + title(op) + "?"},
		{Label: "Reject", Line: fmt.Sprintf("/reject %d", op.ID), Danger: true},
	}
}

func cancelling(op platform.Operation, label string) chat.Button {
	return chat.Button{
		Label: label, Line: fmt.Sprintf("/cancel %d", op.ID), Danger: true,
		Confirm: fmt.Sprintf("Stop #%d? What it has changed is taken back.", op.ID),
	}
}

func settling(op platform.Operation) []chat.Button {
	line := func(v platform.Verdict) string { return fmt.Sprintf("/settle %d %s", op.ID, v) }
	return []chat.Button{
		{Label: "It happened", Line: line(platform.WasDone)},
		{Label: "It did not happen", Line: line(platform.WasNotDone)},
		{Label: "Give up", Line: line(platform.GiveUp), Danger: true},
	}
}

// after is what may be wanted once an operation has succeeded.
func (v *Voice) after(op platform.Operation) []chat.Button {
	switch {
	case op.Kind == platform.Maintain && argumentsOf(op).On:
		return []chat.Button{{Label: "Maintenance off", Line: "/maintenance off " + aimed(op.Target)}}
	case op.Kind != platform.Deploy && op.Kind != platform.Update && op.Kind != platform.Rollback:
		return nil
	case op.Previous == "" || op.Release == "" || op.Previous == op.Release:
		return nil
	}
	return []chat.Button{{
		Label: "Roll back to " + op.Previous, Line: v.services.rollback(op.Target, op.Previous, op.Release), Danger: true,
		Confirm: fmt.Sprintf("Go back from %s to %s on %s?", op.Release, op.Previous, op.Target),
	}}
}

// again offers to ask once more for what ended only because of the time that
// passed. The version is named, so that the same thing is asked for.
func again(op platform.Operation) []chat.Button {
	timely := op.Reason == "expired" || op.Reason == "voided" || strings.HasPrefix(op.Reason, "gate:")
	if !timely || op.Source == nil || op.Kind != platform.Deploy && op.Kind != platform.Update {
		return nil
	}
	return []chat.Button{{
		Label: "Ask again", Line: fmt.Sprintf("/%s %s@%s to %s", op.Kind, op.Target.App, op.Source.Ref, quote(op.Target.Environment)),
	}}
}

// lasted is how long an operation ran, for a sentence.
func lasted(op platform.Operation) string {
	if op.Started.IsZero() || op.Ended.IsZero() {
		return ""
	}
	return " after " + chat.Span(op.Ended.Sub(op.Started))
}
