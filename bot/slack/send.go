package slack

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// eventType marks maitred's messages, and their payload has the key under which
// each was posted: that is how one is found again when nobody knows whether it
// was posted. Every app of the workspace can read it, so it says nothing else.
const eventType = "maitred_message"

// Pace is how long a message is left alone after an edit; Slack allows about
// fifty edits a minute over all messages.
func (c *Chat) Pace() time.Duration { return 2 * time.Second }

// Post shows card at to. The same key twice is one message: what was posted is
// remembered, and when the answer to an earlier try was lost, Slack is asked.
func (c *Chat) Post(ctx context.Context, to chat.Place, card chat.Card, key string) (chat.MessageRef, error) {
	p := c.said.of(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unsure && !p.done {
		ref, found, err := c.Find(ctx, to, key)
		if err != nil {
			return chat.MessageRef{}, err
		}
		p.ref, p.done, p.unsure = ref, found, false
	}
	if !p.done {
		look := draw(card)
		ref, err := c.post(ctx, to, look, key, pages(card))
		if err != nil {
			p.unsure = lost(err)
			return chat.MessageRef{}, err
		}
		p.ref, p.done = ref, true
	}
	return p.ref, nil
}

// pages reports whether somebody has to notice card now.
func pages(card chat.Card) bool {
	return card.Channel || card.State == chat.Bad && len(card.Mention) > 0
}

// lost reports whether nobody knows what became of a call that ended with err.
func lost(err error) bool { return fault.Is(err, fault.Unreachable) && chat.Patience(err) == 0 }

func (c *Chat) post(ctx context.Context, to chat.Place, l look, key string, page bool) (chat.MessageRef, error) {
	ctx = calling(ctx, caller{channel: to.Channel, who: key, page: page})
	options := append(l.options(), slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"key": key}}))
	if to.Thread != "" {
		options = append(options, slack.MsgOptionTS(to.Thread))
	}
	channel, ts, err := c.api.PostMessageContext(ctx, to.Channel, options...)
	if err = c.explain("chat.postMessage", to.Channel, err); err != nil {
		return chat.MessageRef{}, err
	}
	return chat.MessageRef{Place: chat.Place{Chat: Name, Channel: channel, Thread: to.Thread}, ID: ts}, nil
}

// Edit makes the message look like card. Nobody is notified of an edit, so it
// mentions nobody.
func (c *Chat) Edit(ctx context.Context, ref chat.MessageRef, card chat.Card) error {
	card.Mention, card.Channel = nil, false
	ctx = calling(ctx, caller{who: ref.Place.Channel + "/" + ref.ID})
	_, _, _, err := c.api.UpdateMessageContext(ctx, ref.Place.Channel, ref.ID, draw(card).options()...)
	return c.explain("chat.update", ref.Place.Channel, err)
}

// Whisper shows card at to, to who alone: by the address that came with a slash
// command, else as a message that only they see, else as a direct message.
func (c *Chat) Whisper(ctx context.Context, to chat.Place, who chat.Person, card chat.Card, key string) error {
	if who.Chat != Name {
		return fault.New(fault.Missing, "slack.whisper", "", "%s is not known in Slack.", who.Label())
	}
	p := c.said.of(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return nil
	}
	err := c.whisper(ctx, to, who, card, key)
	p.done = err == nil
	return err
}

func (c *Chat) whisper(ctx context.Context, to chat.Place, who chat.Person, card chat.Card, key string) error {
	card.Mention, card.Channel = nil, false
	l := draw(card)
	if direct(to) {
		_, err := c.post(ctx, to, l, key, false)
		return err
	}
	if url := c.replies.use(answered(key)); url != "" && to.Thread == "" {
		err := c.respond(ctx, url, l, key)
		if err == nil {
			return nil
		}
		c.log.Debug("response address did not work", zap.String("key", key), zap.Error(err))
	}
	err := c.ephemeral(ctx, to, who, l, key)
	if fault.Is(err, fault.Missing) {
		return c.tell(ctx, who, l, key)
	}
	return err
}

// answered is the key of the Inbound that a "said" key answers.
func answered(key string) string {
	if i := strings.LastIndex(key, "-said-"); i >= 0 {
		return key[:i]
	}
	return key
}

// direct reports whether the place is a conversation of maitred with one person.
func direct(to chat.Place) bool { return strings.HasPrefix(to.Channel, "D") }

// respond answers a slash command or a click privately by the address that came
// with it, which also works where maitred is no member.
func (c *Chat) respond(ctx context.Context, url string, l look, key string) error {
	ctx = calling(ctx, caller{who: key})
	options := append(l.options(), slack.MsgOptionResponseURL(url, slack.ResponseTypeEphemeral))
	_, _, err := c.api.PostMessageContext(ctx, "", options...)
	return c.explain("response_url", "", err)
}

func (c *Chat) ephemeral(ctx context.Context, to chat.Place, who chat.Person, l look, key string) error {
	ctx = calling(ctx, caller{who: key})
	options := l.options()
	if to.Thread != "" {
		options = append(options, slack.MsgOptionTS(to.Thread))
	}
	_, err := c.api.PostEphemeralContext(ctx, to.Channel, who.ID, options...)
	if word := code(err); word == "user_not_in_channel" || word == "not_in_channel" || word == "channel_not_found" {
		return &fault.Error{Kind: fault.Missing, Op: "slack.chat.postEphemeral", Say: fmt.Sprintf("%s is not in that channel of Slack, or maitred is not.", who.Label()), Err: err}
	}
	return c.explain("chat.postEphemeral", to.Channel, err)
}

// tell sends a direct message.
func (c *Chat) tell(ctx context.Context, who chat.Person, l look, key string) error {
	at, err := c.home(ctx, who)
	if err != nil {
		return err
	}
	_, err = c.post(ctx, at, l, key, false)
	return err
}

// home is the conversation of maitred with one person.
func (c *Chat) home(ctx context.Context, who chat.Person) (chat.Place, error) {
	ctx = calling(ctx, caller{who: who.ID})
	channel, _, _, err := c.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{who.ID}, ReturnIM: true})
	if err = c.explain("conversations.open", who.ID, err); err != nil {
		return chat.Place{}, err
	}
	return chat.Place{Chat: Name, Channel: channel.ID}, nil
}
