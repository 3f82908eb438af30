// Package config reads maitred.yml: one file, strictly. Every mistake is told at
// once, with its place, what was found and the nearest word that would do; a
// file with a mistake is refused whole. It also keeps the keys that lie beside
// the database, and knows which words must never be shown.
package config

import (
	"time"

	"maitred/bot"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/host"
)

// Config is maitred.yml.
type Config struct {
	// DataDir holds the database, the keys and the mirrors of repositories.
	// It belongs to maitred alone (0700).
	DataDir string `yaml:"data_dir"`
	// Database is where maitred keeps its own data: sqlite (a file in data_dir,
	// the default) or postgres://…, best as ${env:NAME} or ${file:/path}.
	Database Database `yaml:"database,omitempty"`
	// Listen is the address of the one listener; 127.0.0.1:8080 when left out.
	Listen string `yaml:"listen,omitempty"`
	// Replica is the stable name of this maitred among those that share one
	// PostgreSQL. Left out, there is only one.
	Replica string `yaml:"replica,omitempty"`
	// Keys is the directory of the key files; data_dir/keys when left out.
	// Replicas need the same files.
	Keys string `yaml:"keys,omitempty"`

	// Chat are the chats that maitred joins.
	Chat ChatApps `yaml:"chat,omitempty"`
	// People are the humans who may say something, by the name that maitred calls them.
	People Named[bot.Member] `yaml:"people,omitempty"`
	// Services are programs that may say something. They never approve.
	Services Named[bot.Service] `yaml:"services,omitempty"`
	// Roles say what their holders may do, and where.
	Roles Named[bot.Role] `yaml:"roles,omitempty"`
	// Approvals say whose agreement an operation needs. The first that matches decides.
	Approvals []engine.ApprovalRule `yaml:"approvals,omitempty"`
	// Windows are when deploys may start. A target without one is always open.
	Windows []engine.DeployWindow `yaml:"windows,omitempty"`
	// Channels are what the channels of the chats are for.
	Channels []Channel `yaml:"channels,omitempty"`
	// Apps are what is deployed, by name.
	Apps Named[App] `yaml:"apps,omitempty"`
	// Own is what maitred itself runs on; it is never a target.
	Own Own `yaml:"own,omitempty"`
	// Retention is how long finished things are kept.
	Retention Retention `yaml:"retention,omitempty"`

	path string
	refs []reference // every secret reference of the file
}

// Channel is a channel of a chat.
type Channel struct {
	// Chat is the name of the chat.
	Chat string `yaml:"chat"`
	// ID is the channel's id in that chat.
	ID string `yaml:"id"`
	// Topic is one line about it.
	Topic string `yaml:"topic,omitempty"`
	// App is meant when a command said here names none.
	App string `yaml:"app,omitempty"`
	// Environment is meant when a command said here names none.
	Environment string `yaml:"environment,omitempty"`
}

// App is something that is deployed.
type App struct {
	// Help is one line about the app.
	Help string `yaml:"help,omitempty"`
	// Repository is the URL or path of its git repository.
	Repository string `yaml:"repository,omitempty"`
	// Archives is the directory, or the start of an https address, below which /deploy APP@NAME.tar.gz finds what is delivered as an archive.
	Archives string `yaml:"archives,omitempty"`
	// Channel is where messages go when nobody asked in a channel, as CHAT/CHANNEL-ID.
	Channel string `yaml:"channel,omitempty"`
	// Environments are where the app runs, by name.
	Environments Named[Environment] `yaml:"environments"`
}

// Environment is one place where an app runs: a provider and its settings.
type Environment struct {
	// Provider is the kind of platform: host or heroku.
	Provider string `yaml:"provider"`
	// Channel is where messages about this environment go, as CHAT/CHANNEL-ID; the app's channel when left out.
	Channel string `yaml:"channel,omitempty"`
	// Host are the settings of the provider host.
	Host *host.Config `yaml:"host,omitempty"`
	// Heroku are the settings of the provider heroku.
	Heroku *Heroku `yaml:"heroku,omitempty"`
}

// Own is what maitred itself depends on.
type Own struct {
	// Apps are the apps that maitred runs as.
	Apps []string `yaml:"apps,omitempty"`
}

// Retention is how long finished things are kept. Zero is the default of each.
type Retention struct {
	// Operations, with their steps and events; 90 days when left out.
	Operations time.Duration `yaml:"operations,omitempty"`
	// Inbound is what was said and answered; at least a day.
	Inbound time.Duration `yaml:"inbound,omitempty"`
	// Audit is who did what; for ever when left out.
	Audit time.Duration `yaml:"audit,omitempty"`
}

// Chats are the names of the chats that maitred can hear today.
var Chats = []string{"webchat", "api", "slack"}

// Providers are the kinds of platforms that maitred can deploy to today.
var Providers = []string{"host", "heroku"}

// Path is the file that c was read from.
func (c *Config) Path() string { return c.path }

// Rules are the people, services and roles, as the door reads them.
func (c *Config) Rules() bot.Rules {
	return bot.Rules{People: byName(c.People), Services: byName(c.Services), Roles: byName(c.Roles)}
}

// Gates are the approvals, windows and protected apps, as the engine reads them.
func (c *Config) Gates() engine.Rules {
	rules := engine.Rules{Approvals: c.Approvals, Windows: c.Windows}
	for _, app := range c.Own.Apps {
		rules.Own = append(rules.Own, platform.Target{App: app})
	}
	return rules
}

func byName[T any](n Named[T]) map[string]T {
	all := make(map[string]T, len(n))
	for name, value := range n.All() {
		all[name] = value
	}
	return all
}
