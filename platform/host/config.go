package host

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// Config is where and how one app lives on a machine: the part of maitred.yml
// that belongs to a target whose provider is host.
//
// Every process of the app (builds, migrations, the web process, one-off
// commands) gets a built environment and nothing of maitred's own: PATH, HOME
// (the shared directory) and LANG, then Env, then the variables of shared/env,
// and at last what maitred alone knows:
//
//	APP, ENVIRONMENT   the target
//	RELEASE            what the release is called: v1.1.0; /healthz answers it
//	RELEASE_ID         r3
//	RELEASE_SHA        the commit
//	DATABASE_PATH      the database file, when a database is configured
//	SOCKET             the web process alone: the unix socket to serve HTTP on
type Config struct {
	Transport string            `yaml:"transport,omitempty"` // "local", also when empty
	Dir       string            `yaml:"dir"`                 // the app's home; made when missing
	Trusted   bool              `yaml:"trusted,omitempty"`   // the app may run as the user that runs maitred
	Listen    string            `yaml:"listen"`              // address of the front: 127.0.0.1:8081
	URL       string            `yaml:"url,omitempty"`       // where people find the app; http://LISTEN when empty
	Build     []string          `yaml:"build,omitempty"`     // shell lines run in a new release before anything else
	Migrate   string            `yaml:"migrate,omitempty"`   // the shell line that migrates the database
	Health    Health            `yaml:"health,omitempty"`
	Required  []string          `yaml:"required,omitempty"` // variables without which nothing is deployed
	Env       map[string]string `yaml:"env,omitempty"`      // not secret; PATH may be set here
	Database  Database          `yaml:"database,omitempty"`
	Keep      int               `yaml:"keep,omitempty"`  // releases kept to go back to, besides the live one; 5 when zero
	Drain     time.Duration     `yaml:"drain,omitempty"` // how long requests may take to finish; 30s when zero
	Stop      time.Duration     `yaml:"stop,omitempty"`  // from SIGTERM to SIGKILL; 10s when zero

	// Executable is the maitred binary that the front runs as; the running
	// binary when empty. It must outlive this process.
	Executable string `yaml:"-"`
}

// Health says when a release is well: PATH answers 200 and {"release": VERSION},
// Successes times in a row, within Deadline.
type Health struct {
	Path      string        `yaml:"path,omitempty"`      // /healthz
	Deadline  time.Duration `yaml:"deadline,omitempty"`  // 60s
	Interval  time.Duration `yaml:"interval,omitempty"`  // 250ms
	Successes int           `yaml:"successes,omitempty"` // 2
}

// Database is the app's database, which backups are made of.
type Database struct {
	Kind       string     `yaml:"kind,omitempty"` // "sqlite"; empty is none
	Path       string     `yaml:"path,omitempty"` // relative to dir; shared/app.sqlite when empty
	Migrations Migrations `yaml:"migrations,omitempty"`
	Keep       int        `yaml:"keep,omitempty"` // backups kept; 30 when zero; as many safety backups besides
}

// Migrations say how to tell which migrations a database has and which a release
// knows. A migration is called by its file name, without the extension.
type Migrations struct {
	Table  string `yaml:"table,omitempty"`  // schema_migrations
	Column string `yaml:"column,omitempty"` // name
	Dir    string `yaml:"dir,omitempty"`    // in the release: migrations; empty is no comparison
}

// reserved are the variables that maitred sets itself.
var reserved = []string{
	"APP", "ENVIRONMENT", "RELEASE", "RELEASE_ID", "RELEASE_SHA", "DATABASE_PATH", "SOCKET",
	"PATH", "HOME", "LANG", "MAITRED_JOB",
}

// withDefaults fills what was left out and refuses what cannot work, with every
// problem at once.
func (c Config) withDefaults(t platform.Target) (Config, error) {
	var problems []string
	problem := func(say string, args ...any) { problems = append(problems, fmt.Sprintf(say, args...)) }

	if c.Transport != "" && c.Transport != "local" {
		problem("transport %s is unknown; host has local.", fault.Quote(c.Transport))
	}
	if !c.Trusted {
		problem("transport local runs %s as the user of maitred; say trusted: true when that is meant.", t.App)
	}
	if dir, err := filepath.Abs(c.Dir); c.Dir == "" || err != nil {
		problem("dir is missing.")
	} else if c.Dir = dir; len(filepath.Join(dir, "run", "active.sock.new")) > 100 {
		problem("dir %s is too long: a socket below it may have 107 characters.", dir)
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		problem("listen %s is no address such as 127.0.0.1:8081.", fault.Quote(c.Listen))
	}
	c.defaults()
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" {
		problem("url %s is no address such as https://example.org.", fault.Quote(c.URL))
	}
	if !strings.HasPrefix(c.Health.Path, "/") {
		problem("health.path %s must begin with a slash.", fault.Quote(c.Health.Path))
	}
	switch c.Database.Kind {
	case "":
	case "sqlite":
		if !filepath.IsLocal(c.Database.Path) {
			problem("database.path %s must be inside dir.", fault.Quote(c.Database.Path))
		}
	default:
		problem("database.kind %s is unknown; host has sqlite.", fault.Quote(c.Database.Kind))
	}
	for _, name := range append(slices.Sorted(maps.Keys(c.Env)), c.Required...) {
		if err := checkName(name); err != nil && name != "PATH" && name != "LANG" {
			problem("%s", fault.Of(err).Say)
		}
	}
	if len(problems) > 0 {
		return c, &fault.Error{
			Kind: fault.Invalid, Op: "host.config",
			Say:  fmt.Sprintf("The host settings of %s cannot work: %s", t, strings.Join(problems, " ")),
			Hint: "maitred check",
		}
	}
	return c, nil
}

func (c *Config) defaults() {
	orElse(&c.URL, "http://"+c.Listen)
	orElse(&c.Health.Path, "/healthz")
	orElse(&c.Health.Deadline, time.Minute)
	orElse(&c.Health.Interval, 250*time.Millisecond)
	orElse(&c.Health.Successes, 2)
	orElse(&c.Keep, 5)
	orElse(&c.Drain, 30*time.Second)
	orElse(&c.Stop, 10*time.Second)
	if c.Database.Kind != "" {
		orElse(&c.Database.Path, "shared/app.sqlite")
		orElse(&c.Database.Keep, 30)
		orElse(&c.Database.Migrations.Table, "schema_migrations")
		orElse(&c.Database.Migrations.Column, "name")
	}
}

func orElse[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}
