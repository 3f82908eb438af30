package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"maitred/bot"
	"maitred/bot/schedule"
	"maitred/bot/slack"
	"maitred/bot/webchat"
	"maitred/chat"
	"maitred/commands"
	"maitred/config"
	"maitred/notifications"
	"maitred/platform/engine"
	"maitred/platform/source"
	"maitred/store"
	"maitred/web"
)

// parts are what an App is made with besides its configuration.
type parts struct {
	log        *zap.Logger
	executable string           // the binary that outlives maitred as the front; the running one when empty
	page       *webchat.Options // the chat page of the demo; nil outside it
	checks     []web.Check      // more that must be true before maitred is ready
}

// App is all of maitred, joined.
type App struct {
	Config *config.Config // in force; Reload swaps it

	Store    *store.Store
	Engine   *engine.Engine
	Bot      *bot.Bot
	Registry *commands.Registry
	Policy   *bot.Policy
	Apps     *catalogue
	Web      *web.Server
	Slack    *slack.Chat // nil without

	log        *zap.Logger
	hearers    []chat.Hearer
	dispatcher *notifications.Dispatcher
	reload     sync.Mutex
	stopped    sync.Once
}

// build joins the rooms, each after what it needs. Nothing is heard and nothing
// is done before Run; an App that is not run must be closed.
func build(ctx context.Context, c *config.Config, p parts) (_ *App, err error) {
	a := &App{Config: c, log: p.log}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	// what must never be shown, from the configuration
	secrets, err := c.Secrets()
	if err != nil {
		return nil, err
	}
	redactor := config.NewRedactor(secrets)

	// the store needs the keys that lie beside it
	keys, err := openKeys(c)
	if err != nil {
		return nil, err
	}
	if a.Store, err = openStore(ctx, c, keys, p.log); err != nil {
		return nil, err
	}

	// repositories, below data_dir
	mirrors := source.New(filepath.Join(c.DataDir, "mirrors"), p.log.Named("source"))

	// apps and their platforms need mirrors
	a.Apps = &catalogue{mirrors: mirrors, executable: p.executable, log: p.log.Named("platform")}
	if err := a.Apps.set(c); err != nil {
		return nil, err
	}
	sources := &sources{apps: a.Apps, mirrors: mirrors}

	// who may do what, from the configuration
	if a.Policy, err = bot.NewPolicy(c.Rules()); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}

	// the engine needs the store, the platforms and the policy
	a.Engine, err = engine.New(engine.Config{
		Store: a.Store, SQLite: a.Store.SQLite(), Pool: a.Store.Pool(),
		Providers: a.Apps.Provider, Resolve: sources.Resolve, Redact: a.Apps.redact(redactor),
		Policy: a.Policy, Rules: c.Gates(), Retain: c.Retention.Operations,
		Replica: c.Replica, Log: p.log.Named("engine"), Metrics: metrics,
	})
	if err != nil {
		return nil, err
	}

	// commands need all that people ask about or ask for
	services := commands.Services{
		Apps: a.Apps, Policy: a.Policy, Operations: a.Engine, Sources: sources, Schedules: a.Store, Audit: a.Store,
	}
	a.Registry = commands.New(services)
	voice := commands.NewVoice(services) // words operations and events

	// the chats that speak; the page needs the store for its messages
	senders := map[string]chat.Sender{}
	var page *webchat.Chat
	if p.page != nil {
		page = newPage(*p.page, c, a.Store, a.Registry, redactor.Text, p.log)
		senders[page.Name()] = page
	}

	// Slack needs its tokens, and the policy for which groups mean anything
	if c.Chat.Slack != nil {
		if a.Slack, err = newSlack(c, a.Policy, metrics, p.log); err != nil {
			return nil, err
		}
		senders[a.Slack.Name()] = a.Slack
		a.hearers = append(a.hearers, a.Slack)
	}

	// the door needs the store, the commands, the policy and whom to answer
	a.Bot = bot.New(bot.Config{
		Store: a.Store, Registry: a.Registry, Policy: a.Policy, Seal: keys, Senders: senders,
		Redact: redactor.Text, Subject: subjects{a.Store}.find,
		Replica: c.Replica, Log: p.log.Named("bot"), Metrics: metrics,
	})

	// what hears besides: the page and the clock
	if page != nil {
		a.hearers = append(a.hearers, page)
	}
	a.hearers = append(a.hearers, schedule.New(schedule.Options{Store: a.Store, Senders: senders, Log: p.log.Named("schedule")}))

	// what the chats show follows the store, in the words of commands
	a.dispatcher = notifications.NewDispatcher(a.Store, senders, map[string]notifications.Renderer{
		notifications.OperationSubject: voice,
		notifications.EventSubject:     voice,
	}, c.Replica, p.log.Named("dispatcher"))
	a.dispatcher.Redact = redactor.Text

	// the listener needs the door, the engine and the pages
	a.Web, err = web.New(a.webOptions(p, page, voice, metrics))
	return a, err
}
