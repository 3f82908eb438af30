package herokutest

import (
	"math/rand/v2"
	"net/http"
	"regexp"
	"time"
)

// Fault is trouble that requests run into.
type Fault struct {
	On       string        // a regular expression for "METHOD /path"; every request when empty
	After    int           // so many matching requests go through first
	Times    int           // how often; once when zero, always when negative
	Slow     time.Duration // before the answer
	Accepted bool          // the request takes effect, and only its answer suffers
	Cut      bool          // the connection is cut in place of an answer
	Status   int           // the answer's status; 503 when zero
	ID       string        // of a refusal in JSON: "rate_limit", "two_factor"
	Message  string        // of that refusal
	Body     string        // the answer when there is no ID; an HTML page when empty
	Type     string        // its content type; text/html when empty
	pattern  *regexp.Regexp
	only     bool // slow, and then as usual
}

// Fail makes requests run into trouble until the returned function is called.
func (h *Heroku) Fail(f Fault) (stop func()) {
	f.pattern = regexp.MustCompile(f.On)
	if f.Times == 0 {
		f.Times = 1
	}
	f.only = f.Slow > 0 && !f.Cut && f.Status == 0 && f.ID == "" && f.Body == ""
	h.mu.Lock()
	defer h.mu.Unlock()
	mine := &f
	h.faults = append(h.faults, mine)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		mine.Times = 0
	}
}

// storm is trouble by chance.
type storm struct {
	random *rand.Rand
	share  float64
}

// Storm makes a share of all requests fail, each in one of four ways: busy with
// 503, 429, cut before the effect, cut after it. A share of 0 ends it.
func (h *Heroku) Storm(seed uint64, share float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.storm = &storm{rand.New(rand.NewPCG(seed, seed)), share}
}

// trouble is what a request runs into, or nil. The lock is held.
func (h *Heroku) trouble(c *call) *Fault {
	for _, f := range h.faults {
		if f.Times == 0 || !f.pattern.MatchString(c.Method+" "+c.URL.EscapedPath()) {
			continue
		}
		if f.After > 0 {
			f.After--
			continue
		}
		if f.Times > 0 {
			f.Times--
		}
		if f.only { // the lock is let go while nothing happens
			h.mu.Unlock()
			select {
			case <-time.After(f.Slow):
			case <-h.closed:
			}
			h.mu.Lock()
			return nil
		}
		now := *f
		return &now
	}
	if h.storm == nil || h.storm.random.Float64() >= h.storm.share {
		return nil
	}
	return []*Fault{
		{Status: 503}, {Status: 429, ID: "rate_limit", Message: "Your account reached the API rate limit."}, {Cut: true}, {Cut: true, Accepted: true},
	}[h.storm.random.IntN(4)]
}

// answer is what comes back in place of the usual.
func (f *Fault) answer(w http.ResponseWriter, closed <-chan struct{}) {
	if f.Slow > 0 {
		select {
		case <-time.After(f.Slow):
		case <-closed:
		}
	}
	if f.Cut {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
		return
	}
	status := f.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	if f.ID != "" {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(mustJSON(&refusal{ID: f.ID, Message: f.Message}))
		return
	}
	kind, body := f.Type, f.Body
	if kind == "" {
		kind = "text/html"
	}
	if body == "" {
		body = "<!DOCTYPE html><html><body>Application error</body></html>"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
