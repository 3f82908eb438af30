package slack

import (
	"encoding/json"
	"fmt"
	"net/url"
)

// What Slack delivers, as far as maitred reads it. Everything else in a payload
// may be missing, new or of another shape; nothing is refused for it.

// The kinds of deliveries, as Socket Mode names them.
const (
	kindCommand     = "slash_commands"
	kindEvent       = "events_api"
	kindInteraction = "interactive"
)

// command is a slash command.
type command struct {
	TeamID      string `json:"team_id"`
	ChannelID   string `json:"channel_id"`
	UserID      string `json:"user_id"`
	UserName    string `json:"user_name"`
	Command     string `json:"command"`
	Text        string `json:"text"`
	ResponseURL string `json:"response_url"`
	TriggerID   string `json:"trigger_id"`
}

// commandOf reads a slash command that came as a form.
func commandOf(form url.Values) command {
	return command{
		TeamID: form.Get("team_id"), ChannelID: form.Get("channel_id"), UserID: form.Get("user_id"), UserName: form.Get("user_name"),
		Command: form.Get("command"), Text: form.Get("text"), ResponseURL: form.Get("response_url"), TriggerID: form.Get("trigger_id"),
	}
}

func (c command) whole() error {
	switch "" {
	case c.Command:
		return errLacks("command")
	case c.UserID:
		return errLacks("user_id")
	case c.ChannelID:
		return errLacks("channel_id")
	case c.TriggerID:
		return errLacks("trigger_id")
	}
	return nil
}

// envelope is what an event comes in.
type envelope struct {
	Type      string          `json:"type"` // event_callback, url_verification, app_rate_limited
	Challenge string          `json:"challenge"`
	TeamID    string          `json:"team_id"`
	EventID   string          `json:"event_id"`
	Event     json.RawMessage `json:"event"`
}

// event is one of those that maitred asks for.
type event struct {
	Type        string `json:"type"`
	Subtype     string `json:"subtype"`
	Channel     string `json:"channel"`
	ChannelType string `json:"channel_type"`
	User        string `json:"user"`
	Text        string `json:"text"`
	TS          string `json:"ts"`
	ThreadTS    string `json:"thread_ts"`
	BotID       string `json:"bot_id"`
	AppID       string `json:"app_id"`
	Hidden      bool   `json:"hidden"`
	Tab         string `json:"tab"`
}

// interaction is a click, a form that was sent, or a question for choices.
type interaction struct {
	Type        string    `json:"type"`
	Team        thing     `json:"team"`
	User        user      `json:"user"`
	TriggerID   string    `json:"trigger_id"`
	ResponseURL string    `json:"response_url"`
	Channel     thing     `json:"channel"`
	Container   container `json:"container"`
	Actions     []action  `json:"actions"`
	View        view      `json:"view"`

	// of a question for choices
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
}

type thing struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type user struct {
	ID       string `json:"id"`
	Username string `json:"username"`
	Name     string `json:"name"`
}

func (u user) shown() string {
	if u.Username != "" {
		return u.Username
	}
	return u.Name
}

type container struct {
	Type        string `json:"type"` // message, view
	MessageTS   string `json:"message_ts"`
	ChannelID   string `json:"channel_id"`
	ThreadTS    string `json:"thread_ts"`
	IsEphemeral bool   `json:"is_ephemeral"`
}

type action struct {
	Type     string `json:"type"`
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
	ActionTS string `json:"action_ts"`
}

type view struct {
	ID              string `json:"id"`
	Type            string `json:"type"` // modal, home
	CallbackID      string `json:"callback_id"`
	PrivateMetadata string `json:"private_metadata"`
	Blocks          []struct {
		Type    string `json:"type"`
		BlockID string `json:"block_id"`
	} `json:"blocks"`
	State struct {
		Values map[string]map[string]state `json:"values"`
	} `json:"state"`
}

// state is what stands in a field of a form.
type state struct {
	Value    string `json:"value"`
	Selected *struct {
		Value string `json:"value"`
	} `json:"selected_option"`
}

func (s state) text() string {
	if s.Selected != nil {
		return s.Selected.Value
	}
	return s.Value
}

// malformed is a payload that cannot be what it says it is.
type malformed struct{ err error }

func (m *malformed) Error() string { return "malformed payload: " + m.err.Error() }
func (m *malformed) Unwrap() error { return m.err }

func errLacks(key string) error { return fmt.Errorf("there is no %s", key) }

func decode[T any](data []byte) (T, error) {
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		return v, &malformed{err}
	}
	return v, nil
}
