package config

import (
	"strings"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/heroku"
)

// Heroku are the settings of an app on Heroku.
type Heroku struct {
	// App is the name of the app on Heroku.
	App string `yaml:"app"`
	// APIKey is a token with the scopes write-protected and read-protected, and is written ${env:NAME} or ${file:/path}.
	APIKey Secret `yaml:"api_key"`
	// APIURL points the calls of the Platform API somewhere else: a proxy, or a test.
	APIURL string `yaml:"api_url,omitempty"`
	// DataURL points the calls of the data API (backups) somewhere else.
	DataURL string `yaml:"data_url,omitempty"`
	// Health is how a deploy sees that the app answers.
	Health heroku.Health `yaml:"health,omitempty"`
	// Checks are one-off commands that must exit with 0 after a deploy; they may be repeated.
	Checks []string `yaml:"checks,omitempty"`
	// Required are the variables without which nothing is deployed.
	Required []string `yaml:"required,omitempty"`
	// Database is the attachment that backups are made of; DATABASE_URL when left out.
	Database string `yaml:"database,omitempty"`
}

// Config are the settings as the platform reads them, with the token opened.
// Faults: Missing (the token cannot be read).
func (h *Heroku) Config() (heroku.Config, error) {
	key, err := resolve(string(h.APIKey))
	return h.with(key), err
}

func (h *Heroku) with(key string) heroku.Config {
	return heroku.Config{
		App: h.App, APIKey: key, APIURL: h.APIURL, DataURL: h.DataURL, Health: h.Health, Checks: h.Checks, Required: h.Required, Database: h.Database,
	}
}

// heroku checks the settings of a target on Heroku, and takes note of its token.
func (d *decoder) heroku(c *Config, t platform.Target, e Environment, path []string) {
	at := append(path[:len(path):len(path)], "heroku")
	if e.Heroku == nil {
		if !d.unread(at...) {
			d.where("Add heroku: with app and api_key.", "%s has no settings for its provider heroku.", []any{t}, append(path, "provider")...)
		}
		return
	}
	for section := range d.broken {
		if strings.HasPrefix(section, strings.Join(at, ".")) {
			return
		}
	}
	if !d.needs(string(e.Heroku.APIKey), append(at, "api_key")...) {
		return
	}
	d.secret(c, e.Heroku.APIKey, append(at, "api_key")...)
	if c.Replica != "" {
		d.where("Run one maitred, without replica.", "%s is on Heroku, and what maitred remembers of it lies in files, which replicas do not share.", []any{t}, at...)
	}
	if _, err := heroku.New(e.Heroku.with("unread"), heroku.Options{Target: t}); err != nil {
		d.where("", "%s", []any{fault.Of(err).Say}, at...)
	}
}
