package heroku

import (
	"net/url"
	"regexp"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// Config is where one app lives on Heroku: the part of maitred.yml that belongs
// to a target whose provider is heroku.
type Config struct {
	App      string   `yaml:"app"`                // the name of the app on Heroku
	APIKey   string   `yaml:"api_key"`            // a token; a reference in the file
	APIURL   string   `yaml:"api_url,omitempty"`  // https://api.heroku.com
	DataURL  string   `yaml:"data_url,omitempty"` // https://api.data.heroku.com
	Health   Health   `yaml:"health,omitempty"`
	Checks   []string `yaml:"checks,omitempty"`   // one-off commands that must exit with 0 after a deploy; they may be repeated
	Required []string `yaml:"required,omitempty"` // variables without which nothing is deployed
	Database string   `yaml:"database,omitempty"` // the attachment that backups are made of; DATABASE_URL when empty
}

// Health is how a deploy sees that the app answers. Without a path nobody asks.
type Health struct {
	Path     string        `yaml:"path,omitempty"`     // answered with 2xx: /healthz
	Deadline time.Duration `yaml:"deadline,omitempty"` // 60s
}

var appName = regexp.MustCompile(`^[a-z][a-z0-9-]{1,29}$`)

// withDefaults fills what was left out and refuses what cannot work, with every
// problem at once.
func (c Config) withDefaults(t platform.Target, own string) (Config, error) {
	var problems []string
	if !appName.MatchString(c.App) {
		problems = append(problems, "app is to be the name of an app on Heroku: small letters, digits and dashes.")
	}
	if own != "" && c.App == own {
		problems = append(problems, "maitred itself runs as "+own+", and its own app is never a target.")
	}
	if strings.TrimSpace(c.APIKey) == "" || strings.ContainsAny(c.APIKey, " \r\n\t") {
		problems = append(problems, "api_key is missing, or is no token.")
	}
	for name, at := range map[string]*string{"api_url": &c.APIURL, "data_url": &c.DataURL} {
		if *at == "" {
			*at = map[string]string{"api_url": "https://api.heroku.com", "data_url": "https://api.data.heroku.com"}[name]
		}
		*at = strings.TrimRight(*at, "/")
		u, err := url.Parse(*at)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Hostname() != "localhost" && !strings.HasPrefix(u.Hostname(), "127.") {
			problems = append(problems, name+" is to be an https:// address.")
		}
	}
	if c.Health.Path != "" && !strings.HasPrefix(c.Health.Path, "/") {
		problems = append(problems, "health.path is to begin with a slash.")
	}
	if c.Health.Deadline == 0 {
		c.Health.Deadline = time.Minute
	}
	if c.Database == "" {
		c.Database = "DATABASE_URL"
	}
	if len(problems) > 0 {
		return c, fault.New(fault.Invalid, "heroku.config", "", "The configuration of %s cannot work: %s", t, strings.Join(problems, " "))
	}
	return c, nil
}
