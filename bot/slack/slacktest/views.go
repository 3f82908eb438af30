package slacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// TriggerLife is how long a trigger_id works, once.
const TriggerLife = 3 * time.Second

type trigger struct {
	user string
	at   time.Time
	used bool
}

// View is a modal or an App Home as somebody sees it.
type View struct {
	ID      string
	User    string
	Type    string // "modal", "home"
	Body    map[string]any
	Closed  bool
	Errors  map[string]string // by block id, as the last submission was refused
	Changed int

	hash     string
	previous string
	root     string
	values   map[string]any      // what was chosen, as state.values
	offered  map[string][]string // by external selects, per action_id
}

func (s *Slack) newTrigger(user string) string {
	id := fmt.Sprintf("%d.%d.%s", s.now().UnixMilli(), 1000+s.serial, s.id("trigger"))
	s.triggers[id] = &trigger{user: user, at: s.now()}
	return id
}

func (s *Slack) spend(id string) (string, *failure) {
	t := s.triggers[id]
	switch {
	case id == "", t == nil:
		return "", fail("invalid_trigger_id")
	case t.used && !s.wrong[TriggersForEver]:
		return "", fail("exchanged_trigger_id")
	case s.now().Sub(t.at) > TriggerLife && !s.wrong[TriggersForEver]:
		return "", fail("expired_trigger_id")
	}
	t.used = true
	return t.user, nil
}

func (s *Slack) viewOpen(in args) (map[string]any, *failure) {
	body, f := s.viewBody(in, OnModal)
	if f != nil {
		return nil, f
	}
	user, f := s.spend(in["trigger_id"])
	if f != nil {
		return nil, f
	}
	if open := s.open(user); len(open) > 0 {
		if len(open) >= 3 {
			return nil, fail("push_limit_reached")
		}
	}
	v := s.addView(user, "modal", body)
	return map[string]any{"view": s.viewShape(v)}, nil
}

func (s *Slack) addView(user, kind string, body map[string]any) *View {
	v := &View{ID: s.id("V"), User: user, Type: kind, Body: body, values: map[string]any{}, Changed: s.version + 1}
	v.root, v.hash = v.ID, s.id("h")
	s.views[v.ID] = v
	return v
}

func (s *Slack) viewUpdate(in args) (map[string]any, *failure) {
	body, f := s.viewBody(in, OnModal)
	if f != nil {
		return nil, f
	}
	v := s.views[in["view_id"]]
	if v == nil && in["external_id"] != "" {
		for _, o := range s.views {
			if o.Body["external_id"] == in["external_id"] && !o.Closed {
				v = o
			}
		}
	}
	switch {
	case v == nil || v.Closed:
		return nil, fail("not_found")
	case in["hash"] != "" && in["hash"] != v.hash:
		return nil, fail("hash_conflict")
	}
	s.replace(v, body)
	return map[string]any{"view": s.viewShape(v)}, nil
}

func (s *Slack) replace(v *View, body map[string]any) {
	v.Body, v.hash, v.Errors, v.Changed = body, s.id("h"), nil, s.version+1
}

func (s *Slack) viewPublish(in args) (map[string]any, *failure) {
	u := s.users[in["user_id"]]
	if u == nil {
		return nil, fail("user_not_found")
	}
	body, f := s.viewBody(in, OnHome)
	if f != nil {
		return nil, f
	}
	v := s.homes[u.ID]
	switch {
	case v == nil:
		v = s.addView(u.ID, "home", body)
		s.homes[u.ID] = v
	case in["hash"] != "" && in["hash"] != v.hash:
		return nil, fail("hash_conflict")
	default:
		s.replace(v, body)
	}
	return map[string]any{"view": s.viewShape(v)}, nil
}

func (s *Slack) viewBody(in args, on Surface) (map[string]any, *failure) {
	if len(in["view"]) > 250000 {
		return nil, fail("view_too_large")
	}
	var body map[string]any
	if in["view"] == "" || json.Unmarshal([]byte(in["view"]), &body) != nil {
		return nil, fail("invalid_arguments", "[ERROR] missing or malformed [json-pointer:/view]")
	}
	if p := CheckView(body, on); len(p) > 0 {
		return nil, fail("invalid_arguments", p...)
	}
	blocks, _ := body["blocks"].([]any)
	body["blocks"] = s.named(blocks)
	return body, nil
}

// viewShape is the view as answers and payloads show it.
func (s *Slack) viewShape(v *View) map[string]any {
	out := map[string]any{
		"id": v.ID, "team_id": s.TeamID, "type": v.Type, "blocks": v.Body["blocks"], "private_metadata": "", "callback_id": "", "external_id": "",
		"state": map[string]any{"values": maps.Clone(v.values)}, "hash": v.hash, "clear_on_close": false, "notify_on_close": false,
		"root_view_id": v.root, "previous_view_id": nil, "app_id": s.AppID, "app_installed_team_id": s.TeamID, "bot_id": s.BotID,
		"title": map[string]any{"type": "plain_text", "text": "View Title", "emoji": true}, "close": nil, "submit": nil,
	}
	if v.previous != "" {
		out["previous_view_id"] = v.previous
	}
	for _, k := range []string{"private_metadata", "callback_id", "external_id", "title", "submit", "close", "clear_on_close", "notify_on_close"} {
		if given, ok := v.Body[k]; ok && given != nil {
			out[k] = given
		}
	}
	return out
}

// open are the modals that somebody sees, the lowest first.
func (s *Slack) open(user string) []*View {
	var out []*View
	for _, v := range s.views {
		if v.User == user && v.Type == "modal" && !v.Closed {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b *View) int { return strings.Compare(a.ID, b.ID) })
	return out
}
