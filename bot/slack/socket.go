package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

const (
	longestRetry = 15 * time.Second // between two tries to connect
	maxMessage   = 4 << 20          // of what Slack sends at once
	inHand       = 512              // deliveries that are worked on at once, by one connection
)

// sockets is what is known of the connections.
type sockets struct {
	mu       sync.Mutex
	attached map[int]bool // connections that Slack has greeted
	counted  int          // as Slack said when it greeted the last one
	since    time.Time    // when Slack began to count more than there are; zero when it does not
}

// connect keeps some connections open until ctx ends. Each goes its own way, so
// that when Slack recycles one the other serves.
func (c *Chat) connect(ctx context.Context) {
	c.deafen(fault.New(fault.Unreachable, "slack.connect", "", "maitred is not connected to Slack yet."))
	var all sync.WaitGroup
	for n := range c.options.Connections {
		all.Go(func() { c.keep(ctx, n) })
	}
	all.Go(func() { c.countGhosts(ctx) })
	all.Wait()
}

// keep opens connection n again and again.
func (c *Chat) keep(ctx context.Context, n int) {
	wait := 500 * time.Millisecond
	for {
		began := time.Now()
		err := c.converse(ctx, n)
		c.attach(n, false, 0)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > time.Minute {
			wait = 500 * time.Millisecond
		}
		c.cutOff(err)
		select {
		case <-time.After(max(wait, chat.Patience(err))):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, longestRetry)
	}
}

// cutOff notes why a connection ended for good.
func (c *Chat) cutOff(err error) {
	if err == nil || errors.Is(err, errStartOver) {
		return
	}
	word := code(err)
	f := &fault.Error{Kind: fault.Unreachable, Op: "slack.connect", Err: err, Say: "maitred is not connected to Slack."}
	if revoked[word] {
		f.Say = fmt.Sprintf("Slack does not accept the app token (%s).", word)
		f.Hint = "Make a new one with the scope connections:write and put it into the configuration."
	}
	c.log.Warn("connection to slack ended", zap.Error(err))
	if c.count() == 0 {
		c.deafen(f)
	}
}

// errStartOver ends a client that would wait for minutes before its next try.
var errStartOver = errors.New("slack-go waits too long between tries")

// converse runs one client until ctx ends, or until it cannot go on. On ctx's end
// it takes no more, finishes what is in hand and closes politely.
func (c *Chat) converse(ctx context.Context, n int) error {
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	line := &connection{chat: c, n: n, stop: cancel, free: make(chan struct{}, inHand), log: c.log.With(zap.Int("connection", n))}
	line.client = socketmode.New(c.api,
		socketmode.OptionDialer(dialer()), socketmode.OptionReadLimit(maxMessage),
		socketmode.OptionPingInterval(c.options.Silence), socketmode.OptionLog(zap.NewStdLog(line.log)))

	var listening sync.WaitGroup
	ended := make(chan struct{})
	listening.Go(func() { line.listen(ended) })
	stopped := context.AfterFunc(ctx, func() {
		line.finish()
		cancel(context.Canceled)
	})
	err := line.client.RunContext(own)
	stopped()
	close(ended)
	listening.Wait()
	if cause := context.Cause(own); errors.Is(cause, errStartOver) {
		return cause
	}
	return err
}

// connection is one client and what came by it.
type connection struct {
	chat   *Chat
	n      int
	client *socketmode.Client
	stop   context.CancelCauseFunc
	log    *zap.Logger

	free chan struct{} // one for each delivery that is worked on
	work sync.WaitGroup
}

// listen takes what the client hears until it has ended.
func (l *connection) listen(ended <-chan struct{}) {
	for {
		select {
		case e := <-l.client.Events:
			l.hear(e)
		case <-ended:
			l.work.Wait()
			return
		}
	}
}

// finish waits for what is in hand, so that it can still be acknowledged.
func (l *connection) finish() {
	done := make(chan struct{})
	go func() { l.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
	}
}

func (l *connection) hear(e socketmode.Event) {
	switch e.Type {
	case socketmode.EventTypeConnecting:
		l.chat.attach(l.n, false, 0)
	case socketmode.EventTypeHello:
		l.chat.attach(l.n, true, e.Request.NumConnections)
	case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
		l.take(*e.Request)
	case socketmode.EventTypeErrorBadMessage:
		l.salvage(e.Data)
	case socketmode.EventTypeConnectionError:
		l.trouble(e.Data)
	case socketmode.EventTypeIncomingError, socketmode.EventTypeErrorWriteFailed:
		l.log.Info("connection to slack broke", zap.String("event", string(e.Type)))
	}
}

