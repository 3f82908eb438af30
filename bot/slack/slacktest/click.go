package slacktest

import (
	"errors"
	"fmt"
	"strings"
)

// Button is a button of a message or a view as people see it.
type Button struct {
	Label    string
	ActionID string
	BlockID  string
	Value    string
	Confirm  string // the question asked first
	Danger   bool

	shape map[string]any
}

// Buttons are the buttons of a message or view.
func Buttons(blocks []any) []Button {
	var out []Button
	for _, b := range blocks {
		block, _ := b.(map[string]any)
		for _, e := range elements(block) {
			if e["type"] != "button" {
				continue
			}
			button := Button{Label: textOf(e["text"]), BlockID: str(block["block_id"]), ActionID: str(e["action_id"]), Value: str(e["value"]), shape: e}
			button.Danger = e["style"] == "danger"
			if c, ok := e["confirm"].(map[string]any); ok {
				button.Confirm = strings.TrimSpace(textOf(c["title"]) + " " + textOf(c["text"]))
			}
			out = append(out, button)
		}
	}
	return out
}

// Buttons are the message's.
func (m Message) Buttons() []Button { return Buttons(m.Blocks) }

// Click clicks the button with this label on a message as they see it: the
// message may have changed since. A confirmation is answered with yes.
func (p *Person) Click(m Message, label string) *Delivery {
	s := p.slack
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.find(m.Channel, m.TS)
	c := s.channels[m.Channel]
	switch {
	case now == nil || now.Only != "" && now.Only != p.ID:
		return s.rejected(errors.New("the message is gone"))
	case !c.enter(p.ID):
		return s.rejected(errors.New("you are not in this channel"))
	}
	for _, b := range Buttons(m.Blocks) { // what they saw when they clicked
		if b.Label == label {
			return s.clicked(p, c, now, b)
		}
	}
	return s.rejected(fmt.Errorf("there is no button %q", label))
}

func (s *Slack) clicked(p *Person, c *Channel, m *Message, b Button) *Delivery {
	ephemeral := m.Only != ""
	container := map[string]any{"type": "message", "message_ts": m.TS, "channel_id": c.ID, "is_ephemeral": ephemeral}
	if m.Thread != "" {
		container["thread_ts"] = m.Thread
	}
	name := c.Name
	if c.With != "" {
		name = "directmessage"
	}
	payload := s.interaction("block_actions", p)
	payload["container"], payload["channel"] = container, map[string]any{"id": c.ID, "name": name}
	payload["state"], payload["trigger_id"] = map[string]any{"values": map[string]any{}}, s.newTrigger(p.ID)
	payload["response_url"] = s.newAnswer(answerURL{user: p.ID, channel: c.ID, thread: m.Thread, ts: m.TS})
	payload["actions"] = []any{s.action(b.shape, b.BlockID)}
	if !ephemeral { // Slack does not repeat what only one person sees
		payload["message"] = s.shape(m)
	}
	return s.deliver(KindInteractive, payload, nil)
}

func (s *Slack) action(shape map[string]any, block string) map[string]any {
	action := map[string]any{"block_id": block, "action_ts": s.ts()}
	for _, k := range []string{"action_id", "type", "text", "value", "style"} {
		if v, ok := shape[k]; ok {
			action[k] = v
		}
	}
	return action
}

// interaction is what all interactive payloads have.
func (s *Slack) interaction(kind string, p *Person) map[string]any {
	u := p.user()
	return map[string]any{
		"type": kind, "team": map[string]any{"id": u.TeamID, "domain": "example"}, "api_app_id": s.AppID, "token": "legacy", "enterprise": nil,
		"user": map[string]any{"id": p.ID, "username": p.Name, "name": p.Name, "team_id": u.TeamID}, "is_enterprise_install": false,
	}
}

// ClickView clicks a button in the modal on top or, when there is none, in the
// app's home.
func (p *Person) ClickView(label string) *Delivery {
	s := p.slack
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.top(p.ID)
	if v == nil {
		v = s.homes[p.ID]
	}
	if v == nil {
		return s.rejected(errors.New("there is no view"))
	}
	blocks, _ := v.Body["blocks"].([]any)
	for _, b := range Buttons(blocks) {
		if b.Label == label {
			return s.deliver(KindInteractive, s.inView(p, v, b.shape, b.BlockID), nil)
		}
	}
	return s.rejected(fmt.Errorf("there is no button %q", label))
}

func (s *Slack) inView(p *Person, v *View, shape map[string]any, block string) map[string]any {
	payload := s.interaction("block_actions", p)
	payload["container"], payload["view"] = map[string]any{"type": "view", "view_id": v.ID}, s.viewShape(v)
	payload["trigger_id"], payload["actions"] = s.newTrigger(p.ID), []any{s.action(shape, block)}
	return payload
}

func (s *Slack) top(user string) *View {
	open := s.open(user)
	if len(open) == 0 {
		return nil
	}
	return open[len(open)-1]
}
