package slacktest

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// controls are what a test told Slack to do wrong. They live under Slack's lock.
type controls struct {
	scopes      map[string]bool
	revoked     bool
	appRevoked  bool
	refuseLinks bool
	enforce     bool
	slow        map[string]time.Duration
	limits      map[string]*limit
	fails       map[string]*failing
	lostAnswers map[string]int
	lostAcks    int
	duplicates  int
	dropped     []string
	spent       map[string][]time.Time // calls within the last minute, by method and by channel
	waits       map[string]time.Time   // 429 until
}

type limit struct {
	times int
	wait  time.Duration
}

type failing struct {
	times int
	code  string
}

// AllScopes are the bot scopes that this Slack knows.
func AllScopes() []string {
	return []string{
		"app_mentions:read", "channels:history", "channels:read", "chat:write", "chat:write.public", "commands", "files:write",
		"groups:history", "groups:read", "im:history", "im:read", "im:write", "reactions:read", "reactions:write",
		"usergroups:read", "users:read", "users:read.email",
	}
}

func newControls(scopes []string) controls {
	c := controls{
		scopes: map[string]bool{}, slow: map[string]time.Duration{}, limits: map[string]*limit{}, fails: map[string]*failing{},
		lostAnswers: map[string]int{}, spent: map[string][]time.Time{}, waits: map[string]time.Time{},
	}
	for _, s := range scopes {
		c.scopes[s] = true
	}
	return c
}

func (c *controls) provided() []string { return slices.Sorted(maps.Keys(c.scopes)) }

func (s *Slack) control(change func(*controls)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.controls)
	s.bump()
}

// RevokeToken makes the bot token worthless until RestoreToken. Connections
// stay.
func (s *Slack) RevokeToken() { s.control(func(c *controls) { c.revoked = true }) }

// RevokeAppToken does the same to the token of Socket Mode.
func (s *Slack) RevokeAppToken() { s.control(func(c *controls) { c.appRevoked = true }) }

// RestoreTokens makes both tokens work again.
func (s *Slack) RestoreTokens() {
	s.control(func(c *controls) { c.revoked, c.appRevoked = false, false })
}

// DropScope takes a scope away; GrantScope gives it back.
func (s *Slack) DropScope(scope string) { s.control(func(c *controls) { delete(c.scopes, scope) }) }

// GrantScope gives the bot a scope.
func (s *Slack) GrantScope(scope string) { s.control(func(c *controls) { c.scopes[scope] = true }) }

// Limit answers the next calls of a method with 429.
func (s *Slack) Limit(method string, times int, retryAfter time.Duration) {
	s.control(func(c *controls) { c.limits[method] = &limit{times, retryAfter} })
}

// Enforce turns Slack's usual rate limits on: per method and minute, and about
// one message per second and channel with a short burst. They are off at first.
func (s *Slack) Enforce(on bool) { s.control(func(c *controls) { c.enforce = on }) }

// Slow makes every call of a method take so long; of all methods when it is
// empty.
func (s *Slack) Slow(method string, d time.Duration) {
	s.control(func(c *controls) { c.slow[method] = d })
}

// Fail answers the next calls of a method with an error.
func (s *Slack) Fail(method string, times int, code string) {
	s.control(func(c *controls) { c.fails[method] = &failing{times, code} })
}

// LoseAnswers does what the next calls of a method ask, and cuts the connection
// instead of answering.
func (s *Slack) LoseAnswers(method string, times int) {
	s.control(func(c *controls) { c.lostAnswers[method] = times })
}

// LoseAcks treats the next acknowledgements as if they had never come.
func (s *Slack) LoseAcks(times int) { s.control(func(c *controls) { c.lostAcks = times }) }

// Duplicate delivers the next events twice at the same time.
func (s *Slack) Duplicate(times int) { s.control(func(c *controls) { c.duplicates = times }) }

// RefuseLinks refuses WebSockets while it is on.
func (s *Slack) RefuseLinks(on bool) { s.control(func(c *controls) { c.refuseLinks = on }) }

// Dropped are the acknowledgements that did not count, in words.
func (s *Slack) Dropped() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.controls.dropped)
}

func (c *controls) takeDuplicate() bool {
	if c.duplicates > 0 {
		c.duplicates--
		return true
	}
	return false
}

func (c *controls) loseAck() bool {
	if c.lostAcks > 0 {
		c.lostAcks--
		return true
	}
	return false
}

func (c *controls) loseAnswer(method string) bool {
	if c.lostAnswers[method] > 0 {
		c.lostAnswers[method]--
		return true
	}
	return false
}

func (c *controls) failing(method string) string {
	if f := c.fails[method]; f != nil && f.times > 0 {
		f.times--
		return f.code
	}
	return ""
}

// perMinute are Slack's tiers.
var perMinute = map[string]int{
	"chat.update": 50, "chat.delete": 50, "chat.postEphemeral": 100, "views.open": 100, "views.publish": 100, "views.update": 100,
	"users.info": 100, "users.list": 20, "usergroups.list": 20, "usergroups.users.list": 20, "conversations.info": 50,
	"conversations.open": 50, "conversations.replies": 50, "conversations.history": 50, "files.getUploadURLExternal": 100,
	"files.completeUploadExternal": 100, "apps.connections.open": 50,
}

