package slack

import (
	"context"
	"fmt"
	"slices"
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
// What does not fit into a message hangs on it as a file.
func (c *Chat) Post(ctx context.Context, to chat.Place, card chat.Card, key string) (chat.MessageRef, error) {
	p := c.said.of(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unsure && !p.done {
		ref, found, err := c.search(ctx, to, key)
		if err != nil {
			return chat.MessageRef{}, err
		}
		p.ref, p.done, p.unsure = ref, found, false
	}
	l := c.look(card, to)
	if !p.done {
		ref, err := c.post(ctx, to, l, key, pages(card))
		p.tried, p.unsure = true, lost(err)
		if err != nil {
			return chat.MessageRef{}, err
		}
		p.ref, p.done = ref, true
	}
	return p.ref, c.hang(ctx, p.ref.InThread(), l.files, key)
}

// hang uploads what belongs to a message. A file that Slack will never take is
// spoken of where it was expected, and holds nothing up.
func (c *Chat) hang(ctx context.Context, at chat.Place, files []file, key string) error {
	for i, f := range files {
		err := c.Upload(ctx, at, f.name, f.data, fmt.Sprintf("%s-file-%d", key, i))
		if fault.Is(err, fault.Unreachable) {
			return err
		}
		if err != nil {
			c.log.Warn("file not stored in slack", zap.String("key", key), zap.String("channel", at.Channel), zap.Error(err))
			text := fmt.Sprintf("The file %s could not be stored in Slack: %s", f.name, fault.Of(err).Say)
			if _, err := c.Post(ctx, at, chat.Card{State: chat.Warning, Text: text}, fmt.Sprintf("%s-nofile-%d", key, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// pages reports whether somebody has to notice card now.
func pages(card chat.Card) bool {
	return card.Channel || card.State == chat.Bad && len(card.Mention) > 0
}

// lost reports whether nobody knows what became of a call that ended with err.
func lost(err error) bool {
	return fault.Is(err, fault.Unreachable) && chat.Patience(err) == 0 && !revoked[code(err)]
}

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
	_, _, _, err := c.api.UpdateMessageContext(ctx, ref.Place.Channel, ref.ID, c.look(card, ref.Place).options()...)
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
	l := c.look(card, to)
	if direct(to) {
		return c.tell(ctx, to, l, key)
	}
	if len(l.files) > 0 { // a file in a channel is for everybody, so it goes where only they look
		at, err := c.home(ctx, who)
		if err != nil {
			return err
		}
		if err := c.hang(ctx, at, l.files, key); err != nil {
			return err
		}
		card.Notes = append(slices.Clone(card.Notes), "All of it is in a file that I sent to you directly.")
		l = c.look(card, to)
		l.files = nil
	}
	if url := c.replies.use(answered(key)); url != "" && to.Thread == "" {
		err := c.respond(ctx, url, l, key)
		if err == nil {
			return nil
		}
		c.log.Debug("response address did not work", zap.String("key", key), zap.Error(err))
	}
	err := c.ephemeral(ctx, to, who, l, key)
	if !fault.Is(err, fault.Missing) {
		return err
	}
	at, err := c.home(ctx, who)
	if err != nil {
		return err
	}
	return c.tell(ctx, at, l, key)
}

// answered is the key of the Inbound that a "said" key answers.
func answered(key string) string {
	if i := strings.LastIndex(key, "-said-"); i >= 0 {
		return key[:i]
	}
	return strings.TrimSuffix(key, "-form")
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

// tell says l in a conversation with one person.
func (c *Chat) tell(ctx context.Context, at chat.Place, l look, key string) error {
	ref, err := c.post(ctx, at, l, key, false)
	if err != nil {
		return err
	}
	return c.hang(ctx, ref.InThread(), l.files, key)
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
