package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/commands"
	"maitred/config"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/heroku"
	"maitred/platform/host"
	"maitred/platform/source"
)

// catalogue is the configured apps and the platforms behind them: commands.Apps.
// A reload swaps all of it at once.
type catalogue struct {
	mirrors    *source.Mirrors
	executable string
	log        *zap.Logger
	now        atomic.Pointer[edition]
}

var _ commands.Apps = (*catalogue)(nil)

// edition is the catalogue of one configuration.
type edition struct {
	config    *config.Config
	apps      []commands.App
	providers map[platform.Target]entry
	channels  map[chat.Place]platform.Target
}

// entry is a platform and the settings that it was made with.
type entry struct {
	settings config.Environment
	provider platform.Provider
}

// set puts c in force, or changes nothing.
func (k *catalogue) set(c *config.Config) error {
	e, err := k.edition(c)
	if err != nil {
		return err
	}
	k.now.Store(e)
	return nil
}

// edition makes the catalogue of c. A platform whose settings did not change is
// kept: work may be under way on it.
func (k *catalogue) edition(c *config.Config) (*edition, error) {
	e := &edition{config: c, providers: map[platform.Target]entry{}, channels: map[chat.Place]platform.Target{}}
	before := k.now.Load()
	for name, app := range c.Apps.All() {
		known := commands.App{Name: name, Help: app.Help, Repository: source.Shown(app.Repository), Channel: app.Channel, Providers: map[string]string{}}
		for env, settings := range app.Environments.All() {
			t := platform.Target{App: name, Environment: env}
			known.Environments = append(known.Environments, env)
			known.Providers[env] = settings.Provider
			if before != nil && reflect.DeepEqual(before.providers[t].settings, settings) {
				e.providers[t] = before.providers[t]
				continue
			}
			p, err := k.provider(t, settings, c)
			if err != nil {
				return nil, err
			}
			e.providers[t] = entry{settings: settings, provider: p}
		}
		e.apps = append(e.apps, known)
	}
	for _, ch := range c.Channels {
		e.channels[chat.Place{Chat: ch.Chat, Channel: ch.ID}] = platform.Target{App: ch.App, Environment: ch.Environment}
	}
	return e, nil
}

// keeps refuses an edition without the target of an operation that is not over:
// nobody could finish it, or take it back.
func (e *edition) keeps(live []platform.Operation) error {
	for _, op := range live {
		if _, ok := e.providers[op.Target]; !ok {
			return fault.New(fault.Busy, "catalogue.reload", fmt.Sprintf("Wait for its end or /cancel %d, and reload again.", op.ID),
				"%s is gone from the configuration, and operation #%d on it is not over.", op.Target, op.ID)
		}
	}
	return nil
}

// provider makes the platform behind a target.
func (k *catalogue) provider(t platform.Target, settings config.Environment, c *config.Config) (platform.Provider, error) {
	switch settings.Provider {
	case "host":
		local := *settings.Host
		local.Executable = k.executable
		return host.New(local, host.Options{Target: t, Mirrors: k.mirrors, Log: k.log, Replicas: c.Replica != ""})
	case "heroku":
		remote, err := settings.Heroku.Config()
		if err != nil {
			return nil, err
		}
		return heroku.New(remote, heroku.Options{
			Target: t, Mirrors: k.mirrors, Log: k.log, Notes: heroku.Files(filepath.Join(c.DataDir, "heroku")), Own: os.Getenv("HEROKU_APP_NAME"),
		})
	}
	return nil, fault.New(fault.Invalid, "catalogue.provider", "maitred check", "%s has the provider %q, which maitred does not have.", t, settings.Provider)
}

// Apps are the configured apps, in the order of the file.
func (k *catalogue) Apps() []commands.App { return k.now.Load().apps }

// Provider is the platform behind t.
func (k *catalogue) Provider(t platform.Target) (platform.Provider, error) {
	if e, ok := k.now.Load().providers[t]; ok {
		return e.provider, nil
	}
	return nil, fault.New(fault.Missing, "catalogue.provider", "/apps", "There is no %s in the configuration.", t)
}

// Channel is what a channel is for.
func (k *catalogue) Channel(p chat.Place) platform.Target { return k.now.Load().channels[p.Top()] }

// Home is where messages about t go when nobody asked in a channel.
func (k *catalogue) Home(t platform.Target) chat.Place {
	app, _ := k.now.Load().config.Apps.Get(t.App)
	environment, _ := app.Environments.Get(t.Environment)
	home := environment.Channel
	if home == "" {
		home = app.Channel
	}
	name, id, ok := strings.Cut(home, "/")
	if !ok {
		return chat.Place{}
	}
	return chat.Place{Chat: name, Channel: id}
}

// redact takes the secrets of a target out of texts, and maitred's own.
func (k *catalogue) redact(r *config.Redactor) func(context.Context, platform.Target) (func(string) string, error) {
	return func(ctx context.Context, t platform.Target) (func(string) string, error) {
		p, err := k.Provider(t)
		if err != nil {
			return nil, err
		}
		discreet, ok := p.(platform.Discreet)
		if !ok {
			return r.Text, nil
		}
		values, err := discreet.SecretValues(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("secret values of %s: %w", t, err)
		}
		return r.With(values), nil
	}
}
