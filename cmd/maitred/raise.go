package main

import (
	"context"

	"go.uber.org/zap"

	"maitred/fault"
	"maitred/platform"
)

// keeper is a platform whose apps maitred itself keeps running.
type keeper interface {
	// EnsureRunning starts what does not run, but should.
	EnsureRunning(ctx context.Context, t platform.Target) error
}

// raise starts again what does not run any more, after a restart of the machine
// for one. What was never deployed or was stopped by somebody stays as it is.
func (a *App) raise(ctx context.Context) {
	for t, e := range a.Apps.now.Load().providers {
		k, ok := e.provider.(keeper)
		if !ok {
			continue
		}
		if err := k.EnsureRunning(ctx, t); err != nil && ctx.Err() == nil {
			a.log.Error("app not raised", zap.Stringer("target", t), zap.String("say", fault.Of(err).Say), zap.Error(err))
		}
	}
}
