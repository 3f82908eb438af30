package slacktest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// MaxAck is the size from which Slack drops an acknowledgement without a word.
const MaxAck = 20 << 10

// maxConns is how many connections an app may have.
const maxConns = 10

// conn is one Socket Mode connection, as Slack remembers it: it stays on the
// list until Slack notices that it is gone.
type conn struct {
	*wire
	s        *Slack
	name     string
	leaving  bool // told to reconnect: gets nothing new
	closing  bool // the close handshake has begun
	gone     chan struct{}
	waiting  map[string]chan ackFrame
	pongs    int
	lastPong time.Time
}

type ackFrame struct {
	payload json.RawMessage
	lost    string // why nothing of it counts
}

func (s *Slack) connectionsOpen(args) (map[string]any, *failure) {
	ticket := s.id("ticket")
	s.tickets[ticket] = true
	return map[string]any{"url": strings.Replace(s.base, "http", "ws", 1) + "/link/?ticket=" + ticket + "&app_id=" + s.AppID}, nil
}

// link is the WebSocket. A ticket works once.
func (s *Slack) link(w http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	s.mu.Lock()
	known, refuse := s.tickets[ticket], s.controls.refuseLinks
	if !s.wrong[TicketsForEver] {
		delete(s.tickets, ticket)
	}
	s.mu.Unlock()
	if !known || refuse {
		http.Error(w, "bad ticket", http.StatusUnauthorized)
		return
	}
	wire, err := accept(w, r)
	if err != nil {
		return
	}
	c := &conn{wire: wire, s: s, gone: make(chan struct{}), waiting: map[string]chan ackFrame{}}
	if s.welcome(c) {
		s.spawn(c.pinging)
		c.reading()
	}
	s.forget(c)
	c.linger()
}

// welcome registers the connection and says hello; false when there are too many.
func (s *Slack) welcome(c *conn) bool {
	s.mu.Lock()
	c.name = s.id("conn")
	full := len(s.conns) >= maxConns
	if !full {
		s.conns = append(s.conns, c)
	}
	n := len(s.conns) + s.ghosts
	quiet := s.wrong[NoHello]
	s.bump()
	s.mu.Unlock()
	if full {
		c.disconnect("too_many_websockets")
		c.close(closeNormal) //nolint:errcheck
		return false
	}
	if quiet {
		return true
	}
	hello := map[string]any{
		"type": "hello", "num_connections": n, "connection_info": map[string]any{"app_id": s.AppID},
		"debug_info": map[string]any{"host": "applink-" + c.name, "build_number": 1, "approximate_connection_time": 18060},
	}
	return c.write(opText, raw(hello)) == nil
}

func (c *conn) disconnect(reason string) {
	c.write(opText, raw(map[string]any{"type": "disconnect", "reason": reason, "debug_info": map[string]any{"host": "applink-" + c.name}})) //nolint:errcheck
}

func (c *conn) pinging() {
	if c.s.wrong[NoPing] {
		return
	}
	for n := 0; ; n++ {
		select {
		case <-time.After(c.s.opt.PingEvery):
		case <-c.gone:
			return
		case <-c.s.ctx.Done():
			return
		}
		if c.write(opPing, fmt.Appendf(nil, "Ping from applink-%s-%d", c.name, n)) != nil {
			return
		}
	}
}

// reading ends when the connection does.
func (c *conn) reading() {
	parts := 0
	for {
		f, err := c.read()
		if err != nil {
			return
		}
		if c.isFrozen() {
			continue // what comes in is never seen
		}
		switch f.op {
		case opPing:
			if !c.s.wrong[NoPong] {
				c.write(opPong, f.data) //nolint:errcheck
			}
		case opPong:
			c.s.mu.Lock()
			c.pongs++
			c.lastPong = c.s.now()
			c.s.mu.Unlock()
		case opClose:
			if !c.closing && !c.s.wrong[NoCloseAnswer] {
				c.close(closeNormal) //nolint:errcheck
			}
			return
		case opText, opMore:
			if !f.final || f.op == opMore {
				parts++ // a message in pieces is dropped without a word
				c.s.drop("an acknowledgement in several frames")
				continue
			}
			c.acked(f.data)
		}
	}
}

