package config

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"maitred/bot/slack"
	"maitred/commands"
)

// ChatApps are the chats that maitred joins.
type ChatApps struct {
	// Slack is the Slack app; docs/slack.md says how it is made.
	Slack *Slack `yaml:"slack,omitempty"`
}

// Slack is how maitred reaches its Slack app.
type Slack struct {
	// Mode is socket (maitred connects to Slack, no port has to be open; the default) or http (Slack posts to /slack/ of the listener).
	Mode string `yaml:"mode,omitempty"`
	// BotToken begins with xoxb-, and is written ${env:NAME} or ${file:/path}.
	BotToken Secret `yaml:"bot_token"`
	// AppToken begins with xapp-; the mode socket needs it.
	AppToken Secret `yaml:"app_token,omitempty"`
	// SigningSecret is what Slack signs its requests with; the mode http needs it.
	SigningSecret Secret `yaml:"signing_secret,omitempty"`
	// Commands are the slash commands besides /maitred, without the slash; deploy, rollback, approve, maintenance, backup, update and releases when left out.
	Commands []string `yaml:"commands,omitempty"`
	// APIURL points all calls somewhere else than Slack: a proxy, or a test.
	APIURL string `yaml:"api_url,omitempty"`
}

// Options are the settings as the Slack app reads them, with the secrets opened.
// Faults: Missing (a secret cannot be read), Invalid (it is another secret than
// it should be).
func (s *Slack) Options() (slack.Options, error) {
	o := slack.Options{Mode: slack.Mode(s.Mode), APIURL: s.APIURL, Commands: s.Commands}
	if s.Commands == nil {
		o.Commands = slack.DefaultCommands
	}
	for _, one := range []struct {
		secret Secret
		into   *string
	}{{s.BotToken, &o.BotToken}, {s.AppToken, &o.AppToken}, {s.SigningSecret, &o.SigningSecret}} {
		if one.secret == "" {
			continue
		}
		value, err := resolve(string(one.secret))
		if err != nil {
			return slack.Options{}, err
		}
		*one.into = value
	}
	return o, o.Check()
}

// chats checks the settings of the chats, and takes note of their secrets.
func (d *decoder) chats(c *Config) {
	s := c.Chat.Slack
	if s == nil {
		d.unjoined(c)
		return
	}
	at := []string{"chat", "slack"}
	d.needs(string(s.BotToken), append(at, "bot_token")...)
	switch s.Mode {
	case "", string(slack.Socket):
		d.needs(string(s.AppToken), append(at, "app_token")...)
	case string(slack.HTTP):
		d.needs(string(s.SigningSecret), append(at, "signing_secret")...)
	default:
		d.where("Write socket or http.", "There is no mode %q.", []any{clip(s.Mode)}, append(at, "mode")...)
	}
	d.secret(c, s.BotToken, append(at, "bot_token")...)
	d.secret(c, s.AppToken, append(at, "app_token")...)
	d.secret(c, s.SigningSecret, append(at, "signing_secret")...)
	words := firstWords()
	for i, name := range s.Commands {
		path := append(slices.Clone(at), "commands", strconv.Itoa(i))
		if say, hint := slack.CommandProblem(name, words); say != "" {
			d.where(hint, "%s", []any{say}, path...)
		} else if slices.Index(s.Commands, name) < i {
			d.where("", "/%s is written twice.", []any{name}, path...)
		}
	}
	if u, err := url.Parse(s.APIURL); s.APIURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		d.where("For example https://slack.com/api/.", "api_url is not the URL of an API.", nil, append(at, "api_url")...)
	}
	d.slackIDs(c)
}

// firstWords are the words that commands begin with, and all of which a slash
// command can be.
func firstWords() []string {
	var words []string
	for _, v := range commands.Verbs() {
		if word, _, _ := strings.Cut(v.Path, " "); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// unjoined tells of channels in a chat that maitred does not join.
func (d *decoder) unjoined(c *Config) {
	for i, ch := range c.Channels {
		if ch.Chat == slack.Name {
			d.where("Add chat: {slack: …}; docs/slack.md says how.", "This channel is in Slack, which maitred does not join.", nil, "channels", strconv.Itoa(i))
		}
	}
}

// ids are what Slack calls things, which people mistake for names.
var ids = []struct {
	noun, hint string
	shape      *regexp.Regexp
}{
	{"user", "In Slack: the person's profile, ⋮, Copy member ID.", regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)},
	{"user group", "In Slack: People, User groups, the group, ⋮, Copy group ID.", regexp.MustCompile(`^S[A-Z0-9]{2,}$`)},
	{"channel", "In Slack: the channel's name, at the bottom of About.", regexp.MustCompile(`^[CGD][A-Z0-9]{2,}$`)},
}

// slackIDs tells of names where ids should be: names can be changed by whoever
// has them, so they give no right.
func (d *decoder) slackIDs(c *Config) {
	check := func(kind int, id string, path ...string) {
		if want := ids[kind]; id != "" && !want.shape.MatchString(id) && !d.unread(path...) {
			d.where(want.hint, "%q is not the id of a %s in Slack.", []any{clip(id), want.noun}, path...)
		}
	}
	for name, p := range c.People.All() {
		check(0, p.Chats[slack.Name], "people", name, "chats", slack.Name)
	}
	for name, s := range c.Services.All() {
		check(0, s.Chats[slack.Name], "services", name, "chats", slack.Name)
	}
	for name, role := range c.Roles.All() {
		for i, group := range role.Groups[slack.Name] {
			check(1, group, "roles", name, "groups", slack.Name, strconv.Itoa(i))
		}
	}
	for i, ch := range c.Channels {
		if ch.Chat == slack.Name {
			check(2, ch.ID, "channels", strconv.Itoa(i), "id")
		}
	}
}

// secret takes note of a reference to a secret, and tells of a secret that is
// written into the file.
func (d *decoder) secret(c *Config, s Secret, path ...string) {
	if s == "" || d.unread(path...) {
		return
	}
	if problem := referenceProblem(string(s)); problem != "" {
		d.where("Put it into the environment or a file, and write ${env:NAME} or ${file:/path} here.", "%s cannot be read: %s.",
			[]any{path[len(path)-1], problem}, path...)
		return
	}
	c.refs = append(c.refs, reference{path: strings.Join(path, "."), text: string(s)})
}
