package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"maitred/bot"
	"maitred/bot/slack"
	"maitred/bot/webchat"
	"maitred/chat"
	"maitred/commands"
	"maitred/config"
	"maitred/fault"
	"maitred/notifications"
	"maitred/store"
	"maitred/web"
)

// openKeys reads the keys, and makes them when there is no data yet that could
// need older ones.
func openKeys(c *config.Config) (*config.Keys, error) {
	fresh := !c.Database.SQLite() // other replicas have the files; what a wrong key cannot open is told when it is read
	if !fresh {
		_, err := os.Stat(filepath.Join(c.DataDir, "maitred.db"))
		fresh = errors.Is(err, os.ErrNotExist)
	}
	return config.OpenKeys(c.Keys, fresh)
}

func openStore(ctx context.Context, c *config.Config, keys *config.Keys, log *zap.Logger) (*store.Store, error) {
	url, err := c.DatabaseURL()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "store.dir", Err: err,
			Say: "The directory " + c.DataDir + " cannot be made.", Hint: "Look at data_dir in maitred.yml, and at the owner and mode of what is around it."}
	}
	return store.Open(ctx, store.Options{
		Dir: c.DataDir, URL: url, Seal: keys, AuditKey: keys.Audit, Replica: c.Replica, Log: log.Named("store"),
		Keep: store.Keep{Inbound: c.Retention.Inbound, Audit: c.Retention.Audit},
	})
}

// newPage is the chat page of the demo: its channels and personas are those of
// the configuration.
func newPage(o webchat.Options, c *config.Config, s *store.Store, lines *commands.Registry, redact func(string) string, log *zap.Logger) *webchat.Chat {
	o.Store, o.Log = s, log.Named("webchat")
	o.Scrub = func(line string) string { return redact(lines.Sensitive(line)) }
	if o.Channels == nil {
		for _, ch := range c.Channels {
			if ch.Chat == webchat.Name {
				o.Channels = append(o.Channels, webchat.Channel{ID: ch.ID, Topic: ch.Topic})
			}
		}
	}
	if o.Personas == nil {
		for name, p := range c.People.All() {
			if id := p.Chats[webchat.Name]; id != "" {
				o.Personas = append(o.Personas, webchat.Persona{ID: id, Name: orElse(p.Name, name), Role: lastOf(p.Roles)})
			}
		}
	}
	return webchat.New(o)
}

// newSlack is the Slack app of the configuration. Nothing is asked of Slack yet.
func newSlack(c *config.Config, p *bot.Policy, metrics prometheus.Registerer, log *zap.Logger) (*slack.Chat, error) {
	o, err := c.Chat.Slack.Options()
	if err != nil {
		return nil, err
	}
	o.Groups = func() []string { return p.Groups(slack.Name) }
	o.Replicas = 1
	if c.Replica != "" {
		o.Replicas = 5 // as many as Slack has connections for: nobody knows here how many there are
	}
	o.Metrics, o.Log = metrics, log.Named(slack.Name)
	return slack.New(o), nil
}

func lastOf(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// webOptions joins the listener with the rooms that it asks.
func (a *App) webOptions(p parts, page *webchat.Chat, voice notifications.Renderer, metrics prometheus.Gatherer) web.Options {
	o := web.Options{
		Listen: a.Config.Listen, Door: a.Bot, Waiter: a.Bot, Operations: a.Engine, Renderer: voice,
		Owners: a.Policy, Kept: a.Registry.Sensitive, Metrics: metrics, Log: p.log.Named("web"),
		Checks: append([]web.Check{{Name: "store", Check: a.Store.Ready}, {Name: "engine", Check: a.Engine.Ready}}, p.checks...),
	}
	if a.Slack != nil {
		o.Checks = append(o.Checks, web.Check{Name: a.Slack.Name(), Check: a.Slack.Ready})
		if a.Config.Chat.Slack.Mode == string(slack.HTTP) {
			o.Pages = append(o.Pages, a.Slack)
		}
	}
	if page == nil {
		return o
	}
	o.Pages = append(o.Pages, page)
	o.Door = page.Aloud(a.Bot)
	o.Checks = append(o.Checks, web.Check{Name: page.Name(), Check: page.Ready})
	o.Personas = page.Person
	o.Place = func(channel, thread string) (chat.Place, error) {
		if channel == "" {
			channel = a.firstChannel()
		}
		at := chat.Place{Chat: webchat.Name, Channel: channel, Thread: thread}
		if _, ok := a.Apps.now.Load().channels[at.Top()]; !ok {
			return at, fault.New(fault.Missing, "say.place", "--channel "+a.firstChannel(), "There is no channel #%s here.", channel)
		}
		return at, nil
	}
	return o
}

// firstChannel is where a line of the demo is said when no channel is named.
func (a *App) firstChannel() string {
	for _, ch := range a.Config.Channels {
		if ch.Chat == webchat.Name {
			return ch.ID
		}
	}
	return ""
}
