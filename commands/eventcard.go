package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

// patience is how long a card waits for a platform to tell it a detail that it
// can do without.
const patience = 2 * time.Second

// event words something that happened, as a message of its own. Every text
// means something alone, because a notification shows nothing else.
func (v *Voice) event(ctx context.Context, op platform.Operation, e engine.Event) (chat.Card, error) {
	switch e.Kind {
	case engine.ApprovalAsked, engine.ApprovalRemind:
		return v.asked(ctx, op, e)
	case engine.StepEnded:
		return v.stepEnded(ctx, op, e)
	case engine.Finished:
		return v.finished(ctx, op, e), nil
	}
	card := chat.Card{Text: v.told(op, e)}
	switch e.Kind {
	case engine.Decided, engine.TurnCame:
		if op.Reason != "rejected" { // its end, which comes with it, mentions them
			card.Mention = []chat.Person{op.Requester}
		}
	case engine.GlassBroken:
		card.State, card.Word, card.Channel = chat.Warning, "glass broken", true
	case engine.BecameUnknown:
		card = v.unknown(op, card)
	case engine.Warned, engine.UndoBegan, engine.CancelAsked:
		card.State = chat.Warning
		card.Word = map[engine.EventKind]string{engine.Warned: "warning", engine.UndoBegan: "taking back", engine.CancelAsked: "cancelling"}[e.Kind]
	}
	return card, nil
}

// told is what the engine says, with the operation named when the sentence does
// not name it.
func (v *Voice) told(op platform.Operation, e engine.Event) string {
	if strings.Contains(e.Say, fmt.Sprintf("#%d", op.ID)) {
		return sentence(e.Say)
	}
	if e.By != nil { // a sentence may begin with a person's name in a capital, never with an app's
		return v.noun(op) + ": " + capital(sentence(e.Say))
	}
	return v.noun(op) + ": " + sentence(e.Say)
}

// asked is the request for approval. It mentions those who may decide, never the
// requester; once it is decided it says by whom, and its buttons are gone.
func (v *Voice) asked(ctx context.Context, op platform.Operation, e engine.Event) (chat.Card, error) {
	decisions, err := v.services.Operations.Decisions(ctx, op.ID)
	if err != nil {
		return chat.Card{}, err
	}
	card := chat.Card{
		Title:  title(op),
		Fields: fields("Requested by", op.Requester.Label(), "Commit", fullSource(op), "Approvals", approvals(op, decisions)),
		Notes:  slices.Clone(op.Warnings),
	}
	card.Fields = append(card.Fields, v.details(op)...)
	card.Notes = append(card.Notes, v.changes(ctx, op)...)
	if op.State != platform.Waiting {
		card.State, card.Word, card.Text = decided(op, decisions)
		card.Fields = append(card.Fields, chat.Field{Label: "Decided", Value: capital(card.Text)})
		card.Text = v.noun(op) + " " + card.Text
		return card, nil
	}
	card.State, card.Word, card.Buttons = chat.Waiting, "waits for approval", deciding(op)
	card.Mention = v.deciders(op, decisions)
	card.Fields = append(card.Fields, chat.Field{Label: "Until", Value: clock(op.Approval.Deadline, e.At, "")})
	card.Text = fmt.Sprintf("%s asks for approval of #%d: %s%s. It needs %s, until %s.", op.Requester.Label(), op.ID,
		title(op), atCommit(op), approvalOf(op), clock(op.Approval.Deadline, e.At, ""))
	if e.Kind == engine.ApprovalRemind {
		card.Text = fmt.Sprintf("Still waiting: #%d, %s%s, asked for by %s, needs %s; it expires at %s.", op.ID,
			title(op), atCommit(op), op.Requester.Label(), approvalOf(op), clock(op.Approval.Deadline, e.At, ""))
	}
	if len(card.Mention) == 0 {
		card.Notes = append(card.Notes, fmt.Sprintf("Nobody in this chat holds %s and could approve it.", list(op.Approval.Roles, "or")))
	}
	return card, nil
}

func atCommit(op platform.Operation) string {
	if op.Source == nil {
		return ""
	}
	return " (" + commit(op.Source.SHA) + ")"
}

