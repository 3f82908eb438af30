package slack

import (
	"testing"

	"maitred/chat"
)

func TestCommandsAreWrittenAsTheyAreTyped(t *testing.T) {
	c := New(Options{Commands: []string{"deploy", "backup"}})
	tests := map[string]struct{ text, channel, thread string }{
		"one of its own":        {"/deploy ocpizza", "/deploy ocpizza", "@maitred deploy ocpizza"},
		"one that has none":     {"/status ocpizza", "/maitred status ocpizza", "@maitred status ocpizza"},
		"in a sentence":         {"Say /status or /queue.", "Say /maitred status or /maitred queue.", "Say @maitred status or @maitred queue."},
		"in marks":              {"“/status”, `/config list`, (/queue)", "“/maitred status”, `/maitred config list`, (/maitred queue)", "“@maitred status”, `@maitred config list`, (@maitred queue)"},
		"on lines":              {"/queue\n/backup list", "/maitred queue\n/backup list", "@maitred queue\n@maitred backup list"},
		"under maitred already": {"/maitred status", "/maitred status", "/maitred status"},
		"no command":            {"either/or /etc /nothing", "either/or /etc /nothing", "either/or /etc /nothing"},
		"a path":                {"/run/secrets and /config_old and /backup/x", "/run/secrets and /config_old and /backup/x", "/run/secrets and /config_old and /backup/x"},
		"an address":            {"https://example.org/status", "https://example.org/status", "https://example.org/status"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in := chat.Card{Text: test.text, Notes: []string{test.text}, Buttons: []chat.Button{{Line: test.text}}}
			if got := c.spell(in, chat.Place{Channel: "C1"}); got.Text != test.channel || got.Notes[0] != test.channel || got.Buttons[0].Line != test.text {
				t.Errorf("in a channel: %+v", got)
			}
			if got := c.spell(in, chat.Place{Channel: "C1", Thread: "1.1"}); got.Text != test.thread {
				t.Errorf("in a thread: %q", got.Text)
			}
			if in.Notes[0] != test.text {
				t.Error("the card itself was changed")
			}
		})
	}
}
