package slack

import (
	"context"
	"strconv"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// searched is how far back, and in how many pages, a message is looked for.
const (
	searched = 48 * time.Hour
	sheets   = 5
)

// Find looks for the message that was posted at to under key. What was posted
// since maitred was started is remembered, so that Slack is only asked about
// what was said before.
func (c *Chat) Find(ctx context.Context, to chat.Place, key string) (chat.MessageRef, bool, error) {
	p := c.said.of(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done || p.tried && !p.unsure {
		return p.ref, p.done, nil
	}
	ref, found, err := c.search(ctx, to, key)
	if err == nil {
		p.ref, p.done, p.tried, p.unsure = ref, found, true, false
	}
	return ref, found, err
}

// search asks Slack for the message that was posted at to under key. Where
// maitred may not read, nothing is found: a message shown twice is better than
// none.
func (c *Chat) search(ctx context.Context, to chat.Place, key string) (chat.MessageRef, bool, error) {
	ctx = calling(ctx, caller{who: key})
	cursor := ""
	for range sheets {
		messages, next, err := c.read(ctx, to, cursor)
		if fault.Is(err, fault.Unsupported) || fault.Is(err, fault.Missing) {
			c.log.Info("cannot look for a message", zap.String("channel", to.Channel), zap.Error(err))
			return chat.MessageRef{}, false, nil
		}
		if err != nil {
			return chat.MessageRef{}, false, err
		}
		for _, m := range messages {
			if m.Metadata.EventType == eventType && m.Metadata.EventPayload["key"] == key && c.ours(m) {
				return chat.MessageRef{Place: to, ID: m.Timestamp}, true, nil
			}
		}
		if next == "" {
			break
		}
		cursor = next
	}
	return chat.MessageRef{}, false, nil
}

// read is a page of what was said at to, in the thread or in the channel.
func (c *Chat) read(ctx context.Context, to chat.Place, cursor string) ([]slack.Message, string, error) {
	oldest := strconv.FormatInt(c.options.Now().Add(-searched).Unix(), 10)
	if to.Thread != "" {
		messages, _, next, err := c.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: to.Channel, Timestamp: to.Thread, Cursor: cursor, Oldest: oldest, Limit: 200, IncludeAllMetadata: true,
		})
		return messages, next, c.explain("conversations.replies", to.Channel, err)
	}
	r, err := c.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: to.Channel, Cursor: cursor, Oldest: oldest, Limit: 200, IncludeAllMetadata: true,
	})
	if err = c.explain("conversations.history", to.Channel, err); err != nil {
		return nil, "", err
	}
	return r.Messages, r.ResponseMetaData.NextCursor, nil
}

// ours reports whether maitred wrote m: anybody can copy a key.
func (c *Chat) ours(m slack.Message) bool {
	s := c.self.Load()
	return s == nil || m.BotID == s.Bot || m.User == s.User
}
