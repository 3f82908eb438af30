package main

import (
	"context"
	"flag"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"

	"maitred/config"
	"maitred/fault"
)

// serve runs maitred for a team.
func serve(ctx context.Context, t terminal, args []string) error {
	var file string
	rest, err := flags(t, "serve", args, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", "maitred.yml", "the configuration")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return mistyped("serve", "serve takes no argument %q.", rest[0])
	}
	c, err := config.Load(file)
	if err != nil {
		return err
	}
	log, err := zap.NewProduction()
	if err != nil {
		return err
	}
	defer log.Sync() //nolint:errcheck // stderr cannot be synced everywhere
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	a, err := build(ctx, c, parts{log: log})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go a.reloadOn(ctx, hup, log)
	go a.raise(ctx)
	return a.Run(ctx)
}

// reloadOn reads the file again at each signal. A file with a mistake changes
// nothing.
func (a *App) reloadOn(ctx context.Context, hup <-chan os.Signal, log *zap.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		next, err := config.Load(a.Config.Path())
		var changed, fixed []string
		if err == nil {
			changed, fixed, err = a.Reload(ctx, next)
		}
		switch {
		case err != nil:
			log.Error("configuration not reloaded, the one before stays", zap.String("say", fault.Of(err).Say), zap.Error(err))
		case len(changed)+len(fixed) == 0:
			log.Info("configuration reloaded, nothing is different")
		default:
			log.Info("configuration reloaded", zap.Strings("changed", changed), zap.Strings("after_restart", fixed))
		}
	}
}
