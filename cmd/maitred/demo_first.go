package main

import (
	"context"
	"fmt"
	"time"

	"maitred/bot/webchat"
	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
)

// ocpizza is the one target of the demo.
var ocpizza = platform.Target{App: "ocpizza", Environment: "production"}

// openSample returns when visitors of ocpizza are served: by the release that
// was live before, or the first time by v1.0.0, which goes live like every other
// release, as an operation of the lead.
func openSample(ctx context.Context, app *App) error {
	select {
	case <-app.Engine.Started():
	case <-ctx.Done():
		return ctx.Err()
	}
	provider, err := app.Apps.Provider(ocpizza)
	if err != nil {
		return err
	}
	status, err := provider.Status(ctx, ocpizza)
	if err != nil {
		return err
	}
	if status.Release != nil {
		return reopen(ctx, provider)
	}
	live, err := app.Engine.Live(ctx)
	if err != nil {
		return err
	}
	for _, op := range live { // an earlier start was killed on the way
		if op.Kind == platform.Deploy {
			return follow(ctx, app, op.ID)
		}
	}
	src, err := (&sources{apps: app.Apps, mirrors: app.Apps.mirrors}).Resolve(ctx, ocpizza, "v1.0.0")
	if err != nil {
		return err
	}
	op, err := app.Engine.Submit(ctx, engine.Request{
		Key:  fmt.Sprintf("demo/first/%d", time.Now().UnixNano()),
		Kind: platform.Deploy, Target: ocpizza, Source: &src,
		Requester: app.Policy.Know(chat.Person{Chat: webchat.Name, ID: "lead", Name: "Lead"}),
		Place:     chat.Place{Chat: webchat.Name, Channel: "deploys"},
	})
	if err != nil {
		return err
	}
	return follow(ctx, app, op.ID)
}

// reopen starts again what does not run any more, after a restart of the machine
// for one.
func reopen(ctx context.Context, p platform.Provider) error {
	if k, ok := p.(keeper); ok {
		return k.EnsureRunning(ctx, ocpizza)
	}
	return nil
}

// follow waits for the end of an operation, which must be good.
func follow(ctx context.Context, app *App, id int64) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		op, err := app.Engine.Operation(ctx, id)
		if err != nil {
			return err
		}
		switch {
		case op.State == platform.Succeeded:
			return nil
		case op.State.Ended():
			return fault.New(fault.Invalid, "demo.first", "Mend what it says, or try other addresses: maitred demo --listen 127.0.0.1:8090 --app-listen 127.0.0.1:8091", "The first release of ocpizza could not be put live: %s", op.Message)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
