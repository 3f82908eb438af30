package webchat

import (
	"context"
	"time"

	"maitred/chat"
)

// Aloud is door for lines that are said to the page's channels from elsewhere,
// such as POST /v1/say: the page shows them as said by their persona.
func (c *Chat) Aloud(door chat.Door) chat.Door { return aloud{door, c} }

type aloud struct {
	chat.Door
	page *Chat
}

func (a aloud) Receive(ctx context.Context, in chat.Inbound) (chat.Ack, error) {
	if in.Place.Chat != Name || in.Person.Chat != Name {
		return a.Door.Receive(ctx, in)
	}
	_, ack, err := a.page.hear(ctx, a.Door, in)
	return ack, err
}

// hear shows in and hands it to the door, in this order, so that no answer can
// stand above it. What the door could not store is marked as lost.
func (c *Chat) hear(ctx context.Context, door chat.Door, in chat.Inbound) (Message, chat.Ack, error) {
	shown := Message{Key: "said-" + in.Key, Author: in.Person.ID, Text: c.shownText(in.Line), Mentions: c.named(in.Line)}
	m, err := c.add(ctx, in.Place, shown, nil)
	if err != nil {
		return m, chat.Ack{}, err
	}
	ack, err := door.Receive(ctx, in)
	if err != nil {
		m.Lost, m.Edited = true, time.Now()
		_ = c.change(ctx, m) // whoever said it is told err in any case
	}
	return m, ack, err
}
