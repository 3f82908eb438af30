package slack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// hearing is what Chat needs to hear.
type hearing struct {
	people  *people
	groups  *groups
	sockets *sockets
	homes   *homes

	entrance sync.Mutex
	door     chat.Door      // nil while nobody hears
	working  sync.WaitGroup // on what came in
}

func (c *Chat) newHearing() hearing {
	return hearing{people: newPeople(c), groups: newGroups(c), homes: newHomes(), sockets: &sockets{attached: map[int]bool{}}}
}

// Run hears Slack until ctx ends. What was taken by then is finished first.
func (c *Chat) Run(ctx context.Context, door chat.Door) error {
	c.open(door)
	var all sync.WaitGroup
	all.Go(func() { c.watch(ctx) })
	if c.options.Mode == Socket {
		all.Go(func() { c.connect(ctx) })
	}
	<-ctx.Done()
	c.shut()
	all.Wait()
	c.working.Wait()
	return nil
}

func (c *Chat) open(door chat.Door) {
	c.entrance.Lock()
	defer c.entrance.Unlock()
	c.door = door
}

// shut takes no more; what is under way goes on.
func (c *Chat) shut() { c.open(nil) }

// enter is the door, for one delivery. The caller calls leave when it is dealt
// with.
func (c *Chat) enter() (door chat.Door, leave func(), ok bool) {
	c.entrance.Lock()
	defer c.entrance.Unlock()
	if c.door == nil {
		return nil, nil, false
	}
	c.working.Add(1)
	return c.door, c.working.Done, true
}

// sure is how old what Ready says about the token may be.
const sure = 15 * time.Second

// watch asks Slack who maitred is, until Slack says so, and again from time to
// time.
func (c *Chat) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var asked time.Time
	wait := time.Second
	for {
		if since := time.Since(asked); since > sure || since > wait && (c.mute.Load() != nil || c.self.Load() == nil) {
			asked, wait = time.Now(), min(2*wait, 15*time.Second)
			if c.introduce(ctx) {
				wait = time.Second
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// introduce asks Slack who maitred is, and notes the answer.
func (c *Chat) introduce(ctx context.Context) bool {
	known := c.self.Load() != nil && c.mute.Load() == nil
	s, err := c.ask(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		c.unknown(err)
	case !known:
		c.log.Info("known to slack", zap.String("workspace", s.TeamName), zap.String("team", s.Team), zap.String("user", s.User))
	}
	return err == nil
}

func (c *Chat) ask(ctx context.Context) (self, error) {
	ctx, cancel := within(ctx, 15*time.Second)
	defer cancel()
	return c.whoami(ctx)
}

// unknown notes that Slack did not say who maitred is: without that nobody can
// tell its workspace from another.
func (c *Chat) unknown(err error) {
	c.log.Warn("slack does not say who maitred is", zap.Error(err))
	if c.mute.Load() == nil {
		f := *fault.Of(err)
		c.mute.Store(&f)
	}
}

// errLater is why a delivery is not acknowledged: it was not stored.
var errLater = errors.New("not stored")

// take deals with one delivery. What it returns goes back with the
// acknowledgement; with an error nothing may be acknowledged, because nothing was
// stored, and Slack or the person will say it again.
func (c *Chat) take(ctx context.Context, door chat.Door, kind string, payload []byte) (body any, err error) {
	var outcome string
	switch kind {
	case kindCommand:
		var cmd command
		if cmd, err = decode[command](payload); err == nil {
			body, outcome, err = c.takeCommand(ctx, door, cmd)
		}
	case kindEvent:
		var e envelope
		if e, err = decode[envelope](payload); err == nil {
			body, outcome, err = c.takeEvent(ctx, door, e)
		}
	case kindInteraction:
		var i interaction
		if i, err = decode[interaction](payload); err == nil {
			body, outcome, err = c.takeInteraction(ctx, door, i)
		}
	default:
		err = &malformed{fmt.Errorf("%q is no kind of delivery that is known", kind)}
	}
	return c.outcome(kind, body, outcome, err)
}

// outcome counts a delivery. What cannot be read is acknowledged all the same: it
// would not read better the next time.
func (c *Chat) outcome(kind string, body any, outcome string, err error) (any, error) {
	var bad *malformed
	switch {
	case errors.As(err, &bad):
		c.metrics.heard.WithLabelValues(kind, "malformed").Inc()
		c.log.Warn("delivery not understood", zap.String("kind", kind), zap.Error(err))
		return body, nil
	case err != nil:
		c.metrics.heard.WithLabelValues(kind, "lost").Inc()
		c.log.Error("delivery not stored", zap.String("kind", kind), zap.Error(err))
		return nil, fmt.Errorf("%w: %w", errLater, err)
	}
	c.metrics.heard.WithLabelValues(kind, outcome).Inc()
	return body, nil
}

// The outcomes of a delivery, for the counters.
const (
	outcomeNew       = "new"
	outcomeKnown     = "known"
	outcomeIgnored   = "ignored"
	outcomeElsewhere = "elsewhere" // of another workspace
	outcomeRefused   = "not stored, and said so"
)

func received(ack chat.Ack) string {
	if ack.Known {
		return outcomeKnown
	}
	return outcomeNew
}

// elsewhere reports whether a delivery is of another workspace than maitred's.
func (c *Chat) elsewhere(team string) bool {
	s := c.self.Load()
	if s == nil || team == "" || team == s.Team {
		return false
	}
	c.log.Warn("delivery of another workspace", zap.String("team", team), zap.String("ours", s.Team))
	return true
}

// sorry is a sentence for whoever waits for what could not be stored.
func sorry(err error) string {
	f := fault.Of(err)
	if f.Kind == fault.Unreachable && f.Say != "" {
		return fmt.Sprintf("%s %s", f.Say, f.Hint)
	}
	return "maitred could not store what you said, so nothing will happen. Say it again in a moment."
}

// person is who said something. What more there is to know of them is asked for
// later; see people.go.
func person(id, name string) chat.Person { return chat.Person{Chat: Name, ID: id, Name: name} }
