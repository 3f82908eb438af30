package slack

import (
	"context"
	"sync"
	"time"

	"maitred/chat"
	"maitred/fault"
)

// limit is how fast something may go: one per every, and a few at once.
type limit struct {
	every time.Duration
	burst int
}

// Slack's limits are per method, and for new messages per channel as well. These
// stay a little below them, so that 429 is the exception.
var (
	perChannel = limit{every: time.Second, burst: 5}
	perMethod  = map[string]limit{
		"chat.update":                  {every: 1500 * time.Millisecond, burst: 15}, // 40 a minute in all
		"chat.postEphemeral":           {every: 500 * time.Millisecond, burst: 60},
		"views.open":                   {every: 500 * time.Millisecond, burst: 60},
		"views.publish":                {every: 500 * time.Millisecond, burst: 30},
		"conversations.replies":        {every: 1200 * time.Millisecond, burst: 20},
		"conversations.history":        {every: 1200 * time.Millisecond, burst: 20},
		"conversations.open":           {every: 1200 * time.Millisecond, burst: 20},
		"users.info":                   {every: 500 * time.Millisecond, burst: 60},
		"users.list":                   {every: 3 * time.Second, burst: 5},
		"usergroups.list":              {every: 3 * time.Second, burst: 10},
		"usergroups.users.list":        {every: 3 * time.Second, burst: 10},
		"files.getUploadURLExternal":   {every: 500 * time.Millisecond, burst: 20},
		"files.completeUploadExternal": {every: 500 * time.Millisecond, burst: 20},
	}
)

// patience is how long a call waits for its turn. Beyond, the caller is told to
// come back. An edit never waits: the messages behind it would, and when it comes
// back it shows the newest state.
func patience(method string) time.Duration {
	if method == "chat.update" {
		return 0
	}
	return 2 * time.Second
}

// pace gives calls their turn. Each method and each channel has a lane of its
// own, so that none waits for another's.
type pace struct {
	now   func() time.Time
	hurry time.Duration // how many times faster than Slack allows; for tests

	mu    sync.Mutex
	lanes map[string]*lane
}

func newPace(now func() time.Time) *pace { return &pace{now: now, hurry: 1, lanes: map[string]*lane{}} }

// caller is who waits for a turn, carried by the context of a call.
type caller struct {
	channel string // when it posts a new message there
	who     string // names the caller that comes back, so that a promised turn is kept
	page    bool   // takes the next turn, whoever was promised it
}

type callerKey struct{}

// calling names the caller of the calls made under ctx.
func calling(ctx context.Context, c caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// turn waits for a turn of the method, and in the channel when it posts there.
// An error is a chat.Wait.
func (p *pace) turn(ctx context.Context, method string) error {
	c, _ := ctx.Value(callerKey{}).(caller)
	for {
		wait := p.take(method, c)
		if wait <= 0 {
			return nil
		}
		deadline, ok := ctx.Deadline()
		if wait > patience(method) || ok && time.Until(deadline) < wait {
			return later(method, wait, nil)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return later(method, wait, context.Cause(ctx))
		}
	}
}

// take takes a turn now, or promises one and says how long it is until then.
func (p *pace) take(method string, c caller) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	lanes := []*lane{p.lane(method, perMethod[method])}
	if c.channel != "" && method == "chat.postMessage" {
		lanes = append(lanes, p.lane("#"+c.channel, perChannel))
	}
	var wait time.Duration
	for _, l := range lanes {
		wait = max(wait, l.wait(c, now))
	}
	for _, l := range lanes {
		if wait <= 0 {
			l.use(c, now)
		} else {
			l.promise(c, now)
		}
	}
	return wait
}

// close leaves the method alone for a while, because Slack asked for it.
func (p *pace) close(method string, wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lane(method, perMethod[method]).close(p.now().Add(wait))
}

func (p *pace) lane(name string, l limit) *lane {
	if p.lanes[name] == nil {
		l.every /= p.hurry
		p.lanes[name] = &lane{limit: l, slots: map[string]time.Time{}}
	}
	return p.lanes[name]
}

// lane is the turns of one method or channel: a bucket that fills at the
// limit's speed, and the turns that were promised ahead of it.
type lane struct {
	limit  limit
	due    time.Time            // when the bucket will be full again
	closed time.Time            // until when Slack asked to be left alone
	slots  map[string]time.Time // promised turns, by who waits for them
}

// behind is how much longer than a page everybody else waits when a lane opens
// again.
const behind = 50 * time.Millisecond

func (l *lane) wait(c caller, now time.Time) time.Duration {
	wait := l.closed.Sub(now)
	if c.page {
		return wait
	}
	if wait > 0 {
		wait += behind
	}
	if slot, promised := l.slots[c.who]; promised {
		return max(wait, slot.Sub(now))
	}
	return max(wait, l.next().Sub(now))
}

// next is when the bucket has something for somebody without a promise.
func (l *lane) next() time.Time {
	return l.due.Add(-time.Duration(l.limit.burst-1) * l.limit.every)
}

func (l *lane) use(c caller, now time.Time) {
	if _, promised := l.slots[c.who]; promised {
		delete(l.slots, c.who)
		return
	}
	l.spend(now)
}

func (l *lane) spend(now time.Time) {
	if l.due.Before(now) {
		l.due = now
	}
	l.due = l.due.Add(l.limit.every)
}

// promise keeps a turn for who comes back.
func (l *lane) promise(c caller, now time.Time) {
	if _, promised := l.slots[c.who]; promised || c.who == "" || c.page {
		return
	}
	slot := l.next()
	if slot.Before(l.closed) {
		slot = l.closed
	}
	if slot.Before(now) {
		slot = now
	}
	l.slots[c.who] = slot
	l.spend(now)
	for who, slot := range l.slots {
		if len(l.slots) > 256 && now.Sub(slot) > time.Minute { // they never came back
			delete(l.slots, who)
		}
	}
}

// close empties the bucket until then, so that what waited does not come all at
// once.
func (l *lane) close(until time.Time) {
	if until.Before(l.closed) {
		return
	}
	l.closed = until
	l.due = until.Add(time.Duration(max(l.limit.burst-1, 0)) * l.limit.every)
	clear(l.slots)
}

func later(method string, wait time.Duration, cause error) error {
	return &chat.Wait{For: wait, Err: &fault.Error{
		Kind: fault.Unreachable, Op: "slack." + method, Say: "Slack wants to be asked more slowly.", Err: cause,
	}}
}
