package slacktest

import (
	"slices"
	"strconv"
	"strings"
)

// reachable finds a channel for reading.
func (s *Slack) reachable(in args) (*Channel, *failure) {
	c := s.channels[in["channel"]]
	if c == nil || c.Private && !c.has(s.BotUserID) {
		return nil, fail("channel_not_found")
	}
	return c, nil
}

func (s *Slack) conversationInfo(in args) (map[string]any, *failure) {
	c, f := s.reachable(in)
	if f != nil {
		return nil, f
	}
	out := map[string]any{"id": c.ID, "created": c.created.Unix(), "is_archived": c.Archived, "is_im": c.With != "", "is_org_shared": false}
	if c.With != "" {
		out["user"], out["priority"] = c.With, 0
		return map[string]any{"channel": out}, nil
	}
	for k, v := range map[string]any{
		"name": c.Name, "name_normalized": c.Name, "is_channel": !c.Private, "is_group": c.Private, "is_mpim": false,
		"is_private": c.Private, "is_general": false, "is_shared": c.Shared, "is_ext_shared": c.Shared, "is_member": c.has(s.BotUserID),
		"unlinked": 0, "creator": s.BotUserID, "shared_team_ids": []string{s.TeamID}, "pending_shared": []string{}, "previous_names": []string{},
		"topic": note(), "purpose": note(), "context_team_id": s.TeamID, "updated": c.created.UnixMilli(), "is_pending_ext_shared": false,
	} {
		out[k] = v
	}
	if in.yes("include_num_members") {
		out["num_members"] = len(c.Members)
	}
	return map[string]any{"channel": out}, nil
}

func note() map[string]any { return map[string]any{"value": "", "creator": "", "last_set": 0} }

func (s *Slack) conversationOpen(in args) (map[string]any, *failure) {
	if in["channel"] != "" {
		c, f := s.reachable(in)
		if f != nil {
			return nil, f
		}
		return map[string]any{"no_op": true, "already_open": true, "channel": map[string]any{"id": c.ID}}, nil
	}
	u := s.users[in["users"]]
	switch {
	case u == nil:
		return nil, fail("user_not_found")
	case u.Deleted:
		return nil, fail("user_disabled")
	case u.ID == s.BotUserID || u.Bot:
		return nil, fail("cannot_dm_bot")
	}
	c := s.channels[DirectID(u.Name)]
	out := map[string]any{"id": c.ID}
	if in.yes("return_im") {
		out = map[string]any{"id": c.ID, "created": c.created.Unix(), "is_archived": false, "is_im": true, "is_org_shared": false, "user": u.ID, "is_open": true, "priority": 0}
	}
	return map[string]any{"no_op": true, "already_open": true, "channel": out}, nil
}

func (s *Slack) conversationReplies(in args) (map[string]any, *failure) {
	c, f := s.reachable(in)
	if f != nil {
		return nil, f
	}
	if !c.has(s.BotUserID) {
		return nil, fail("not_in_channel")
	}
	root := s.find(c.ID, in["ts"])
	if root == nil {
		return nil, fail("thread_not_found")
	}
	return s.page(append([]*Message{root}, s.replies(root)...), in), nil
}

func (s *Slack) conversationHistory(in args) (map[string]any, *failure) {
	c, f := s.reachable(in)
	if f != nil {
		return nil, f
	}
	if !c.has(s.BotUserID) {
		return nil, fail("not_in_channel")
	}
	var all []*Message
	for _, m := range slices.Backward(s.messages) {
		if m.Channel == c.ID && m.Thread == "" && m.Only == "" && !m.Deleted {
			all = append(all, m)
		}
	}
	return s.page(all, in), nil
}

func (s *Slack) conversationMembers(in args) (map[string]any, *failure) {
	c, f := s.reachable(in)
	if f != nil {
		return nil, f
	}
	return map[string]any{"members": c.Members, "response_metadata": map[string]any{"next_cursor": ""}}, nil
}

// page answers with the messages between oldest and latest, limit at a time.
func (s *Slack) page(all []*Message, in args) map[string]any {
	all = slices.DeleteFunc(all, func(m *Message) bool {
		oldest, latest, inclusive := in["oldest"], in["latest"], in.yes("inclusive")
		return oldest != "" && (older(m.TS, oldest) || m.TS == oldest && !inclusive) ||
			latest != "" && (older(latest, m.TS) || m.TS == latest && !inclusive)
	})
	start, _ := strconv.Atoi(strings.TrimPrefix(in["cursor"], "page:"))
	start = min(max(start, 0), len(all))
	limit, _ := strconv.Atoi(in["limit"])
	if limit <= 0 || limit > 999 {
		limit = 100
	}
	end := min(start+limit, len(all))
	messages := []map[string]any{}
	for _, m := range all[start:end] {
		shape := s.shape(m)
		if m.Metadata != nil && in.yes("include_all_metadata") {
			shape["metadata"] = m.Metadata
		}
		messages = append(messages, shape)
	}
	out := map[string]any{"messages": messages, "has_more": end < len(all)}
	if end < len(all) {
		out["response_metadata"] = map[string]any{"next_cursor": "page:" + strconv.Itoa(end)}
	}
	return out
}

func older(a, b string) bool {
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	return x < y
}
