package slacktest

import (
	"slices"
	"strings"
	"time"
)

func (s *Slack) userShape(u *User, locale bool) map[string]any {
	zone, offset := u.Zone, 0
	if l, err := time.LoadLocation(zone); err == nil {
		_, offset = s.now().In(l).Zone()
	}
	profile := map[string]any{
		"real_name": u.Name, "real_name_normalized": u.Name, "display_name": u.Name, "display_name_normalized": u.Name,
		"title": "", "phone": "", "skype": "", "status_text": "", "status_emoji": "", "status_expiration": 0, "avatar_hash": "g0", "team": u.TeamID,
	}
	if s.controls.scopes["users:read.email"] && !u.Bot && !u.Stranger {
		profile["email"] = u.Email
	}
	out := map[string]any{
		"id": u.ID, "team_id": u.TeamID, "name": u.Name, "deleted": u.Deleted, "profile": profile, "is_bot": u.Bot, "is_app_user": false, "updated": 1700000000,
	}
	if u.Stranger {
		out["is_stranger"] = true
	}
	if u.Deleted { // Slack says little about those who left
		return out
	}
	for k, v := range map[string]any{
		"color": "9f69e7", "real_name": u.Name, "tz": zone, "tz_label": zone, "tz_offset": offset, "is_admin": false, "is_owner": false,
		"is_primary_owner": false, "is_restricted": u.Guest || u.Single, "is_ultra_restricted": u.Single,
		"is_email_confirmed": true, "who_can_share_contact_card": "EVERYONE",
	} {
		out[k] = v
	}
	if locale {
		out["locale"] = "en-US"
	}
	return out
}

func (s *Slack) userInfo(in args) (map[string]any, *failure) {
	u := s.users[in["user"]]
	if u == nil {
		return nil, fail("user_not_found")
	}
	return map[string]any{"user": s.userShape(u, in.yes("include_locale"))}, nil
}

func (s *Slack) userList(args) (map[string]any, *failure) {
	members := []map[string]any{}
	for _, u := range s.users {
		if !u.Stranger {
			members = append(members, s.userShape(u, false))
		}
	}
	slices.SortFunc(members, func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	return map[string]any{"members": members, "cache_ts": s.now().Unix(), "response_metadata": map[string]any{"next_cursor": ""}}, nil
}

func (s *Slack) userByEmail(in args) (map[string]any, *failure) {
	for _, u := range s.users {
		if u.Email == in["email"] && !u.Deleted && !u.Bot {
			return map[string]any{"user": s.userShape(u, false)}, nil
		}
	}
	return nil, fail("users_not_found")
}

func (s *Slack) groupList(in args) (map[string]any, *failure) {
	groups := []map[string]any{}
	for _, g := range s.groups {
		out := map[string]any{
			"id": g.ID, "team_id": s.TeamID, "is_usergroup": true, "is_subteam": true, "name": g.Handle, "description": "", "handle": g.Handle,
			"is_external": false, "date_create": 1700000000, "date_update": 1700000000, "date_delete": 0, "created_by": s.BotUserID,
			"updated_by": s.BotUserID, "prefs": map[string]any{"channels": []string{}, "groups": []string{}}, "channel_count": 0,
		}
		if in.yes("include_users") {
			out["users"] = g.Members
		}
		if in.yes("include_count") {
			out["user_count"] = len(g.Members)
		}
		groups = append(groups, out)
	}
	slices.SortFunc(groups, func(a, b map[string]any) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	return map[string]any{"usergroups": groups}, nil
}

func (s *Slack) groupUsers(in args) (map[string]any, *failure) {
	g := s.groups[in["usergroup"]]
	if g == nil {
		return nil, fail("no_such_subteam")
	}
	return map[string]any{"users": g.Members}, nil
}
