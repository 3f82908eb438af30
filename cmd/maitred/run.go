package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"go.uber.org/zap"

	"maitred/config"
)

// room is something of an App that runs until its context ends.
type room struct {
	name string
	run  func(context.Context) error
}

// Run works until ctx ends, which is no error, or until a room cannot go on.
// What hears stops first, then who understands, then who does and who shows, so
// that nothing is taken that nobody can finish. The App is closed afterwards.
func (a *App) Run(ctx context.Context) error {
	hears := []room{{"web", a.Web.Run}}
	for _, h := range a.hearers {
		hears = append(hears, room{h.Name(), func(ctx context.Context) error { return h.Run(ctx, a.Bot) }})
	}
	stages := [][]room{
		{{"store", a.Store.Run}},
		{{"dispatcher", a.dispatcher.Run}},
		{{"engine", a.Engine.Run}},
		{{"bot", a.Bot.Run}},
		hears,
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	stops := make([]func(), len(stages))
	for i, rooms := range stages {
		stops[i] = a.start(ctx, fail, rooms)
	}
	a.log.Info("maitred is up", zap.Stringer("address", a.Web.Addr()))
	<-ctx.Done()
	a.log.Info("maitred is stopping")
	for i := range stops {
		stops[len(stops)-1-i]()
	}
	var broken *brokenRoom
	errors.As(context.Cause(ctx), &broken)
	if broken != nil {
		return errors.Join(broken, a.Close())
	}
	return a.Close()
}

// brokenRoom is a room that ended before it was told to.
type brokenRoom struct {
	name string
	err  error
}

func (b *brokenRoom) Error() string { return fmt.Sprintf("%s: %v", b.name, b.err) }
func (b *brokenRoom) Unwrap() error { return b.err }

// start runs rooms and returns what stops them and waits.
func (a *App) start(ctx context.Context, fail func(error), rooms []room) (stop func()) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	for _, r := range rooms {
		all.Go(func() {
			err := r.run(own)
			if err == nil && own.Err() == nil {
				err = errors.New("ended by itself")
			}
			if err != nil {
				a.log.Error("room ended", zap.String("room", r.name), zap.Error(err))
				fail(&brokenRoom{r.name, err})
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// Close gives back what build took.
func (a *App) Close() (err error) {
	a.stopped.Do(func() {
		if a.Web != nil {
			a.Web.Close() // Run has closed it already, except when it never ran
		}
		if a.Engine != nil {
			err = a.Engine.Close()
		}
		if a.Store != nil {
			err = errors.Join(err, a.Store.Close())
		}
	})
	return err
}

// Reload puts c in force as a whole, or changes nothing and says why. Changed
// are the settings that are new; fixed those that only a restart can change.
func (a *App) Reload(ctx context.Context, c *config.Config) (changed, fixed []string, err error) {
	a.reload.Lock()
	defer a.reload.Unlock()
	changed, fixed = a.Config.Changes(c)
	next, err := a.Apps.edition(c)
	if err != nil {
		return nil, nil, err
	}
	live, err := a.Engine.Live(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("live operations: %w", err)
	}
	if err := next.keeps(live); err != nil {
		return nil, nil, err
	}
	if err := a.Policy.SetRules(c.Rules()); err != nil {
		return nil, nil, fmt.Errorf("policy: %w", err)
	}
	a.Apps.now.Store(next)
	a.Engine.SetRules(c.Gates())
	a.Config = c
	return changed, fixed, nil
}