// burst is how many messages a channel takes at once, and perChannel how many in
// a minute.
const burst, perChannel = 5, 60

// limited is how long the caller must wait; zero when the call goes through.
func (c *controls) limited(method, channel string, now time.Time) time.Duration {
	if l := c.limits[method]; l != nil && l.times > 0 {
		l.times--
		return l.wait
	}
	if !c.enforce {
		return 0
	}
	if until := c.waits[method]; now.Before(until) { // who does not listen waits on
		return until.Sub(now)
	}
	if most, ok := perMinute[method]; ok && !c.spend(method, most, time.Minute, now) {
		c.waits[method] = now.Add(10 * time.Second)
		return 10 * time.Second
	}
	if method == "chat.postMessage" && !c.spend(method+" "+channel, burst, burst*time.Minute/perChannel, now) {
		return time.Second
	}
	return 0
}

func (c *controls) spend(what string, most int, within time.Duration, now time.Time) bool {
	recent := slices.DeleteFunc(c.spent[what], func(t time.Time) bool { return now.Sub(t) >= within })
	if len(recent) >= most {
		c.spent[what] = recent
		return false
	}
	c.spent[what] = append(recent, now)
	return true
}

// pause waits as Slow says; false when the caller has gone meanwhile.
func (s *Slack) pause(r *http.Request, method string) bool {
	s.mu.Lock()
	d, ok := s.controls.slow[method]
	if !ok {
		d = s.controls.slow[""]
	}
	s.mu.Unlock()
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	case <-s.ctx.Done():
		return false
	}
}

// Connections is how many Slack believes in, ghosts left out.
func (s *Slack) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Pongs is how many of Slack's pings were answered.
func (s *Slack) Pongs() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.conns {
		n += c.pongs
	}
	return n
}

// Ghosts adds connections that nobody listens on. They get their share of what
// is sent.
func (s *Slack) Ghosts(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ghosts = n
}

// some are the connections that a control applies to: one at random, or all.
func (s *Slack) some(all bool) []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := slices.DeleteFunc(slices.Clone(s.conns), func(c *conn) bool { return c.leaving || c.isFrozen() })
	if all || len(open) < 2 {
		return open
	}
	return []*conn{open[s.random.IntN(len(open))]}
}

// Cut resets a connection, or all. It returns how many.
func (s *Slack) Cut(all bool) int {
	conns := s.some(all)
	for _, c := range conns {
		s.forget(c)
		c.reset()
	}
	return len(conns)
}

// HalfOpen makes a connection, or all, dead without anybody being told. Slack
// goes on sending there until Sweep or until the client closes.
func (s *Slack) HalfOpen(all bool) int {
	conns := s.some(all)
	for _, c := range conns {
		c.freeze()
	}
	return len(conns)
}

// Sweep lets Slack notice the connections that are half open.
func (s *Slack) Sweep() {
	s.mu.Lock()
	conns := slices.Clone(s.conns)
	s.mu.Unlock()
	for _, c := range conns {
		if c.isFrozen() {
			s.forget(c)
			c.reset()
		}
	}
}

// Warn says that a connection, or all, will soon be recycled.
func (s *Slack) Warn(all bool) {
	for _, c := range s.some(all) {
		c.disconnect("warning")
	}
}

// Refresh recycles a connection, or all: it gets nothing new, what it
// acknowledges still counts, and after the grace it is closed; its TCP is not.
func (s *Slack) Refresh(all bool) int { return s.recycle(all, "refresh_requested") }

// TooMany closes a connection, or all, because the app has too many.
func (s *Slack) TooMany(all bool) int { return s.recycle(all, "too_many_websockets") }

// DisableLink says that Socket Mode was turned off.
func (s *Slack) DisableLink() int { return s.recycle(true, "link_disabled") }

func (s *Slack) recycle(all bool, reason string) int {
	conns := s.some(all)
	for _, c := range conns {
		s.mu.Lock()
		c.leaving = true
		s.mu.Unlock()
		c.disconnect(reason)
		s.spawn(func() {
			select {
			case <-time.After(s.opt.Grace):
			case <-c.gone:
				return
			case <-s.ctx.Done():
				return
			}
			s.mu.Lock()
			c.closing = true
			s.mu.Unlock()
			c.close(closeNormal) //nolint:errcheck
			s.forget(c)
		})
	}
	return len(conns)
}

// RawFrame sends any text over every connection, for what Slack never sends.
func (s *Slack) RawFrame(text string) int {
	conns := s.some(true)
	for _, c := range conns {
		c.write(opText, []byte(text)) //nolint:errcheck
	}
	return len(conns)
}

// RevokedEvent tells the app that its tokens are gone.
func (s *Slack) RevokedEvent() *Delivery {
	s.RevokeToken()
	return s.Event(map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"oauth": []string{}, "bot": []string{s.BotUserID}}})
}
