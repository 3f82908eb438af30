package slack

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"go.uber.org/zap"

	"maitred/chat"
)

// takeInteraction hears a button, a form or a question for choices.
func (c *Chat) takeInteraction(ctx context.Context, door chat.Door, i interaction) (body any, outcome string, err error) {
	if c.elsewhere(i.Team.ID) {
		return nil, outcomeElsewhere, nil
	}
	switch i.Type {
	case "block_actions":
		outcome, err = c.takeClick(ctx, door, i)
	case "view_submission":
		body, outcome, err = c.takeForm(ctx, door, i)
	case "block_suggestion":
		body, outcome = c.suggest(ctx, door, i), outcomeNew
	default:
		c.log.Debug("interaction not asked for", zap.String("type", i.Type))
		outcome = outcomeIgnored
	}
	return body, outcome, err
}

// takeClick hears a button: it types its line. Slack never delivers a click
// again, but whoever clicks sees that it did not work.
func (c *Chat) takeClick(ctx context.Context, door chat.Door, i interaction) (outcome string, err error) {
	if i.User.ID == "" || len(i.Actions) == 0 {
		return "", &malformed{errLacks("user or action")}
	}
	a := i.Actions[0]
	if a.Type != "button" || a.Value == "" {
		return outcomeIgnored, nil // a link, or a field of a form
	}
	in := chat.Inbound{
		Key: "slack-click-" + clickOf(i, a), Person: person(i.User.ID, i.User.shown()),
		Place: i.place(), Line: a.Value, Source: chat.Clicked,
	}
	if in.Place.Channel == "" {
		return "", &malformed{errLacks("channel")}
	}
	c.replies.keep(in.Key, reply{URL: i.ResponseURL, Trigger: i.TriggerID, At: c.options.Now()})
	ack, err := door.Receive(ctx, in)
	if err != nil {
		return "", err
	}
	if i.View.Type == "home" {
		c.refreshHome(door, in)
	}
	return received(ack), nil
}

func clickOf(i interaction, a action) string {
	if i.TriggerID != "" {
		return i.TriggerID
	}
	return strings.Join([]string{i.Container.ChannelID, i.Container.MessageTS, i.User.ID, a.ActionID, a.ActionTS}, "-")
}

// place is where a click was made: beside the message, in its thread when it
// hangs in one; in the conversation with maitred when it was in the home.
func (i interaction) place() chat.Place {
	p := chat.Place{Chat: Name, Channel: i.Channel.ID}
	if p.Channel == "" {
		p.Channel = i.Container.ChannelID
	}
	if i.Container.MessageTS != "" {
		p.Thread = thread(i.Container.ThreadTS, i.Container.MessageTS)
	}
	if m, ok := note(i.View); ok && p.Channel == "" {
		p = m.at()
	}
	return p
}

// noted is what a view keeps for when something is done in it.
type noted struct {
	Line    string   `json:"l,omitempty"`
	Channel string   `json:"c,omitempty"`
	Thread  string   `json:"t,omitempty"`
	Secrets []string `json:"s,omitempty"` // names of the fields whose values are secret
}

func (n noted) at() chat.Place { return chat.Place{Chat: Name, Channel: n.Channel, Thread: n.Thread} }

func note(v view) (noted, bool) {
	var n noted
	err := json.Unmarshal([]byte(v.PrivateMetadata), &n)
	return n, err == nil
}

// put gives in the value of a field.
func (n noted) put(in *chat.Inbound, name, value string) {
	if !slices.Contains(n.Secrets, name) {
		in.Fields[name] = value
		return
	}
	if value == "" {
		return
	}
	if in.Secrets == nil {
		in.Secrets = map[string]string{}
	}
	in.Secrets[name] = value
}

// takeForm hears a form that was sent. One form is sent once: when its
// acknowledgement was lost and somebody presses the button again, it is known.
func (c *Chat) takeForm(ctx context.Context, door chat.Door, i interaction) (body any, outcome string, err error) {
	n, ok := note(i.View)
	if !ok || n.Line == "" || i.User.ID == "" || i.View.ID == "" {
		return failed(i.View, "maitred cannot read this form any more. Close it and ask for it again."), "", &malformed{errLacks("line of the form")}
	}
	in := chat.Inbound{
		Key: "slack-form-" + i.View.ID, Person: person(i.User.ID, i.User.shown()),
		Place: n.at(), Line: n.Line, Source: chat.Submitted, Fields: map[string]string{},
	}
	for _, fields := range i.View.State.Values {
		for name, value := range fields {
			n.put(&in, name, value.text())
		}
	}
	c.replies.keep(in.Key, reply{Trigger: i.TriggerID, At: c.options.Now()})
	ack, err := door.Receive(ctx, in)
	if err != nil {
		c.log.Error("form not stored", zap.String("key", in.Key), zap.Error(err))
		return failed(i.View, sorry(err)), outcomeRefused, nil
	}
	return nil, received(ack), nil
}

// failed keeps a form open, with a sentence below its first field.
func failed(v view, say string) any {
	for _, b := range v.Blocks {
		if b.Type == "input" {
			return map[string]any{"response_action": "errors", "errors": map[string]string{b.BlockID: say}}
		}
	}
	return nil
}
