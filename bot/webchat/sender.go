package webchat

import (
	"context"
	"strconv"
	"time"

	"maitred/chat"
	"maitred/fault"
)

// Post shows card at to. The same key twice is one message.
func (c *Chat) Post(ctx context.Context, to chat.Place, card chat.Card, key string) (chat.MessageRef, error) {
	m, err := c.add(ctx, to, Message{Key: key, Card: &card, Mentions: mentioned(card)}, nil)
	return m.Ref(), err
}

// Edit makes the message look like card. Whom it mentions does not change: a
// mention is only ever noticed in a new message.
func (c *Chat) Edit(ctx context.Context, ref chat.MessageRef, card chat.Card) error {
	id, err := strconv.ParseInt(ref.ID, 10, 64)
	if err != nil {
		return gone(ref.ID)
	}
	m, err := c.options.Store.Message(ctx, id)
	if err != nil {
		return err
	}
	m.Card, m.Edited = &card, time.Now()
	return c.change(ctx, m)
}

// Whisper shows card at to, to who alone.
func (c *Chat) Whisper(ctx context.Context, to chat.Place, who chat.Person, card chat.Card, key string) error {
	_, err := c.add(ctx, to, Message{Key: key, Card: &card, Viewer: who.ID, Mentions: []string{who.ID}}, nil)
	return err
}

// OpenForm asks the author of in for the values of f. The page opens it as a
// dialog; it stays in the channel, for its author alone, until it is answered.
func (c *Chat) OpenForm(ctx context.Context, in chat.Inbound, f chat.Form) error {
	_, err := c.add(ctx, in.Place, Message{Key: "form-" + in.Key, Form: &f, Viewer: in.Person.ID}, nil)
	return err
}

// Upload hangs a file on a message of its own.
func (c *Chat) Upload(ctx context.Context, to chat.Place, name string, data []byte, key string) error {
	_, err := c.add(ctx, to, Message{Key: key, File: name}, data)
	return err
}

// add stores m at the place and wakes the pages.
func (c *Chat) add(ctx context.Context, to chat.Place, m Message, file []byte) (Message, error) {
	if _, ok := c.channel(to.Channel); !ok || to.Channel == "" {
		return m, fault.New(fault.Missing, "webchat.add", "", "The chat page has no channel #%s.", to.Channel)
	}
	m.Channel, m.At = to.Channel, time.Now()
	if to.Thread != "" {
		id, err := strconv.ParseInt(to.Thread, 10, 64)
		if err != nil {
			return m, gone(to.Thread)
		}
		m.Thread = id
	}
	stored, _, err := c.options.Store.AddMessage(ctx, m, file)
	if err != nil {
		return m, err
	}
	c.wake()
	return stored, nil
}

func (c *Chat) change(ctx context.Context, m Message) error {
	if _, err := c.options.Store.ChangeMessage(ctx, m); err != nil {
		return err
	}
	c.wake()
	return nil
}

func mentioned(card chat.Card) []string {
	var ids []string
	for _, p := range card.Mention {
		if p.Chat == Name || p.Chat == "" {
			ids = append(ids, p.ID)
		}
	}
	if card.Channel {
		ids = append(ids, Everybody)
	}
	return ids
}

func gone(id string) error {
	return fault.New(fault.Missing, "webchat.message", "", "The chat page has no message %s.", id)
}
