package slack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// ManifestOptions are what an app manifest depends on.
type ManifestOptions struct {
	Name     string   // of the app; "maitred" when empty
	Mode     Mode     // Socket when empty
	URL      string   // in HTTP mode: where Slack reaches maitred, "https://maitred.example.org"
	Commands []string // slash commands besides /maitred; DefaultCommands when nil
	Verbs    []Verb   // all of maitred's commands
}

// Verb is what a manifest says of a command.
type Verb struct{ Path, Usage, Help string }

// scopes are what the bot may do, and events what it is told of. docs/slack.md
// says what each is for.
var (
	scopes = []string{
		"app_mentions:read", "channels:history", "chat:write", "chat:write.public", "commands", "files:write",
		"groups:history", "im:history", "im:write", "usergroups:read", "users:read",
	}
	events = []string{"app_home_opened", "app_mention", "app_uninstalled", "message.im", "tokens_revoked"}
)

// Manifest is the app manifest for api.slack.com/apps, as JSON.
func Manifest(o ManifestOptions) ([]byte, error) {
	if o.Name == "" {
		o.Name = Main
	}
	if o.Mode == "" {
		o.Mode = Socket
	}
	if o.Commands == nil {
		o.Commands = DefaultCommands
	}
	url := ""
	if o.Mode == HTTP {
		url = strings.TrimRight(o.URL, "/") + strings.TrimSuffix(Prefix, "/") + "/"
	}
	var m manifest
	m.Display = display{Name: o.Name, Description: "Takes the orders of your deployments: deploy, approve, roll back.", Color: "#7a1f2b"}
	m.Features.Bot = botUser{Name: o.Name, Online: true}
	m.Features.Home = appHome{Home: true, Messages: true}
	m.Features.Commands = []slash{{Command: "/" + Main, Description: "Everything that maitred can do; try /maitred help.", Usage: "help | deploy APP | status APP | …", URL: url}}
	for _, name := range o.Commands {
		m.Features.Commands = append(m.Features.Commands, slashOf(name, o.Verbs, url))
	}
	m.OAuth.Scopes.Bot = scopes
	m.Settings.Events = subscriptions{URL: url, Bot: events}
	m.Settings.Interactivity = interactivity{On: true, URL: url, Options: url}
	m.Settings.Socket = o.Mode == Socket

	var out bytes.Buffer
	w := json.NewEncoder(&out)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	if err := w.Encode(m); err != nil {
		return nil, fmt.Errorf("write manifest: %w", err)
	}
	return out.Bytes(), nil
}

// slashOf is the slash command called name. One that stands for several
// ("backup capture", "backup list") names them.
func slashOf(name string, verbs []Verb, url string) slash {
	s := slash{Command: "/" + name, URL: url}
	var under []string
	for _, v := range verbs {
		first, rest, _ := strings.Cut(v.Path, " ")
		switch {
		case first != name:
		case rest == "":
			s.Description, s.Usage = v.Help, strings.TrimSpace(strings.TrimPrefix(v.Usage, "/"+v.Path))
		default:
			under = append(under, rest)
			if s.Description == "" {
				s.Description = v.Help
			}
		}
	}
	if len(under) > 0 {
		s.Usage = strings.Join(under, " | ")
		s.Description = fmt.Sprintf("/%s %s: see /maitred help %s.", name, strings.Join(under, ", "), name)
	}
	s.Description = clipped(s.Description, mostDescription)
	s.Usage = fit(s.Usage, mostUsage, func(text string) string { return text })
	return s
}

// Slack's limits for a slash command, in characters; what is longer is refused
// with the whole manifest.
const (
	mostDescription = 140
	mostUsage       = 120
)

// manifest is the document, in Slack's names.
type manifest struct {
	Display  display `json:"display_information"`
	Features struct {
		Home     appHome `json:"app_home"`
		Bot      botUser `json:"bot_user"`
		Commands []slash `json:"slash_commands"`
	} `json:"features"`
	OAuth struct {
		Scopes struct {
			Bot []string `json:"bot"`
		} `json:"scopes"`
	} `json:"oauth_config"`
	Settings struct {
		Events        subscriptions `json:"event_subscriptions"`
		Interactivity interactivity `json:"interactivity"`
		Org           bool          `json:"org_deploy_enabled"`
		Socket        bool          `json:"socket_mode_enabled"`
		Rotation      bool          `json:"token_rotation_enabled"`
	} `json:"settings"`
}

type (
	display struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Color       string `json:"background_color"`
	}
	botUser struct {
		Name   string `json:"display_name"`
		Online bool   `json:"always_online"`
	}
	appHome struct {
		Home     bool `json:"home_tab_enabled"`
		Messages bool `json:"messages_tab_enabled"`
		ReadOnly bool `json:"messages_tab_read_only_enabled"`
	}
	slash struct {
		Command     string `json:"command"`
		URL         string `json:"url,omitempty"`
		Description string `json:"description"`
		Usage       string `json:"usage_hint,omitempty"`
		Escape      bool   `json:"should_escape"`
	}
	subscriptions struct {
		URL string   `json:"request_url,omitempty"`
		Bot []string `json:"bot_events"`
	}
	interactivity struct {
		On      bool   `json:"is_enabled"`
		URL     string `json:"request_url,omitempty"`
		Options string `json:"message_menu_options_url,omitempty"`
	}
)
