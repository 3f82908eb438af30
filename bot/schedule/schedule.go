// Package schedule says lines when clocks strike: it hears time as other chats
// hear people. What it says passes the door like everything else, in the name of
// whoever scheduled it and with the rights that person has then.
package schedule

import (
	"context"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/commands"
)

// Name is the hearer's name, and of the chat in its keys.
const Name = "schedule"

// Store keeps schedules. Package store implements it.
type Store interface {
	Schedules(ctx context.Context) ([]commands.Schedule, error)
	// Ticked stores that the line of a schedule was said for the tick at t, and
	// reports whether this is news.
	Ticked(ctx context.Context, id int64, t time.Time) (bool, error)
}

// Options are what a Clock needs. Store is required.
type Options struct {
	Store   Store
	Senders map[string]chat.Sender // tell of ticks that were missed
	Look    time.Duration          // how often schedules are read; 5 s when zero
	Now     func() time.Time
	Log     *zap.Logger
}

// Clock is a chat.Hearer that says scheduled lines.
type Clock struct{ Options }

// New returns a Clock.
func New(o Options) *Clock {
	if o.Look == 0 {
		o.Look = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return &Clock{o}
}

// Name is "schedule".
func (c *Clock) Name() string { return Name }

// late is how much after its tick a line counts as missed and not as said.
const late = time.Minute

// Run says what is due until ctx ends. Several replicas may run at once, and each
// may be killed at any moment: the key of a tick is the same for all, so the door
// hears it once.
func (c *Clock) Run(ctx context.Context, door chat.Door) error {
	for {
		next := c.Strike(ctx, door)
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Strike says what is due now and returns how long until it is worth looking
// again.
func (c *Clock) Strike(ctx context.Context, door chat.Door) time.Duration {
	all, err := c.Store.Schedules(ctx)
	if err != nil {
		if ctx.Err() == nil {
			c.Log.Warn("schedules not read", zap.Error(err))
		}
		return c.Look
	}
	wait := c.Look
	for _, s := range all {
		next, err := c.strike(ctx, door, s)
		if err != nil && ctx.Err() == nil {
			c.Log.Warn("schedule not said", zap.Int64("schedule", s.ID), zap.String("line", s.Line), zap.Error(err))
		}
		if until := next.Sub(c.Now()); err == nil && !next.IsZero() && until < wait {
			wait = max(until, 10*time.Millisecond)
		}
	}
	return wait
}

// strike says s when a tick has passed since it was said last, and returns the
// tick after that. Of several missed ticks the last is said.
func (c *Clock) strike(ctx context.Context, door chat.Door, s commands.Schedule) (next time.Time, err error) {
	ticks, err := Parse(s.Cron, s.Zone)
	if err != nil {
		return time.Time{}, err
	}
	now := c.Now()
	tick, missed, next := due(ticks, since(s), now)
	if tick.IsZero() {
		return next, nil
	}
	key := fmt.Sprintf("schedule-%d-%d", s.ID, tick.Unix())
	_, err = door.Receive(ctx, chat.Inbound{
		Key: key, Person: s.Person, Place: s.Place, Line: s.Line, Source: chat.Scheduled, At: now,
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("say: %w", err)
	}
	first, err := c.Store.Ticked(ctx, s.ID, tick)
	if err != nil {
		return time.Time{}, fmt.Errorf("store tick: %w", err)
	}
	if first && now.Sub(tick) > late {
		c.apologise(ctx, s, tick, missed, key)
	}
	return next, nil
}

// since is the moment after which the next tick counts.
func since(s commands.Schedule) time.Time {
	if s.Last.After(s.Created) {
		return s.Last
	}
	return s.Created
}

// apologise says that a line comes late, and how often it did not come at all.
func (c *Clock) apologise(ctx context.Context, s commands.Schedule, tick time.Time, missed int, key string) {
	sender := c.Senders[s.Place.Chat]
	if sender == nil {
		return
	}
	if zone, err := time.LoadLocation(s.Zone); err == nil {
		tick = tick.In(zone)
	}
	text := fmt.Sprintf("%s was due at %s, when maitred was not running. It is said now.", s.Line, tick.Format("Mon 2 Jan 15:04 MST"))
	if missed > 1 {
		text = fmt.Sprintf("%s was due %d times while maitred was not running, last at %s. It is said now, once.",
			s.Line, missed, tick.Format("Mon 2 Jan 15:04 MST"))
	}
	card := chat.Card{Title: "A schedule comes late", State: chat.Warning, Text: text,
		Fields: []chat.Field{{Label: "Schedule", Value: fmt.Sprintf("%d, by %s: %s", s.ID, s.Person.Label(), s.Cron)}}}
	if _, err := sender.Post(ctx, s.Place, card, key+"-late"); err != nil {
		c.Log.Warn("late schedule not told", zap.Int64("schedule", s.ID), zap.Error(err))
	}
}

// Parse reads five fields, or a word such as @daily, that are meant in a zone;
// without one they are in UTC.
func Parse(expression, zone string) (cron.Schedule, error) {
	if zone == "" {
		zone = "UTC"
	}
	ticks, err := cron.ParseStandard("CRON_TZ=" + zone + " " + expression)
	if err != nil {
		return nil, fmt.Errorf("schedule %q in %s: %w", expression, zone, err)
	}
	return ticks, nil
}

// tooMany is how many missed ticks are counted before it is only said that there
// were many.
const tooMany = 100_000

// due finds the last tick after since that is not after now, how many such ticks
// there are, and the next one. The zero tick is none.
func due(ticks cron.Schedule, since, now time.Time) (tick time.Time, missed int, next time.Time) {
	next = ticks.Next(since)
	for !next.IsZero() && !next.After(now) {
		tick, missed = next, missed+1
		next = ticks.Next(next)
		if missed == tooMany { // a clock that jumped, or years: go on from an hour ago
			next = ticks.Next(now.Add(-time.Hour))
		}
	}
	return tick, missed, next
}
