package engine

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestOnlyOurOwnStopIsQuiet(t *testing.T) {
	core, seen := observer.New(zapcore.InfoLevel)
	ends := new(atomic.Bool)
	log := slog.New(quiet{zap.New(core), ends})
	cut := fmt.Errorf("poll: %w", context.Canceled)
	say := func() int {
		seen.TakeAll()
		log.Error("poll failed", "error", cut)
		return seen.Len()
	}
	if say() != 1 {
		t.Error("a poll that is cut short while nobody stops is not told")
	}
	ends.Store(true)
	if say() != 0 {
		t.Error("what our own stop cuts short is told")
	}
	if log.Error("poll failed", "error", "disk full"); seen.Len() != 1 {
		t.Error("what fails for another reason while we stop is not told")
	}
}