func (s *Slack) drop(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.controls.dropped = append(s.controls.dropped, why)
	s.bump()
}

func (c *conn) acked(data []byte) {
	var ack struct {
		ID      string          `json:"envelope_id"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(data, &ack); err != nil {
		c.s.drop("an acknowledgement that is not JSON")
		return
	}
	if len(data) >= MaxAck && !c.s.wrong[AcksOfAnySize] {
		c.s.drop(fmt.Sprintf("an acknowledgement of %d bytes", len(data)))
		return
	}
	c.s.mu.Lock()
	waiting := c.waiting[ack.ID]
	delete(c.waiting, ack.ID)
	lose := waiting != nil && c.s.controls.loseAck()
	c.s.mu.Unlock()
	if waiting == nil {
		c.s.drop("an acknowledgement of nothing: " + ack.ID)
		return
	}
	if lose {
		return
	}
	waiting <- ackFrame{payload: ack.Payload}
}

// forget takes the connection off the list.
func (s *Slack) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns = slices.Delete(slices.Clone(s.conns), i, i+1)
	}
	for id, waiting := range c.waiting {
		waiting <- ackFrame{lost: "the connection ended"}
		delete(c.waiting, id)
	}
	select {
	case <-c.gone:
	default:
		close(c.gone)
	}
	s.bump()
}

// linger keeps TCP open after the close, as Slack does.
func (c *conn) linger() {
	if c.s.wrong[TCPCloses] {
		c.kill()
	}
	timer := time.AfterFunc(c.s.opt.Linger, c.kill)
	defer timer.Stop()
	for {
		if _, err := c.read(); err != nil {
			break
		}
	}
	c.tcp.Close()
}

func (c *conn) kill() { c.tcp.Close() }

// choose picks the connection for the next envelope: any of those that Slack
// believes in, dead ones included. The lock is held.
func (s *Slack) choose() (c *conn, ghost bool) {
	var open []*conn
	for _, c := range s.conns {
		if !c.leaving {
			open = append(open, c)
		}
	}
	n := len(open) + s.ghosts
	if n == 0 {
		return nil, false
	}
	i := s.random.IntN(n)
	if i >= len(open) {
		return nil, true
	}
	return open[i], false
}

// overSocket sends an envelope and waits for its acknowledgement.
func (s *Slack) overSocket(d *Delivery, attempt int, reason string) ackFrame {
	s.mu.Lock()
	c, ghost := s.choose()
	switch {
	case ghost:
		s.mu.Unlock()
		s.sleep(s.opt.AckWithin)
		return ackFrame{lost: reasonTimeout}
	case c == nil:
		s.mu.Unlock()
		return ackFrame{lost: "no connection"}
	}
	id := fmt.Sprintf("%08x-%04x-4%03x-8000-%012x", s.random.Uint32(), s.random.Uint32()>>16, s.random.Uint32()>>20, s.random.Uint64()>>16)
	waiting := make(chan ackFrame, 1)
	c.waiting[id] = waiting
	envelope := map[string]any{
		"envelope_id": id, "type": d.Kind, "payload": json.RawMessage(d.Payload), "accepts_response_payload": d.Kind != KindEvent,
	}
	if d.Kind == KindEvent {
		envelope["retry_attempt"], envelope["retry_reason"] = attempt, reason
	}
	s.spoilEnvelope(envelope)
	s.mu.Unlock()
	if err := c.write(opText, raw(envelope)); err != nil {
		c.tcp.Close()
	}
	select {
	case a := <-waiting:
		return a
	case <-time.After(s.opt.AckWithin):
	case <-s.ctx.Done():
	}
	s.mu.Lock()
	delete(c.waiting, id)
	s.mu.Unlock()
	return ackFrame{lost: reasonTimeout}
}