func fullSource(op platform.Operation) string {
	if op.Source == nil {
		return ""
	}
	if op.Source.Ref == "" || op.Source.Ref == op.Source.SHA {
		return op.Source.SHA
	}
	return op.Source.SHA + " (" + op.Source.Ref + ")"
}

// deciders are the people who may still decide: holders of the roles, without
// the requester under any identity, and without those who have.
func (v *Voice) deciders(op platform.Operation, decisions []platform.Decision) []chat.Person {
	var out []chat.Person
	for _, p := range v.services.Policy.Holders(op.Place.Chat, op.Approval.Roles...) {
		spoken := slices.ContainsFunc(decisions, func(d platform.Decision) bool { return d.Person.Same(p) })
		if !p.Same(op.Requester) && !spoken && !p.Automaton {
			out = append(out, p)
		}
	}
	return out
}

// details are the arguments that approvers agree to.
func (v *Voice) details(op platform.Operation) []chat.Field {
	a := argumentsOf(op)
	return fields("Target", op.Target.String(), "Command", strings.Join(a.Command, " "), "Backup", a.Backup,
		"Database", a.Database, "Process", a.Process, "To", quantities(a.Scale), "Variable", a.Name, "Back to", a.To)
}

// changes are the commits that a deploy brings, against what is live.
func (v *Voice) changes(ctx context.Context, op platform.Operation) []string {
	if op.Source == nil || op.Source.Archive != "" || op.Previous == "" || v.services.Sources == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	from, ok := v.release(ctx, op.Target, op.Previous)
	if !ok || from.SHA == "" {
		return nil
	}
	const most = 10
	commits, err := v.services.Sources.Between(ctx, op.Target, from.SHA, op.Source.SHA, most+1)
	if err != nil {
		return []string{fmt.Sprintf("The commits since %s could not be listed.", shownAs(from))}
	}
	if len(commits) == 0 {
		return []string{fmt.Sprintf("It brings no commit that %s does not have.", shownAs(from))}
	}
	out := []string{fmt.Sprintf("New since %s:", shownAs(from))}
	for _, one := range commits[:min(most, len(commits))] {
		out = append(out, fmt.Sprintf("%s %s (%s)", commit(one.SHA), clip(one.Subject, 100), one.Author))
	}
	if len(commits) > most {
		out = append(out, "… and more.")
	}
	return out
}

func (v *Voice) release(ctx context.Context, t platform.Target, id string) (platform.Release, bool) {
	p, err := provider[platform.Historian](v.services, t, "list releases")
	if err != nil {
		return platform.Release{}, false
	}
	releases, err := p.Releases(ctx, t, 0)
	if err != nil {
		return platform.Release{}, false
	}
	i := slices.IndexFunc(releases, func(r platform.Release) bool { return r.ID == id })
	if i < 0 {
		return platform.Release{}, false
	}
	return releases[i], true
}

// decided says how a request for approval ended, and when.
func decided(op platform.Operation, decisions []platform.Decision) (chat.State, string, string) {
	var yes []string
	var last time.Time
	for _, d := range decisions {
		switch {
		case d.Broke:
			return chat.Warning, "glass broken", fmt.Sprintf("goes without approval: %s broke the glass at %s UTC%s.", d.Person.Label(), d.At.UTC().Format("15:04"), because(d.Why))
		case !d.Approve:
			return chat.Bad, "rejected", fmt.Sprintf("was rejected by %s at %s UTC%s.", d.Person.Label(), d.At.UTC().Format("15:04"), because(d.Why))
		}
		yes, last = append(yes, d.Person.Label()), d.At
	}
	if op.State == platform.Cancelled && len(yes) < op.Approval.Needed {
		state, word := colour(op)
		return state, word, sentenceTail(cancelled(op))
	}
	return chat.Good, "approved", fmt.Sprintf("was approved by %s at %s UTC.", list(yes, "and"), last.UTC().Format("15:04"))
}

func sentenceTail(text string) string { return strings.TrimRight(text, ".") + "." }

