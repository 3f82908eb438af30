package slack

import (
	"context"
	"encoding/json"
	"strings"

	"go.uber.org/zap"

	"maitred/chat"
)

// takeEvent hears an event: what is said to maitred in a channel, a thread or
// directly, and that somebody opened its home.
func (c *Chat) takeEvent(ctx context.Context, door chat.Door, e envelope) (body any, outcome string, err error) {
	switch e.Type {
	case "url_verification":
		return map[string]string{"challenge": e.Challenge}, outcomeNew, nil
	case "app_rate_limited":
		c.log.Warn("slack drops events: there are more than 30,000 in an hour", zap.String("team", e.TeamID))
		return nil, outcomeIgnored, nil
	case "event_callback":
	default:
		c.log.Warn("delivery of an unknown type", zap.String("type", e.Type))
		return nil, outcomeIgnored, nil
	}
	if c.elsewhere(e.TeamID) {
		return nil, outcomeElsewhere, nil
	}
	kind, err := decode[struct {
		Type string `json:"type"`
	}](e.Event)
	if err != nil {
		return nil, "", err
	}
	switch kind.Type {
	case "app_mention", "message":
		outcome, err = c.takeMessage(ctx, door, e.Event)
	case "app_home_opened":
		outcome, err = c.takeVisit(door, e.Event)
	case "tokens_revoked", "app_uninstalled":
		c.log.Error("the app was taken out of slack", zap.String("event", kind.Type))
		outcome = outcomeNew
	default:
		c.log.Debug("event not asked for", zap.String("event", kind.Type))
		outcome = outcomeIgnored
	}
	return nil, outcome, err
}

// takeMessage hears what somebody wrote. A mention can be delivered twice, as a
// mention and as a message of the channel, under two event ids; and each event
// is delivered again when nobody acknowledged it. The channel, time and author of
// the message are the same every time, so they are the key. A redelivery is never
// dropped unseen: it may be the only one that arrives.
func (c *Chat) takeMessage(ctx context.Context, door chat.Door, raw json.RawMessage) (outcome string, err error) {
	e, err := decode[event](raw)
	if err != nil {
		return "", err
	}
	if c.chatter(e) {
		return outcomeIgnored, nil
	}
	if e.Channel == "" || e.TS == "" {
		return "", &malformed{errLacks("channel or ts")}
	}
	ack, err := door.Receive(ctx, chat.Inbound{
		Key: "slack-message-" + e.Channel + "-" + e.TS + "-" + e.User, Person: person(e.User, ""),
		Place: chat.Place{Chat: Name, Channel: e.Channel, Thread: thread(e.ThreadTS, e.TS)}, Line: c.addressed(e), Source: chat.Typed,
	})
	if err != nil {
		return "", err
	}
	return received(ack), nil
}

// thread is where a message hangs; what begins a thread hangs on nothing.
func thread(root, message string) string {
	if root == message {
		return ""
	}
	return root
}

// chatter reports whether e is nothing that a person said: changes, joins, bots
// and maitred itself.
func (c *Chat) chatter(e event) bool {
	if e.User == "" || e.BotID != "" || e.Hidden || e.User == "USLACKBOT" {
		return true
	}
	if s := c.self.Load(); s != nil && e.User == s.User {
		return true
	}
	switch e.Subtype {
	case "", "thread_broadcast", "file_share":
		return false
	}
	return true
}

// addressed is the line of e, with maitred called by its name where Slack says
// that it was meant.
func (c *Chat) addressed(e event) string {
	text := c.byName(e.Text)
	direct := e.ChannelType == "im" || strings.HasPrefix(e.Channel, "D")
	called := strings.Contains(strings.ToLower(text), "@"+Main)
	if !called && (direct && !strings.HasPrefix(strings.TrimSpace(text), "/") || e.Type == "app_mention") {
		return "@" + Main + " " + text
	}
	return text
}

// byName writes mentions of maitred's own user as its name.
func (c *Chat) byName(text string) string {
	s := c.self.Load()
	if s == nil || s.User == "" {
		return text
	}
	own := "<@" + s.User
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, own)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		end := strings.IndexByte(after, '>')
		if end < 0 || after[0] != '>' && after[0] != '|' {
			b.WriteString(own)
			text = after
			continue
		}
		b.WriteString("@" + Main)
		text = after[end+1:]
	}
}
