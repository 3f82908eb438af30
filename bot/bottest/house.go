package bottest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"maitred/bot"
	"maitred/bot/schedule"
	"maitred/chat"
	"maitred/commands"
	"maitred/notifications"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
	"maitred/store/storetest"
)

// House is a maitred that is open: everything but the chat and the platform is
// real.
type House struct {
	Shop   *Shop
	Stage  Stage
	Store  *store.Store
	Engine *engine.Engine
	Bot    *bot.Bot
	Policy *bot.Policy

	t      testing.TB
	place  storetest.Place
	change []func(*bot.Config)
	ahead  atomic.Int64 // nanoseconds that its clocks are ahead
	close  func() error
}

// Open opens a house on a store, with the configuration of its door changed. It
// is closed when the test ends.
func Open(t testing.TB, p storetest.Place, stage Stage, change ...func(*bot.Config)) *House {
	t.Helper()
	h := &House{t: t, place: p, Shop: newShop(), Stage: stage, change: change}
	if c, ok := stage.(Channels); ok {
		h.Shop.deploys = chat.Place{Chat: stage.Sender().Name(), Channel: c.Channel("deploys")}
	}
	h.open()
	return h
}

// Furnish makes the tables of a house in p, and leaves nothing open: copies of p
// are houses that open quickly.
func Furnish(t testing.TB, p storetest.Place) {
	t.Helper()
	h := &House{t: t, place: p, Shop: newShop(), Stage: NewRoom("room")}
	h.open()
	<-h.Engine.Started()
	if err := h.close(); err != nil {
		t.Fatalf("close the house: %v", err)
	}
}

// Restart closes the house and opens it again on the same store.
func (h *House) Restart() {
	h.t.Helper()
	if err := h.close(); err != nil {
		h.t.Fatalf("close the house: %v", err)
	}
	h.open()
}

// Later sets the clocks of the house ahead, and past the first minutes of an
// hour: there a tick that is due on the hour is on time and was not missed.
func (h *House) Later(d time.Duration) {
	if h.now().Add(d).Minute() < 2 {
		d += 2 * time.Minute
	}
	h.ahead.Add(int64(d))
}

// Fire takes somebody out of the configuration.
func (h *House) Fire(name string) error {
	rules := h.staff()
	delete(rules.People, name)
	return h.Policy.SetRules(rules)
}

func (h *House) staff() bot.Rules {
	return staff(func(who string) string { return h.Stage.Person(who).ID }, h.Stage.Sender().Name())
}

func (h *House) now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

func (h *House) open() {
	h.t.Helper()
	name := h.Stage.Sender().Name()
	policy, err := bot.NewPolicy(h.staff())
	if err != nil {
		h.t.Fatalf("policy: %v", err)
	}
	h.Policy, h.Store = policy, h.place.Open(h.t)
	log := zaptest.NewLogger(h.t, zaptest.Level(zap.ErrorLevel))
	config := engine.Config{
		Store: h.Store, Pool: h.Store.Pool(), Replica: "one", Policy: policy, Rules: agreements(),
		Providers: h.Shop.Provider, Resolve: h.Shop.Resolve, Grace: 2 * time.Second, Now: h.now, Log: log,
	}
	if config.Pool == nil {
		config.SQLite = h.Store.SQLite()
	}
	if h.Engine, err = engine.New(config); err != nil {
		h.t.Fatalf("engine: %v", err)
	}
	h.wire(policy, name, log)
	// After each opening, so that it comes before the store's own end.
	h.t.Cleanup(func() {
		if err := h.close(); err != nil {
			h.t.Errorf("close the house: %v", err)
		}
	})
}

// wire connects the rooms and starts what runs.
func (h *House) wire(policy *bot.Policy, name string, log *zap.Logger) {
	services := commands.Services{
		Apps: h.Shop, Policy: policy, Operations: h.Engine, Sources: h.Shop, Schedules: h.Store, Audit: h.Store,
	}
	senders := map[string]chat.Sender{name: h.Stage.Sender()}
	door := bot.Config{
		Store: h.Store, Registry: commands.New(services), Policy: policy, Seal: storetest.Seal{}, Senders: senders,
		Subject: h.subject, Replica: "one", Now: h.now, Log: log,
	}
	for _, change := range h.change {
		change(&door)
	}
	h.Bot = bot.New(door)
	voice := commands.NewVoice(services)
	dispatcher := notifications.NewDispatcher(h.Store, senders, map[string]notifications.Renderer{
		notifications.OperationSubject: voice, notifications.EventSubject: voice,
	}, "one", log)
	clock := schedule.New(schedule.Options{Store: h.Store, Senders: senders, Look: 20 * time.Millisecond, Now: h.now, Log: log})
	h.Stage.Open(h.Bot)
	h.run(
		h.Bot.Run, dispatcher.Run,
		func(ctx context.Context) error { return clock.Run(ctx, h.Bot) },
	)
}

// run starts the loops and the engine. The engine is stopped last: on SQLite it
// closes the database that all of them use.
func (h *House) run(loops ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	last, cancelLast := context.WithCancel(context.Background())
	var wg, engine sync.WaitGroup
	ended := make([]error, len(loops)+1)
	for i, loop := range loops {
		wg.Go(func() { ended[i] = loop(ctx) })
	}
	engine.Go(func() { ended[len(loops)] = h.Engine.Run(last) })
	h.close = sync.OnceValue(func() error {
		cancel()
		wg.Wait()
		cancelLast()
		engine.Wait()
		return errors.Join(append(ended, h.Engine.Close(), h.Store.Close())...)
	})
}

// subject is the operation that the thread at a place is about.
func (h *House) subject(ctx context.Context, at chat.Place) (int64, bool) {
	s, found, err := h.Store.SubjectOf(ctx, at)
	if err != nil || !found {
		return 0, false
	}
	if s.Kind == notifications.EventSubject {
		e, err := h.Store.Event(ctx, s.ID)
		return e.Operation, err == nil
	}
	return s.ID, s.Kind == notifications.OperationSubject
}

// Thread is the place in the thread of an operation's message.
func (h *House) Thread(operation int64) (chat.Place, bool) {
	ref, found, err := h.Store.MessageOf(context.Background(), notifications.Subject{Kind: notifications.OperationSubject, ID: operation})
	return ref.InThread(), found && err == nil
}

// Settled waits until no operation is on its way, and returns the last one.
func (h *House) Settled(within time.Duration) (platform.Operation, bool) {
	deadline := time.Now().Add(within)
	for time.Now().Before(deadline) {
		live, err := h.Engine.Live(context.Background())
		if err == nil && len(live) == 0 {
			all, err := h.Engine.List(context.Background(), engine.Filter{Limit: 1})
			return first(all), err == nil && len(all) > 0
		}
		time.Sleep(10 * time.Millisecond)
	}
	return platform.Operation{}, false
}

func first(all []platform.Operation) platform.Operation {
	if len(all) == 0 {
		return platform.Operation{}
	}
	return all[0]
}
