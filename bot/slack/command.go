package slack

import (
	"context"
	"strings"

	"go.uber.org/zap"

	"maitred/chat"
)

// Main is the slash command under which everything can be said.
const Main = "maitred"

// takeCommand hears a slash command. The answer comes later and through the API;
// only what could not be stored is answered here, because Slack does not deliver
// it again.
func (c *Chat) takeCommand(ctx context.Context, door chat.Door, cmd command) (body any, outcome string, err error) {
	if err := cmd.whole(); err != nil {
		return private("Slack sent that command in a form that maitred cannot read, so nothing will happen. Whoever runs maitred finds the cause in its log."),
			"", &malformed{err}
	}
	if c.elsewhere(cmd.TeamID) {
		return private("maitred works for another Slack workspace, so it may do nothing here. Ask whoever installed it."), outcomeElsewhere, nil
	}
	in := chat.Inbound{
		Key: "slack-command-" + cmd.TriggerID, Person: person(cmd.UserID, cmd.UserName),
		Place: chat.Place{Chat: Name, Channel: cmd.ChannelID}, Line: spoken(cmd), Source: chat.Typed,
	}
	c.replies.keep(in.Key, reply{URL: cmd.ResponseURL, Trigger: cmd.TriggerID, At: c.options.Now()})
	ack, err := door.Receive(ctx, in)
	if err != nil {
		c.log.Error("command not stored", zap.String("key", in.Key), zap.Error(err))
		return private(sorry(err)), outcomeRefused, nil
	}
	return nil, received(ack), nil
}

// spoken is the line that a slash command types.
func spoken(cmd command) string {
	return strings.TrimSpace("/" + strings.TrimLeft(cmd.Command, "/") + " " + strings.TrimSpace(cmd.Text))
}

// private is an answer in the acknowledgement, for the one who typed alone.
func private(text string) map[string]string {
	return map[string]string{"response_type": "ephemeral", "text": text}
}