// salvage reads what slack-go could not: it refuses a whole delivery for one
// part of it that it does not know.
func (l *connection) salvage(data any) {
	bad, ok := data.(*socketmode.ErrorBadMessage)
	if !ok {
		return
	}
	var r socketmode.Request
	if err := json.Unmarshal(bad.Message, &r); err != nil || r.EnvelopeID == "" {
		l.chat.metrics.heard.WithLabelValues("socket", "malformed").Inc()
		l.log.Warn("message not understood", zap.Error(bad.Cause), zap.Int("bytes", len(bad.Message)))
		return
	}
	l.log.Debug("message read without slack-go", zap.String("type", r.Type), zap.Error(bad.Cause))
	l.take(r)
}

// trouble notes that Slack cannot be connected to, and does not let the client
// wait for minutes unless Slack asked for it.
func (l *connection) trouble(data any) {
	e, ok := data.(*slack.ConnectionErrorEvent)
	if !ok {
		return
	}
	l.chat.cutOff(e.ErrorObj)
	if chat.Patience(e.ErrorObj) == 0 && e.Backoff > longestRetry {
		l.stop(errStartOver)
	}
}

// take deals with one delivery beside the others, and acknowledges it when it is
// stored. One that is not acknowledged Slack delivers again, or tells whoever
// waits for it.
func (l *connection) take(r socketmode.Request) {
	door, leave, ok := l.chat.enter()
	if !ok {
		return
	}
	if r.RetryAttempt > 0 {
		l.log.Info("delivered again", zap.Int("attempt", r.RetryAttempt), zap.String("reason", r.RetryReason))
	}
	l.free <- struct{}{}
	l.work.Go(func() {
		defer func() { <-l.free; leave() }()
		ctx, cancel := within(context.Background(), 10*time.Second)
		defer cancel()
		body, err := l.chat.take(ctx, door, r.Type, r.Payload)
		if err != nil {
			return
		}
		if err := l.acknowledge(ctx, r.EnvelopeID, body); err != nil {
			l.log.Warn("not acknowledged", zap.String("type", r.Type), zap.Error(err))
		}
	})
}

func (l *connection) acknowledge(ctx context.Context, envelope string, body any) error {
	if body == nil {
		return l.client.SendCtx(ctx, socketmode.Response{EnvelopeID: envelope})
	}
	return l.client.SendCtx(ctx, socketmode.Response{EnvelopeID: envelope, Payload: body})
}

// attach notes whether connection n is there, and how many Slack counts.
func (c *Chat) attach(n int, there bool, counted int) {
	s := c.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	if there {
		s.attached[n] = true
		s.counted = counted
	} else {
		delete(s.attached, n)
	}
	c.metrics.attached.Set(float64(len(s.attached)))
	if len(s.attached) > 0 {
		c.deaf.Store(nil)
	} else if c.deaf.Load() == nil {
		c.deafen(fault.New(fault.Unreachable, "slack.connect", "", "maitred is not connected to Slack."))
	}
}

func (c *Chat) deafen(err error) {
	f := fault.Of(err)
	c.deaf.Store(f)
}

func (c *Chat) count() int {
	c.sockets.mu.Lock()
	defer c.sockets.mu.Unlock()
	return len(c.sockets.attached)
}

// countGhosts tells when Slack goes on counting more connections than there are.
// It spreads deliveries over all that it counts, and clicks that go to one that
// is not there are lost without a sign.
func (c *Chat) countGhosts(ctx context.Context) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.ghosts(c.options.Now())
		case <-ctx.Done():
			return
		}
	}
}

// ghosts sets the gauge, and warns when a surplus has lasted: a recycled
// connection is counted for a moment longer.
func (c *Chat) ghosts(now time.Time) {
	s := c.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	surplus := s.counted - c.options.Connections*max(c.options.Replicas, 1)
	if surplus <= 0 {
		s.since = time.Time{}
		c.metrics.ghosts.Set(0)
		return
	}
	c.metrics.ghosts.Set(float64(surplus))
	if s.since.IsZero() {
		s.since = now
		c.log.Warn("slack counts connections that maitred does not have; clicks that go there are lost",
			zap.Int("counted", s.counted), zap.Int("open", len(s.attached)))
	}
}
