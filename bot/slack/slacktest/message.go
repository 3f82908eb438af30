package slacktest

import (
	"encoding/json"
	"slices"
)

// Message is a message as it looks now.
type Message struct {
	TS        string
	Channel   string
	Thread    string // the ts of the thread's first message; empty outside threads
	User      string // who wrote it
	Text      string
	Blocks    []any
	Metadata  map[string]any
	Only      string // the id of the one who sees it; empty for everybody
	Edits     int
	EditedAt  string
	Deleted   bool
	Files     []string
	Notified  []string // ids of users and groups, or "channel": who was mentioned in it when it was new
	Changed   int      // counts up over all of Slack: when it came to look so
	clientID  string
	fromHuman bool
	replies   []*Message
}

func (m *Message) copy() Message {
	c := *m
	c.Blocks = slices.Clone(m.Blocks)
	c.Files = slices.Clone(m.Files)
	c.Notified = slices.Clone(m.Notified)
	return c
}

// Messages are all messages of a channel, oldest first, ephemeral ones
// included; of all channels when the name is empty. Deleted ones are left out.
func (s *Slack) Messages(channel string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := ""
	if channel != "" {
		id = s.channel(channel).ID
	}
	var out []Message
	for _, m := range s.messages {
		if !m.Deleted && (id == "" || m.Channel == id) {
			out = append(out, m.copy())
		}
	}
	return out
}

// Message is the message as it looks now; false when it is gone.
func (s *Slack) Message(channel, ts string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.find(s.channel(channel).ID, ts)
	if m == nil {
		return Message{}, false
	}
	return m.copy(), true
}

// DeleteMessage removes a message as an administrator does.
func (s *Slack) DeleteMessage(channel, ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(s.channel(channel).ID, ts); m != nil {
		m.Deleted = true
		s.bump()
	}
}

// find finds a message that is not deleted. The lock is held.
func (s *Slack) find(channel, ts string) *Message {
	if m := s.byTS[channel+" "+ts]; m != nil && !m.Deleted {
		return m
	}
	return nil
}

func (s *Slack) add(m *Message) {
	m.TS = s.ts()
	m.Changed = s.version + 1
	s.messages = append(s.messages, m)
	s.byTS[m.Channel+" "+m.TS] = m
	if parent := s.byTS[m.Channel+" "+m.Thread]; parent != nil && m.Only == "" {
		parent.replies = append(parent.replies, m)
	}
	s.bump()
}

// shape is the message as the Web API and events show it.
func (s *Slack) shape(m *Message) map[string]any {
	out := map[string]any{"type": "message", "user": m.User, "text": m.Text, "ts": m.TS, "team": s.TeamID}
	if !m.fromHuman {
		out["bot_id"], out["app_id"] = s.BotID, s.AppID
		out["bot_profile"] = map[string]any{
			"id": s.BotID, "app_id": s.AppID, "name": "maitred", "deleted": false, "updated": 1700000000, "team_id": s.TeamID,
			"icons": map[string]any{"image_36": "https://a.slack-edge.com/36.png", "image_48": "https://a.slack-edge.com/48.png", "image_72": "https://a.slack-edge.com/72.png"},
		}
	}
	if m.clientID != "" {
		out["client_msg_id"] = m.clientID
	}
	if len(m.Blocks) > 0 {
		out["blocks"] = m.Blocks
	}
	if m.Edits > 0 {
		out["edited"] = map[string]any{"user": s.BotID, "ts": m.EditedAt}
	}
	replies := s.replies(m)
	if m.Thread != "" {
		out["thread_ts"] = m.Thread
		if parent := s.find(m.Channel, m.Thread); parent != nil {
			out["parent_user_id"] = parent.User
		}
	} else if len(replies) > 0 {
		var users []string
		for _, r := range replies {
			if !slices.Contains(users, r.User) {
				users = append(users, r.User)
			}
		}
		out["thread_ts"], out["reply_count"], out["reply_users_count"] = m.TS, len(replies), len(users)
		out["reply_users"], out["latest_reply"], out["subscribed"] = users, replies[len(replies)-1].TS, false
	}
	return out
}

func (s *Slack) replies(m *Message) []*Message {
	return slices.DeleteFunc(slices.Clone(m.replies), func(r *Message) bool { return r.Deleted })
}

// raw is v as JSON, for state that is compared or copied.
func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only ever called with what was decoded from JSON or built here
	}
	return b
}
