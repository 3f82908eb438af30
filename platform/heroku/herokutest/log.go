package herokutest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// line is one line that logplex keeps.
type line struct {
	at           time.Time
	source, dyno string
	text         string
}

func (l line) String() string {
	return fmt.Sprintf("%s %s[%s]: %s", l.at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), l.source, l.dyno, l.text)
}

// log adds a line; the last 1,500 are kept.
func (a *App) log(source, dyno, text string) {
	a.lines = append(a.lines, line{time.Now(), source, dyno, text})
	if len(a.lines) > 1500 {
		a.lines = slices.Clone(a.lines[len(a.lines)-1500:])
	}
}

// Print adds a line to the logs of an app.
func (h *Heroku) Print(app, source, dyno, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.apps[app].log(source, dyno, text)
	h.tell()
}

// logSession is what a log URL shows.
type logSession struct {
	app          *App
	lines        int
	tail         bool
	dyno, source string
}

func (h *Heroku) logRoutes(r routes) {
	r.mine(http.StatusCreated, "POST /apps/{app}/log-sessions", func(a *App, c *call) (any, error) {
		in := struct {
			Lines                    *int
			Tail                     bool
			Dyno, Source, Type, Name string
		}{}
		if err := c.read(&in); err != nil {
			return nil, err
		}
		s := logSession{app: a, lines: 100, tail: in.Tail || a.Generation == "fir", dyno: in.Dyno, source: in.Source}
		if in.Lines != nil {
			s.lines = *in.Lines
		}
		if s.lines < 0 || s.lines > 1500 {
			return nil, invalid("Lines must be between 0 and 1500.")
		}
		id := h.id()
		h.logs[id] = s
		return obj{"id": id, "created_at": time.Now(), "updated_at": time.Now(), "logplex_url": h.api + "/streams/logs/" + id}, nil
	})
	r.mux.HandleFunc("GET /streams/logs/{session}", h.readLogs)
}

func (s logSession) wants(l line) bool {
	if s.source != "" && s.source != l.source {
		return false
	}
	kind, _, _ := strings.Cut(l.dyno, ".")
	return s.dyno == "" || s.dyno == l.dyno || s.dyno == kind
}

// readLogs is GET of a log URL, without a token, as text or as events.
func (h *Heroku) readLogs(w http.ResponseWriter, r *http.Request) {
	if !h.enter() {
		return
	}
	defer h.streams.Done()
	h.mu.Lock()
	s, ok := h.logs[r.PathValue("session")]
	f := h.trouble(&call{Request: r})
	h.mu.Unlock()
	if f != nil {
		f.answer(w, h.closed)
		return
	}
	if !ok {
		http.Error(w, "No such session", http.StatusNotFound)
		return
	}
	events := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
	w.Header().Set("Content-Type", "text/plain")
	if events {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	flusher := http.NewResponseController(w)
	seen, number := time.Time{}, 0
	send := func(all []line) bool {
		for _, l := range all {
			number++
			format := "%[2]s\n"
			if events {
				format = "id: %[1]d\ndata: %[2]s\n\n"
			}
			if _, err := fmt.Fprintf(w, format, number, l); err != nil {
				return false
			}
		}
		return flusher.Flush() == nil
	}
	for first := true; ; first = false {
		var fresh []line
		if !h.wait(r.Context().Done(), func() bool {
			fresh = nil
			for _, l := range s.app.lines {
				if s.wants(l) && l.at.After(seen) {
					fresh = append(fresh, l)
				}
			}
			return first || len(fresh) > 0
		}) {
			return
		}
		if first && len(fresh) > s.lines {
			fresh = fresh[len(fresh)-s.lines:]
		}
		if len(fresh) > 0 {
			seen = fresh[len(fresh)-1].at
		}
		if !send(fresh) || !s.tail {
			return
		}
	}
}
