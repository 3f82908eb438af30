package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"maitred/bot/slack/slacktest"
	"maitred/config"
)

// TestSlackIsPartOfTheWholeProgram starts maitred from a file, in both modes, and
// looks at what people in Slack and readiness see.
func TestSlackIsPartOfTheWholeProgram(t *testing.T) {
	for _, mode := range []string{"socket", "http"} {
		t.Run(mode, func(t *testing.T) {
			s := slacktest.New(t)
			ann := s.Person("ann")
			s.Channel("deploys")
			s.Invite("deploys")
			a := inSlack(t, s, mode)
			base := "http://" + a.Web.Addr().String()
			if mode == "http" {
				s.DeliverAllTo(base + "/slack/")
			}
			eventually(t, "it is ready", func() bool { status, _ := readiness(t, base); return status == http.StatusOK })

			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := ann.Slash("deploys", "/maitred whoami").Wait(ctx); err != nil {
				t.Fatal(err)
			}
			eventually(t, "ann reads who she is", func() bool {
				for _, m := range ann.See("deploys") {
					if strings.Contains(s.Reads(m), "developer") {
						return true
					}
				}
				return false
			})
			if err := ann.OpenHome().Wait(ctx); err != nil {
				t.Fatal(err)
			}
			eventually(t, "her home is there", func() bool {
				v, ok := ann.Home()
				return ok && strings.Contains(s.ReadsView(v), "Nothing waits for you")
			})

			s.RevokeToken()
			if err := ann.Slash("deploys", "/maitred whoami").Wait(ctx); err != nil {
				t.Errorf("it is stored, and so acknowledged: %v", err)
			}
			eventually(t, "readiness tells of the token", func() bool {
				status, checks := readiness(t, base)
				return status == http.StatusServiceUnavailable && strings.Contains(checks["slack"], "bot token")
			})
			s.RestoreTokens()
			eventually(t, "it is ready again", func() bool { status, _ := readiness(t, base); return status == http.StatusOK })
			if refused := s.Refusals(); len(refused) > 2 { // what was tried with the revoked token
				t.Logf("Slack refused %q", refused)
			}
		})
	}
}

// inSlack is a maitred that runs with a Slack app.
func inSlack(t *testing.T, s *slacktest.Slack, mode string) *App {
	t.Helper()
	t.Setenv("TEST_SLACK_BOT", s.BotToken)
	t.Setenv("TEST_SLACK_APP", s.AppToken)
	t.Setenv("TEST_SLACK_SIGNING", s.SigningSecret)
	file := filepath.Join(t.TempDir(), "maitred.yml")
	text := fmt.Sprintf(`data_dir: data
listen: 127.0.0.1:0
chat:
  slack:
    mode: %s
    bot_token: ${env:TEST_SLACK_BOT}
    app_token: ${env:TEST_SLACK_APP}
    signing_secret: ${env:TEST_SLACK_SIGNING}
    api_url: %s
people:
  ann: {roles: [developer], chats: {slack: %s}}
roles:
  developer: {may: [deploy, status]}
channels:
  - {chat: slack, id: %s}
`, mode, s.URL(), slacktest.UserID("ann"), slacktest.ChannelID("deploys"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	a, err := build(t.Context(), c, parts{log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return a
}

// readiness is what /readyz answers.
func readiness(t *testing.T, base string) (status int, checks map[string]string) {
	t.Helper()
	r, err := http.Get(base + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close() //nolint:errcheck // it was only read
	var body struct {
		Checks map[string]string `json:"checks"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, body.Checks
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so: %s", what)
		}
	}
}

func TestTheManifestOfSlackIsPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "maitred.yml")
	text := "data_dir: data\nchat: {slack: {mode: http, bot_token: '${env:A}', signing_secret: '${env:B}', commands: [deploy]}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args []string
		code int
		says string
	}{
		"as it is":        {[]string{"manifest", "slack"}, 0, `"socket_mode_enabled": true`},
		"as configured":   {[]string{"manifest", "slack", "--config", file, "--url", "https://maitred.example.org"}, 0, `"url": "https://maitred.example.org/slack/"`},
		"without its url": {[]string{"manifest", "slack", "--config", file}, 1, "--url https://"},
		"without a chat":  {[]string{"manifest"}, 1, "there is one: slack"},
		"another chat":    {[]string{"manifest", "irc"}, 1, "there is one: slack"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			code := run(t.Context(), terminal{out: &out, err: &out}, test.args)
			if code != test.code || !strings.Contains(out.String(), test.says) {
				t.Errorf("exit code %d: %s", code, &out)
			}
			if code == 0 {
				if err := slacktest.CheckManifest([]byte(out.String())); err != nil {
					t.Errorf("Slack refuses it: %v", err)
				}
			}
		})
	}
}
