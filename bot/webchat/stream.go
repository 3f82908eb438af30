package webchat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"go.uber.org/zap"
)

const (
	heartbeat = 15 * time.Second
	batch     = 200 // changes read at once
)

// told is one changed message, as an open page takes it up.
type told struct {
	ID       int64  `json:"id"`
	Channel  string `json:"channel"`
	Thread   int64  `json:"thread"`
	HTML     string `json:"html"`
	Mine     bool   `json:"mine"`
	Form     bool   `json:"form"` // asks for values now
	Mentions bool   `json:"mentions"`
}

// stream tells an open page about every change that its persona may see. Each
// event's id is the number of the change, so a page that was cut off (also by a
// restart of maitred) goes on after the last one it got; a message that changed
// five times meanwhile is told once.
func (c *Chat) stream(w http.ResponseWriter, r *http.Request) {
	who, ok := c.persona(r.FormValue("as"))
	if !ok {
		c.refuse(w, noPersona(r.FormValue("as")))
		return
	}
	s := &stream{chat: c, r: r, w: w, flush: http.NewResponseController(w), persona: who}
	if err := s.open(); err != nil {
		c.refuse(w, err)
		return
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		changed := c.next()
		if err := s.catchUp(); err != nil {
			c.log.Debug("stream ended", zap.Error(err))
			return
		}
		select {
		case <-changed:
		case <-beat.C:
			if s.raw(": still here\n\n") != nil {
				return
			}
		case <-c.stopped:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// stream is one open page.
type stream struct {
	chat    *Chat
	r       *http.Request
	w       http.ResponseWriter
	flush   *http.ResponseController
	persona Persona
	seq     int64 // what the page knows
	unread  unreadTold
}

// unreadTold is what is unread: for this persona by channel, and how often the
// others are mentioned, for the marks at the personas.
type unreadTold struct {
	Channels map[string]Unread `json:"channels"`
	Personas map[string]int    `json:"personas"`
}

// open greets the page with the token for what it posts from now on.
func (s *stream) open() error {
	last, err := s.chat.options.Store.LastChange(s.r.Context())
	if err != nil {
		return err
	}
	from := s.r.Header.Get("Last-Event-ID")
	if from == "" {
		from = s.r.FormValue("after")
	}
	s.seq, err = strconv.ParseInt(from, 10, 64)
	if err != nil {
		s.seq = last
	}
	token := s.chat.token(s.w, s.r)
	s.w.Header().Set("Content-Type", "text/event-stream")
	s.w.Header().Set("Cache-Control", "no-store")
	if s.seq > last { // the page knows another store than this one
		s.seq = last
		return s.event("reset", 0, struct{}{})
	}
	if err := s.raw("retry: 1000\n\n"); err != nil {
		return err
	}
	return s.event("hello", 0, map[string]string{"token": token, "version": version})
}

// catchUp tells everything that changed since.
func (s *stream) catchUp() error {
	ctx := s.r.Context()
	for {
		changed, err := s.chat.options.Store.MessagesSince(ctx, s.seq, s.persona.ID, batch)
		if err != nil {
			return err
		}
		views, err := s.chat.views(ctx, changed, s.persona)
		if err != nil {
			return err
		}
		for i, m := range changed {
			html, err := s.chat.render("message", views[i])
			if err != nil {
				return err
			}
			err = s.event("message", m.Seq, told{ID: m.ID, Channel: m.Channel, Thread: m.Thread, HTML: html,
				Mine: m.Author == s.persona.ID, Form: m.Form != nil, Mentions: m.mentions(s.persona.ID)})
			if err != nil {
				return err
			}
			s.seq = m.Seq
		}
		if len(changed) < batch {
			return s.tellUnread()
		}
	}
}

func (s *stream) tellUnread() error {
	now, err := s.chat.unread(s.r.Context(), s.persona)
	if err != nil || reflect.DeepEqual(now, s.unread) {
		return err
	}
	s.unread = now
	return s.event("unread", 0, now)
}

// event sends one event; an id of zero leaves the page's place in the stream as
// it is.
func (s *stream) event(name string, id int64, v any) error {
	data, err := json.Marshal(v) // one line: JSON escapes line ends
	if err != nil {
		return err
	}
	mark := ""
	if id != 0 {
		mark = fmt.Sprintf("id: %d\n", id)
	}
	return s.raw(fmt.Sprintf("event: %s\n%sdata: %s\n\n", name, mark, data))
}

func (s *stream) raw(text string) error {
	if err := s.flush.SetWriteDeadline(time.Now().Add(heartbeat)); err != nil {
		s.chat.log.Debug("no write deadline", zap.Error(err))
	}
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.flush.Flush()
}
