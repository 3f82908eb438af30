package slacktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Person is somebody who uses Slack. What they do returns at once; the Delivery
// tells what became of it.
type Person struct {
	ID   string
	Name string

	slack *Slack
}

// rejected is a delivery that Slack never makes.
func (s *Slack) rejected(err error) *Delivery {
	d := &Delivery{s: s, done: make(chan struct{}), err: err, At: s.now()}
	close(d.done)
	return d
}

func (p *Person) user() *User { return p.slack.users[p.ID] }

// Slash types a slash command in a channel: Slash("deploys", "/deploy ocpizza").
// In a thread there are none.
func (p *Person) Slash(channel, line string) *Delivery {
	s := p.slack
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(channel)
	command, text, _ := strings.Cut(strings.TrimSpace(line), " ")
	switch {
	case !strings.HasPrefix(command, "/"):
		return s.rejected(fmt.Errorf("%q is not a slash command", line))
	case reserved[command]:
		return s.rejected(fmt.Errorf("Slack keeps %s for itself", command))
	case len(s.opt.Commands) > 0 && !slices.Contains(s.opt.Commands, command):
		return s.rejected(fmt.Errorf("%s is not a valid command", command))
	case !c.enter(p.ID):
		return s.rejected(errors.New("you are not in this channel"))
	}
	a := answerURL{user: p.ID, channel: c.ID}
	name := c.Name
	switch {
	case c.With != "":
		name = "directmessage"
	case c.Private:
		name = "privategroup"
	}
	return s.deliver(KindCommand, map[string]any{
		"token": "legacy", "team_id": p.user().TeamID, "team_domain": "example", "channel_id": c.ID, "channel_name": name,
		"user_id": p.ID, "user_name": p.Name, "command": command, "text": strings.TrimSpace(text), "api_app_id": s.AppID,
		"is_enterprise_install": "false", "response_url": s.newAnswer(a), "trigger_id": s.newTrigger(p.ID),
	}, func(payload json.RawMessage) error { return s.reply(a, payload) })
}

// Type writes a message in a channel or, with their DirectID, to maitred. "@maitred"
// and "@ann" become mentions. The Delivery is nil when the app hears nothing of it.
func (p *Person) Type(channel, text string) (Message, *Delivery) { return p.write(channel, "", text) }

// Reply writes in the thread of a message.
func (p *Person) Reply(to Message, text string) (Message, *Delivery) {
	thread := to.Thread
	if thread == "" {
		thread = to.TS
	}
	return p.write(to.Channel, thread, text)
}

func (p *Person) write(channel, thread, text string) (Message, *Delivery) {
	s := p.slack
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(channel)
	if !c.enter(p.ID) {
		return Message{}, s.rejected(errors.New("you are not in this channel"))
	}
	text = s.asSent(text)
	m := &Message{Channel: c.ID, Thread: thread, User: p.ID, Text: text, fromHuman: true}
	m.clientID = strings.ToLower(s.id("cmid-"))
	m.Blocks = []any{map[string]any{"type": "rich_text", "block_id": s.id("b"), "elements": []any{map[string]any{
		"type": "rich_text_section", "elements": []any{map[string]any{"type": "text", "text": text}}}}}}
	s.add(m)
	return m.copy(), s.announce(p.user(), c, m)
}

// announce tells the app of a message, when it has subscribed to such.
func (s *Slack) announce(u *User, c *Channel, m *Message) *Delivery {
	event := s.shape(m)
	event["channel"], event["event_ts"] = c.ID, m.TS
	switch {
	case c.With != "" && s.controls.scopes["im:history"]:
		event["channel_type"] = "im"
	case c.With == "" && c.has(s.BotUserID) && s.controls.scopes["app_mentions:read"] && strings.Contains(m.Text, "<@"+s.BotUserID+">"):
		event["type"] = "app_mention"
		delete(event, "parent_user_id") // which only messages have
	default:
		return nil
	}
	return s.event(event)
}

// asSent is a text as Slack sends it: escaped, with mentions as ids.
func (s *Slack) asSent(text string) string {
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	var pairs []string
	for _, u := range s.users {
		pairs = append(pairs, "@"+u.Name, "<@"+u.ID+">")
	}
	for _, g := range s.groups {
		pairs = append(pairs, "@"+g.Handle, "<!subteam^"+g.ID+">")
	}
	return longestFirst(pairs).Replace(text)
}

func longestFirst(pairs []string) *strings.Replacer {
	type pair struct{ from, to string }
	var all []pair
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, pair{pairs[i], pairs[i+1]})
	}
	slices.SortFunc(all, func(a, b pair) int { return len(b.from) - len(a.from) })
	var out []string
	for _, p := range all {
		out = append(out, p.from, p.to)
	}
	return strings.NewReplacer(out...)
}

// Event tells the app of something.
func (s *Slack) Event(event map[string]any) *Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.event(event)
}

func (s *Slack) event(event map[string]any) *Delivery {
	return s.deliver(KindEvent, map[string]any{
		"token": "legacy", "team_id": s.TeamID, "api_app_id": s.AppID, "event": event, "type": "event_callback",
		"event_id": s.id("Ev"), "event_time": s.now().Unix(), "is_ext_shared_channel": false, "event_context": "4-" + s.id("ctx"),
		"authorizations": []any{map[string]any{
			"enterprise_id": nil, "team_id": s.TeamID, "user_id": s.BotUserID, "is_bot": true, "is_enterprise_install": false}},
	}, nil)
}

// OpenHome opens the app's home.
func (p *Person) OpenHome() *Delivery {
	s := p.slack
	s.mu.Lock()
	defer s.mu.Unlock()
	event := map[string]any{"type": "app_home_opened", "user": p.ID, "channel": DirectID(p.Name), "tab": "home", "event_ts": s.ts()}
	if v := s.homes[p.ID]; v != nil {
		event["view"] = s.viewShape(v)
	}
	return s.event(event)
}

// Home is the app's home as they see it; false when nothing was published.
func (p *Person) Home() (View, bool) {
	p.slack.mu.Lock()
	defer p.slack.mu.Unlock()
	v := p.slack.homes[p.ID]
	if v == nil {
		return View{}, false
	}
	return *v, true
}

// View is the modal on top of what they see; false when there is none.
func (p *Person) View() (View, bool) {
	p.slack.mu.Lock()
	defer p.slack.mu.Unlock()
	open := p.slack.open(p.ID)
	if len(open) == 0 {
		return View{}, false
	}
	v := *open[len(open)-1]
	v.Errors = maps.Clone(v.Errors)
	return v, true
}

// See is what they see in a channel, oldest first: what is for everybody and what is
// for them alone.
func (p *Person) See(channel string) []Message {
	return slices.DeleteFunc(p.slack.Messages(channel), func(m Message) bool { return m.Only != "" && m.Only != p.ID })
}
