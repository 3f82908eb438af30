package slacktest_test

import (
	"fmt"
	"strings"
	"testing"

	"maitred/bot/slack/slacktest"
)

func TestBlocksThatSlackRefuses(t *testing.T) {
	t.Parallel()
	section := func(n int) string {
		return fmt.Sprintf(`{"type":"section","text":{"type":"mrkdwn","text":%q}}`, strings.Repeat("é", n))
	}
	button := func(more string) string {
		return `{"type":"button","text":{"type":"plain_text","text":"Go"}` + more + `}`
	}
	actions := func(elements ...string) string {
		return `{"type":"actions","elements":[` + strings.Join(elements, ",") + `]}`
	}
	times := func(n int, s string) string { return strings.TrimSuffix(strings.Repeat(s+",", n), ",") }
	tests := map[string]struct {
		blocks string
		want   string // in the problem; empty when Slack takes them
	}{
		"fifty blocks":             {times(50, section(1)), ""},
		"fifty-one blocks":         {times(51, section(1)), "no more than 50"},
		"3000 characters":          {section(3000), ""},
		"3001 characters":          {section(3001), "less than 3001"},
		"no characters":            {section(0), "more than 0"},
		"13200 characters in all":  {times(4, section(3000)) + "," + section(1200), ""},
		"13201 characters in all":  {times(4, section(3000)) + "," + section(1201), "msg_blocks_too_long"},
		"eleven fields":            {`{"type":"section","fields":[` + times(11, `{"type":"mrkdwn","text":"x"}`) + `]}`, "1 to 10 items"},
		"a long field":             {`{"type":"section","fields":[{"type":"mrkdwn","text":"` + strings.Repeat("x", 2001) + `"}]}`, "less than 2001"},
		"a header in mrkdwn":       {`{"type":"header","text":{"type":"mrkdwn","text":"x"}}`, "must be one of plain_text"},
		"a long header":            {`{"type":"header","text":{"type":"plain_text","text":"` + strings.Repeat("x", 151) + `"}}`, "less than 151"},
		"26 buttons":               {actions(times(26, button(""))), "1 to 25"},
		"a long value":             {actions(button(`,"value":"` + strings.Repeat("x", 2001) + `"`)), "less than 2001"},
		"an unknown style":         {actions(button(`,"style":"green"`)), "primary or danger"},
		"the same action twice":    {actions(button(`,"action_id":"a"`), button(`,"action_id":"a"`)), "used twice"},
		"a long question":          {actions(button(`,"confirm":{"title":{"type":"plain_text","text":"?"},"text":{"type":"plain_text","text":"` + strings.Repeat("x", 301) + `"},"confirm":{"type":"plain_text","text":"y"},"deny":{"type":"plain_text","text":"n"}}`)), "less than 301"},
		"half a question":          {actions(button(`,"confirm":{"title":{"type":"plain_text","text":"?"}}`)), "must be a text object"},
		"an unknown block":         {`{"type":"sparkles"}`, "unsupported type"},
		"an unknown property":      {`{"type":"divider","text":{"type":"mrkdwn","text":"x"}}`, "invalid additional property"},
		"the same block id twice":  {`{"type":"divider","block_id":"b"},{"type":"divider","block_id":"b"}`, "used twice"},
		"an image without words":   {`{"type":"image","image_url":"https://example.com/a.png"}`, "alt_text"},
		"eleven context elements":  {`{"type":"context","elements":[` + times(11, `{"type":"mrkdwn","text":"x"}`) + `]}`, "1 to 10 items"},
		"what is not JSON":         {`{`, "invalid_blocks_format"},
		"a section with an action": {`{"type":"section","text":{"type":"mrkdwn","text":"x"},"accessory":` + button("") + `}`, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(slacktest.CheckMessage([]byte("["+test.blocks+"]")), "; ")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestManifestsThatSlackRefuses(t *testing.T) {
	t.Parallel()
	const good = `
display_information: {name: maitred, description: Deploys}
features:
  bot_user: {display_name: maitred, always_online: true}
  app_home: {home_tab_enabled: true, messages_tab_enabled: true, messages_tab_read_only_enabled: false}
  slash_commands:
    - {command: /deploy, description: Deploy an app, usage_hint: APP, should_escape: false}
oauth_config: {scopes: {bot: [commands, "chat:write", "app_mentions:read", "im:history"]}}
settings:
  event_subscriptions: {bot_events: [app_mention, message.im, app_home_opened]}
  interactivity: {is_enabled: true}
  socket_mode_enabled: true
`
	tests := map[string]struct{ from, to, want string }{
		"a good one":                {"", "", ""},
		"a reserved command":        {"/deploy,", "/status,", "keeps /status for itself"},
		"a command in capitals":     {"/deploy,", "/Deploy,", "is not a command"},
		"no description":            {"description: Deploy an app", "description: ''", "/deploy description"},
		"an unknown key":            {"always_online", "always_on", "always_on"},
		"an unknown event":          {"app_mention,", "app_mentioned,", "no event"},
		"an event without scope":    {`, "im:history"`, "", "message.im needs the scope im:history"},
		"an unknown scope":          {`"chat:write"`, `"chat:shout"`, "no scope"},
		"commands without scope":    {"[commands,", "[", "need the scope commands"},
		"no URL without the socket": {"socket_mode_enabled: true", "socket_mode_enabled: false", "needs a url"},
		"a long name":               {"name: maitred,", "name: " + strings.Repeat("m", 36) + ",", "1 to 35"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := slacktest.CheckManifest([]byte(strings.Replace(good, test.from, test.to, 1)))
			if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
