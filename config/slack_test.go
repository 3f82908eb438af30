package config

import (
	"errors"
	"strings"
	"testing"

	"maitred/bot/slack"
	"maitred/fault"
)

const slackFile = `data_dir: /tmp/maitred
chat:
  slack:
    SETTINGS
people:
  ann: {roles: [dev], chats: {slack: U012AB3CD}}
roles:
  dev: {may: [deploy], groups: {slack: [S012AB3CD]}}
channels:
  - {chat: slack, id: C012AB3CD}
`

const goodSlack = "{bot_token: \"${env:BOT}\", app_token: \"${env:APP}\", commands: [deploy, rollback]}"

func parseSlack(settings, was, is string) (*Config, error) {
	text := strings.Replace(slackFile, "SETTINGS", settings, 1)
	return Parse("maitred.yml", []byte(strings.Replace(text, was, is, 1)))
}

func TestTheSettingsOfSlackAreChecked(t *testing.T) {
	tests := map[string]struct{ settings, was, is, want string }{
		"good":                          {settings: goodSlack},
		"good over http":                {settings: `{mode: http, bot_token: "${env:BOT}", signing_secret: "${file:/run/secret}", api_url: "http://127.0.0.1:9/api/"}`},
		"an inline token":               {settings: `{bot_token: xoxb-1-2-3, app_token: "${env:APP}"}`, want: "bot_token cannot be read: a secret is written ${env:NAME}"},
		"no bot token":                  {settings: `{app_token: "${env:APP}"}`, want: "bot_token of slack is missing"},
		"no app token":                  {settings: `{bot_token: "${env:BOT}"}`, want: "app_token of slack is missing"},
		"http without its secret":       {settings: `{mode: http, bot_token: "${env:BOT}"}`, want: "signing_secret of slack is missing"},
		"an unknown mode":               {settings: `{mode: rtm, bot_token: "${env:BOT}"}`, want: `no mode "rtm"`},
		"a command that Slack keeps":    {settings: `{bot_token: "${env:BOT}", app_token: "${env:APP}", commands: [deploy, status]}`, want: "Slack keeps /status for itself"},
		"a command with a slash":        {settings: `{bot_token: "${env:BOT}", app_token: "${env:APP}", commands: [/deploy]}`, want: "begins with a slash"},
		"a command that is none":        {settings: `{bot_token: "${env:BOT}", app_token: "${env:APP}", commands: [explode]}`, want: `no command "explode"`},
		"a command twice":               {settings: `{bot_token: "${env:BOT}", app_token: "${env:APP}", commands: [deploy, deploy]}`, want: "/deploy is written twice"},
		"an address that is none":       {settings: `{bot_token: "${env:BOT}", app_token: "${env:APP}", api_url: slack}`, want: "api_url is not the URL"},
		"a name for a person's id":      {settings: goodSlack, was: "U012AB3CD", is: "ann", want: `"ann" is not the id of a user in Slack`},
		"a name for a group's id":       {settings: goodSlack, was: "S012AB3CD", is: "'@leads'", want: `"@leads" is not the id of a user group in Slack`},
		"a name for a channel's id":     {settings: goodSlack, was: "C012AB3CD", is: "'#deploys'", want: `"#deploys" is not the id of a channel in Slack`},
		"a channel without the chat":    {settings: goodSlack, was: "  slack:\n    " + goodSlack, is: "  {}", want: "in Slack, which maitred does not join"},
		"a setting that does not exist": {settings: `{token: x}`, want: `slack has no setting "token"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parseSlack(test.settings, test.was, test.is)
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "xoxb-1-2-3") {
				t.Errorf("the token is repeated: %v", err)
			}
		})
	}
}

func TestTheSecretsOfSlackAreOpenedAndRedacted(t *testing.T) {
	c, err := parseSlack(goodSlack, "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("BOT", "xoxb-bot")
	t.Setenv("APP", "xapp-app")
	o, err := c.Chat.Slack.Options()
	if err != nil || o.BotToken != "xoxb-bot" || o.AppToken != "xapp-app" || len(o.Commands) != 2 {
		t.Errorf("got %+v, %v", o, err)
	}
	if secrets, err := c.Secrets(); err != nil || len(secrets) != 2 {
		t.Errorf("got %d secrets, %v", len(secrets), err)
	}
	t.Setenv("APP", "xoxb-bot")
	var f *fault.Error
	if _, err := c.Chat.Slack.Options(); !errors.As(err, &f) || !strings.Contains(f.Say, "xapp-") || strings.Contains(f.Say, "xoxb-bot") {
		t.Errorf("tokens that were mixed up: %v", err)
	}
	t.Setenv("APP", "")
	if _, err := c.Chat.Slack.Options(); !fault.Is(err, fault.Missing) {
		t.Errorf("got %v", err)
	}
}

func TestTheDefaultCommandsArePossible(t *testing.T) {
	for _, name := range slack.DefaultCommands {
		if say, _ := slack.CommandProblem(name, firstWords()); say != "" {
			t.Errorf("/%s: %s", name, say)
		}
	}
}
