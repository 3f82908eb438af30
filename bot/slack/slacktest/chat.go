package slacktest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// said is what a call wants to say, checked.
type said struct {
	text     string
	blocks   []any
	metadata map[string]any
}

// say checks text, blocks and metadata as Slack does.
func (s *Slack) say(in args) (said, *failure) {
	out := said{text: in["text"]}
	if utf8.RuneCountInString(out.text) > 40000 {
		return out, fail("msg_too_long")
	}
	if !in.object("blocks", &out.blocks) {
		return out, fail("invalid_blocks_format")
	}
	if p := CheckBlocks(out.blocks, OnMessage); len(p) > 0 && !s.wrong[AnyBlocks] {
		return out, fail("invalid_blocks", p...)
	}
	if n := Characters(out.blocks); n > MaxCharacters && !s.wrong[AnyBlocks] {
		return out, fail("msg_blocks_too_long", fmt.Sprintf("[ERROR] %d characters", n))
	}
	if !in.object("metadata", &out.metadata) {
		return out, fail("invalid_metadata_format")
	}
	if out.metadata != nil {
		kind, _ := out.metadata["event_type"].(string)
		payload, ok := out.metadata["event_payload"].(map[string]any)
		switch {
		case kind == "" && payload == nil:
			out.metadata = nil // as slack-go sends it when there is none
		case kind == "" || !ok:
			return out, fail("metadata_must_be_sent_from_app", "[ERROR] event_type and event_payload are required")
		}
	}
	if strings.TrimSpace(out.text) == "" && len(out.blocks) == 0 {
		return out, fail("no_text")
	}
	out.blocks = s.named(out.blocks)
	return out, nil
}

// named gives every block an id, as Slack does when the app did not.
func (s *Slack) named(blocks []any) []any {
	for _, b := range blocks {
		block, ok := b.(map[string]any)
		if !ok {
			continue
		}
		if id, _ := block["block_id"].(string); id == "" {
			block["block_id"] = s.id("b")
		}
		for _, e := range elements(block) {
			if _, interactive := e["type"]; interactive && e["action_id"] == nil && takesAction(e) {
				e["action_id"] = s.id("a")
			}
		}
	}
	return blocks
}

// target finds where to say something, and refuses what Slack refuses.
func (s *Slack) target(in args) (*Channel, *failure) {
	id := in["channel"]
	c := s.channels[id]
	if u := s.users[id]; c == nil && u != nil {
		c = s.channels[DirectID(u.Name)]
	}
	switch {
	case id == "" || c == nil:
		return nil, fail("channel_not_found")
	case c.Archived:
		return nil, fail("is_archived")
	case c.Private && !c.has(s.BotUserID):
		return nil, fail("channel_not_found")
	}
	return c, nil
}

func (s *Slack) postMessage(in args) (map[string]any, *failure) {
	c, f := s.target(in)
	if f != nil {
		return nil, f
	}
	if !c.has(s.BotUserID) && !s.controls.scopes["chat:write.public"] {
		return nil, fail("not_in_channel")
	}
	said, f := s.say(in)
	if f != nil {
		return nil, f
	}
	m := &Message{Channel: c.ID, User: s.BotUserID, Text: said.text, Blocks: said.blocks, Metadata: said.metadata}
	if thread := in["thread_ts"]; thread != "" {
		parent := s.find(c.ID, thread)
		switch {
		case parent == nil:
			return nil, fail("thread_not_found")
		case parent.Thread != "":
			thread = parent.Thread // a reply to a reply lands in the thread
		}
		m.Thread = thread
	}
	m.Notified = mentioned(m)
	s.add(m)
	shape := s.shape(m)
	if m.Metadata != nil {
		shape["metadata"] = m.Metadata
	}
	return map[string]any{"channel": c.ID, "ts": m.TS, "message": shape}, nil
}

func (s *Slack) postEphemeral(in args) (map[string]any, *failure) {
	c, f := s.target(in)
	if f != nil {
		return nil, f
	}
	u := s.users[in["user"]]
	switch {
	case !c.has(s.BotUserID):
		return nil, fail("not_in_channel")
	case u == nil || u.Deleted || !c.has(u.ID):
		return nil, fail("user_not_in_channel")
	}
	said, f := s.say(in)
	if f != nil {
		return nil, f
	}
	m := &Message{Channel: c.ID, Thread: in["thread_ts"], User: s.BotUserID, Only: u.ID, Text: said.text, Blocks: said.blocks}
	s.add(m)
	return map[string]any{"message_ts": m.TS}, nil
}

func (s *Slack) update(in args) (map[string]any, *failure) {
	c, f := s.target(in)
	if f != nil {
		return nil, f
	}
	m := s.find(c.ID, in["ts"])
	switch {
	case m == nil, m.Only != "": // what only one person sees cannot be edited
		return nil, fail("message_not_found")
	case m.User != s.BotUserID:
		return nil, fail("cant_update_message")
	}
	if in["text"] == "" && in["blocks"] == "" {
		return nil, fail("no_text")
	}
	said, f := s.say(in)
	if f != nil {
		return nil, f
	}
	switch {
	case in["blocks"] != "": // without text the old one stays
		m.Blocks = said.blocks
		if in["text"] != "" {
			m.Text = said.text
		}
	default: // text alone removes the blocks
		m.Text = said.text
		if !s.wrong[BlocksStay] {
			m.Blocks = nil
		}
	}
	if said.metadata != nil {
		m.Metadata = said.metadata
	}
	m.Edits++
	m.EditedAt = s.ts()
	m.Changed = s.version + 1
	shape := s.shape(m)
	delete(shape, "ts")
	return map[string]any{"channel": c.ID, "ts": m.TS, "text": m.Text, "message": shape}, nil
}

func (s *Slack) delete(in args) (map[string]any, *failure) {
	c, f := s.target(in)
	if f != nil {
		return nil, f
	}
	m := s.find(c.ID, in["ts"])
	switch {
	case m == nil:
		return nil, fail("message_not_found")
	case m.User != s.BotUserID:
		return nil, fail("cant_delete_message")
	}
	m.Deleted = true
	return map[string]any{"channel": c.ID, "ts": m.TS}, nil
}

func (s *Slack) permalink(in args) (map[string]any, *failure) {
	c := s.channels[in["channel"]]
	if c == nil {
		return nil, fail("channel_not_found")
	}
	m := s.find(c.ID, in["message_ts"])
	if m == nil {
		return nil, fail("message_not_found")
	}
	link := "https://example.slack.com/archives/" + c.ID + "/p" + strings.ReplaceAll(m.TS, ".", "")
	if m.Thread != "" {
		link += "?thread_ts=" + m.Thread + "&cid=" + c.ID
	}
	return map[string]any{"channel": c.ID, "permalink": link}, nil
}

var mention = regexp.MustCompile(`<(?:@([UW][A-Z0-9]+)|!subteam\^(S[A-Z0-9]+)|!(here|channel|everyone))(?:\|[^>]*)?>`)

// mentioned is whom a new message notifies.
func mentioned(m *Message) []string {
	var out []string
	add := func(text string) {
		for _, found := range mention.FindAllStringSubmatch(text, -1) {
			who := found[1] + found[2]
			if found[3] != "" {
				who = "channel"
			}
			if !slices.Contains(out, who) {
				out = append(out, who)
			}
		}
	}
	if len(m.Blocks) == 0 {
		add(m.Text)
	}
	for _, t := range texts(m.Blocks) {
		if t.kind == "mrkdwn" {
			add(t.text)
		}
	}
	return out
}
