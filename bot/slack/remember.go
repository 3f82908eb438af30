package slack

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// memory remembers what Slack said of something, by id. Those who ask for the
// same at the same time wait for one call.
type memory[T any] struct {
	now func() time.Time
	log *zap.Logger
	ask func(ctx context.Context, id string) (T, error)

	mu   sync.Mutex
	byID map[string]*fact[T]
}

// fact is what is known of one id.
type fact[T any] struct {
	asking sync.Mutex // held by whoever asks Slack

	mu    sync.Mutex
	value T
	at    time.Time // when Slack was asked; zero when it never answered
	again bool      // somebody asks already, in the background
}

func newMemory[T any](now func() time.Time, log *zap.Logger, ask func(context.Context, string) (T, error)) *memory[T] {
	return &memory[T]{now: now, log: log, ask: ask, byID: map[string]*fact[T]{}}
}

// How long what Slack said is remembered. What is older than fresh is asked for
// again while the old still counts; what is older than old does not count any
// more; and what is younger than news is not asked for again by anybody.
const (
	news  = 2 * time.Second
	fresh = 2 * time.Minute
	old   = 15 * time.Minute
)

// find is what is known of id. Anew asks Slack first.
func (m *memory[T]) find(ctx context.Context, id string, anew bool) (T, error) {
	f := m.fact(id)
	value, at := f.get()
	switch age := m.now().Sub(at); {
	case at.IsZero() || age > old || anew && age > news:
		return m.refresh(ctx, id, f, at)
	case age > fresh:
		m.later(id, f)
	}
	return value, nil
}

func (m *memory[T]) fact(id string) *fact[T] {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byID[id] == nil {
		if len(m.byID) >= remembered {
			clear(m.byID) // a workspace of this size is asked again
		}
		m.byID[id] = &fact[T]{}
	}
	return m.byID[id]
}

// refresh asks Slack, unless somebody has since what was known at.
func (m *memory[T]) refresh(ctx context.Context, id string, f *fact[T], known time.Time) (T, error) {
	f.asking.Lock()
	defer f.asking.Unlock()
	if value, at := f.get(); at.After(known) {
		return value, nil
	}
	ctx, cancel := within(ctx, 10*time.Second)
	defer cancel()
	began := m.now()
	value, err := m.ask(ctx, id)
	if err == nil {
		f.set(value, began)
	}
	return value, err
}

// later asks Slack in the background.
func (m *memory[T]) later(id string, f *fact[T]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.again {
		return
	}
	f.again = true
	at := f.at
	go func() {
		_, err := m.refresh(context.Background(), id, f, at)
		f.mu.Lock()
		f.again = false
		f.mu.Unlock()
		if err != nil {
			m.log.Warn("slack did not say it again", zap.String("id", id), zap.Error(err))
		}
	}()
}

func (f *fact[T]) get() (T, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.value, f.at
}

func (f *fact[T]) set(value T, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.value, f.at = value, at
}