// stepEnded carries the output of a step into the thread.
func (v *Voice) stepEnded(ctx context.Context, op platform.Operation, e engine.Event) (chat.Card, error) {
	records, err := v.services.Operations.Steps(ctx, op.ID)
	if err != nil {
		return chat.Card{}, err
	}
	card := chat.Card{Text: v.told(op, e)}
	for _, r := range records {
		if r.Name != e.Step || r.Undo != e.Undo {
			continue
		}
		card.Output = r.Output
		if r.State == chat.StepFailed {
			card.State, card.Word = chat.Bad, "failed"
			if !r.Undo && stopped(op) {
				card.State, card.Word = chat.Warning, "stopped"
			}
		}
	}
	return card, nil
}

// unknown asks a person what is true.
func (v *Voice) unknown(op platform.Operation, card chat.Card) chat.Card {
	card.State, card.Word = chat.Unsure, "needs a person"
	if op.State != platform.Unknown {
		card.State, card.Word = chat.Neutral, "settled"
		return card
	}
	card.Buttons = settling(op)
	card.Mention = []chat.Person{op.Requester}
	if op.Approval != nil {
		card.Mention = append(card.Mention, v.deciders(op, nil)...)
	}
	return card
}

// finished tells the requester how it ended, where to look, and what still
// holds.
func (v *Voice) finished(ctx context.Context, op platform.Operation, e engine.Event) chat.Card {
	card := chat.Card{Mention: []chat.Person{op.Requester}}
	card.State, card.Word = colour(op)
	card.Text = strings.TrimRight(v.headline(op), ".") + lasted(op) + "."
	if op.State != platform.Succeeded {
		card.Text = v.told(op, e)
		if serves := v.serves(ctx, op); serves != "" { // first what visitors see, then how it came
			card.Text = sentence(v.headline(op)) + " " + serves
			card.Notes = append(card.Notes, v.told(op, e))
		}
		card.Notes = append(card.Notes, v.stillHolds(ctx, op)...)
		card.Fields = fields("Took", strings.TrimPrefix(lasted(op), " after "))
		return card
	}
	card.Fields = fields("Release", op.Release, "Backup", op.Backup, "Took", strings.TrimPrefix(lasted(op), " after "))
	if op.Release != "" {
		if url := v.address(ctx, op.Target); url != "" {
			card.Fields = append(card.Fields, chat.Field{Label: "Address", Value: url})
			card.Text += " It is at " + url + "."
		}
	}
	card.Notes = append(card.Notes, v.stillHolds(ctx, op)...)
	return card
}

// serves says what visitors see after an operation that should have changed it
// and did not.
func (v *Voice) serves(ctx context.Context, op platform.Operation) string {
	switch op.Kind {
	case platform.Deploy, platform.Update, platform.Rollback:
	default:
		return ""
	}
	if op.State == platform.Succeeded || op.Started.IsZero() || op.Previous == "" {
		return ""
	}
	if !op.Undone {
		return fmt.Sprintf("Look at what serves now: /status %s", aimed(op.Target))
	}
	name := op.Previous
	if r, ok := v.release(ctx, op.Target, op.Previous); ok {
		name = shownAs(r)
	}
	return fmt.Sprintf("%s still serves.", name)
}

// address is where people find the app; a detail, so nobody waits long for it.
func (v *Voice) address(ctx context.Context, t platform.Target) string {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := v.services.Apps.Provider(t)
	if err != nil {
		return ""
	}
	now, err := p.Status(ctx, t)
	if err != nil {
		return ""
	}
	return now.URL
}

// stillHolds names what an operation leaves in the way: a maintenance page that
// is still shown.
func (v *Voice) stillHolds(ctx context.Context, op platform.Operation) []string {
	if op.Kind == platform.Maintain || op.Started.IsZero() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := provider[platform.Maintainer](v.services, op.Target, "show a maintenance page")
	if err != nil {
		return nil
	}
	if m, err := p.Maintenance(ctx, op.Target); err == nil && m.On {
		return []string{fmt.Sprintf("Visitors still see the maintenance page: /maintenance off %s", aimed(op.Target))}
	}
	return nil
}
