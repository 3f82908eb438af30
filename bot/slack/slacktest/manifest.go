package slacktest

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// reserved are the slash commands that Slack keeps for itself. One of them makes
// it refuse a whole manifest.
var reserved = map[string]bool{}

func init() {
	for name := range strings.FieldsSeq(`/active /apps /archive /away /call /canvas /collapse /dm /dnd /expand /feed /feedback
		/giphy /huddle /invite /invite_people /join /leave /list /me /msg /mute /open /part /people /pref /prefs
		/remind /remove /rename /search /shortcuts /shrug /star /status /topic /unarchive /unmute /who /kick /msgthread /invitepeople`) {
		reserved[name] = true
	}
}

// Reserved are those commands.
func Reserved() []string { return slices.Sorted(maps.Keys(reserved)) }

var commandName = regexp.MustCompile(`^/[a-z0-9_-]{1,31}$`)

type manifest struct {
	Display struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description"`
		Long        string `yaml:"long_description"`
		Colour      string `yaml:"background_color"`
	} `yaml:"display_information"`
	Features struct {
		Bot *struct {
			Name   string `yaml:"display_name"`
			Online bool   `yaml:"always_online"`
		} `yaml:"bot_user"`
		Home *struct {
			Home     bool `yaml:"home_tab_enabled"`
			Messages bool `yaml:"messages_tab_enabled"`
			ReadOnly bool `yaml:"messages_tab_read_only_enabled"`
		} `yaml:"app_home"`
		Commands []struct {
			Command     string `yaml:"command"`
			Description string `yaml:"description"`
			Usage       string `yaml:"usage_hint"`
			Escape      bool   `yaml:"should_escape"`
			URL         string `yaml:"url"`
		} `yaml:"slash_commands"`
	} `yaml:"features"`
	OAuth struct {
		Redirect []string `yaml:"redirect_urls"`
		Scopes   struct {
			Bot  []string `yaml:"bot"`
			User []string `yaml:"user"`
		} `yaml:"scopes"`
	} `yaml:"oauth_config"`
	Settings struct {
		Events *struct {
			URL string   `yaml:"request_url"`
			Bot []string `yaml:"bot_events"`
		} `yaml:"event_subscriptions"`
		Interactivity *struct {
			On      bool   `yaml:"is_enabled"`
			URL     string `yaml:"request_url"`
			Options string `yaml:"message_menu_options_url"`
		} `yaml:"interactivity"`
		Org      bool `yaml:"org_deploy_enabled"`
		Socket   bool `yaml:"socket_mode_enabled"`
		Rotation bool `yaml:"token_rotation_enabled"`
	} `yaml:"settings"`
	Metadata struct {
		Major int `yaml:"major_version"`
		Minor int `yaml:"minor_version"`
	} `yaml:"_metadata"`
}

// eventScope is the scope without which an event does not come.
var eventScope = map[string]string{
	"app_mention": "app_mentions:read", "message.im": "im:history", "app_home_opened": "", "message.channels": "channels:history",
	"message.groups": "groups:history", "reaction_added": "reactions:read", "tokens_revoked": "", "app_uninstalled": "",
}

// CheckManifest refuses the app manifest (YAML or JSON) that Slack would refuse.
func CheckManifest(data []byte) error {
	var m manifest
	if err := yaml.Load(data, &m, yaml.WithKnownFields()); err != nil {
		return fmt.Errorf("invalid_manifest: %w", err)
	}
	var all []error
	add := func(format string, args ...any) {
		all = append(all, fmt.Errorf("invalid_manifest: "+format, args...))
	}
	size := func(what, s string, least, most int) {
		if n := utf8.RuneCountInString(s); n < least || n > most {
			add("%s must have %d to %d characters, not %d", what, least, most, n)
		}
	}
	size("display_information.name", m.Display.Name, 1, 35)
	size("display_information.description", m.Display.Description, 0, 140)
	if m.Display.Long != "" {
		size("display_information.long_description", m.Display.Long, 174, 4000)
	}
	if m.Features.Bot != nil {
		size("features.bot_user.display_name", m.Features.Bot.Name, 1, 80)
	}
	m.commands(add, size)
	m.events(add)
	if i := m.Settings.Interactivity; i != nil && i.On && i.URL == "" && !m.Settings.Socket {
		add("settings.interactivity.request_url is required without Socket Mode")
	}
	for _, scope := range m.OAuth.Scopes.Bot {
		if !slices.Contains(AllScopes(), scope) {
			add("oauth_config.scopes.bot: no scope %q", scope)
		}
	}
	return errors.Join(all...)
}

func (m *manifest) commands(add func(string, ...any), size func(string, string, int, int)) {
	if len(m.Features.Commands) > 50 {
		add("features.slash_commands: no more than 50 items allowed")
	}
	if len(m.Features.Commands) > 0 && !slices.Contains(m.OAuth.Scopes.Bot, "commands") {
		add("oauth_config.scopes.bot: slash commands need the scope commands")
	}
	seen := map[string]bool{}
	for _, c := range m.Features.Commands {
		switch {
		case reserved[c.Command]:
			add("features.slash_commands: Slack keeps %s for itself", c.Command)
		case !commandName.MatchString(c.Command):
			add("features.slash_commands: %q is not a command", c.Command)
		case seen[c.Command]:
			add("features.slash_commands: %s is there twice", c.Command)
		case c.URL == "" && !m.Settings.Socket:
			add("features.slash_commands: %s needs a url without Socket Mode", c.Command)
		}
		seen[c.Command] = true
		size(c.Command+" description", c.Description, 1, 2000)
		size(c.Command+" usage_hint", c.Usage, 0, 1000)
	}
}

func (m *manifest) events(add func(string, ...any)) {
	e := m.Settings.Events
	if e == nil {
		return
	}
	if e.URL == "" && !m.Settings.Socket {
		add("settings.event_subscriptions.request_url is required without Socket Mode")
	}
	for _, event := range e.Bot {
		scope, known := eventScope[event]
		switch {
		case !known:
			add("settings.event_subscriptions.bot_events: no event %q", event)
		case scope != "" && !slices.Contains(m.OAuth.Scopes.Bot, scope):
			add("settings.event_subscriptions.bot_events: %s needs the scope %s", event, scope)
		}
	}
}
