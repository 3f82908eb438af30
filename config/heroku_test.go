package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const herokuFile = `data_dir: /tmp/maitred
people:
  ann: {roles: [dev], chats: {webchat: ann}}
roles:
  dev: {may: [deploy]}
apps:
  ocpizza:
    repository: https://git.example.org/ocpizza.git
    environments:
      production:
        provider: heroku
        heroku: SETTINGS
`

func TestTheSettingsOfHerokuAreChecked(t *testing.T) {
	tests := map[string]struct{ settings, also, want string }{
		"good":             {settings: `{app: ocpizza, api_key: "${env:KEY}"}`},
		"all of them":      {settings: `{app: ocpizza, api_key: "${env:KEY}", api_url: "http://127.0.0.1:9", data_url: "https://data.example.org", health: {path: /healthz, deadline: 10s}, checks: [python manage.py check --deploy], required: [SECRET_KEY], database: BLUE_URL}`},
		"an inline token":  {settings: `{app: ocpizza, api_key: 0f1e2d3c-aaaa-bbbb-cccc-121212121212}`, want: "api_key cannot be read: a secret is written ${env:NAME}"},
		"no token":         {settings: `{app: ocpizza}`, want: "api_key of heroku is missing"},
		"no app":           {settings: `{api_key: "${env:KEY}"}`, want: "app is to be the name of an app on Heroku"},
		"a URL as app":     {settings: `{app: "https://ocpizza.example.org", api_key: "${env:KEY}"}`, want: "app is to be the name of an app on Heroku"},
		"a path as health": {settings: `{app: ocpizza, api_key: "${env:KEY}", health: {path: healthz}}`, want: "health.path is to begin with a slash"},
		"plain http":       {settings: `{app: ocpizza, api_key: "${env:KEY}", api_url: "http://api.example.org"}`, want: "api_url is to be an https:// address"},
		"a typo":           {settings: `{ap: ocpizza, api_key: "${env:KEY}"}`, want: `heroku has no setting "ap"`},
		"replicas":         {settings: `{app: ocpizza, api_key: "${env:KEY}"}`, also: "replica: one\ndatabase: postgres://localhost/maitred\n", want: "which replicas do not share"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("maitred.yml", []byte(tt.also+strings.Replace(herokuFile, "SETTINGS", tt.settings, 1)))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("it is refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v; want %q", err, tt.want)
			case err != nil && strings.Contains(err.Error(), "0f1e2d3c"):
				t.Errorf("the token is told: %v", err)
			}
		})
	}
}

func TestTheTokenOfHerokuIsOpenedAndHidden(t *testing.T) {
	t.Setenv("KEY", "0f1e2d3c-token")
	c, err := Parse("maitred.yml", []byte(strings.Replace(herokuFile, "SETTINGS", `{app: ocpizza, api_key: "${env:KEY}", health: {path: /, deadline: 10s}}`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	app, _ := c.Apps.Get("ocpizza")
	production, _ := app.Environments.Get("production")
	remote, err := production.Heroku.Config()
	if err != nil || remote.APIKey != "0f1e2d3c-token" || remote.App != "ocpizza" || remote.Health.Deadline != 10*time.Second {
		t.Errorf("the settings are %+v, %v", remote, err)
	}
	if secrets, err := c.Secrets(); err != nil || !slices.Contains(secrets, "0f1e2d3c-token") {
		t.Errorf("the redactor does not know the token: %v", err)
	}
}
