package herokutest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

type obj = map[string]any

// call is one request that is answered in JSON, with the lock held.
type call struct {
	*http.Request
	body   []byte
	header http.Header // of the answer
}

// handler answers with something for JSON, a list, or a *refusal.
type handler func(c *call) (any, error)

// refusal is an error as Heroku words it.
type refusal struct {
	Status   int    `json:"-"`
	ID       string `json:"id"`
	Message  string `json:"message"`
	Resource string `json:"resource,omitempty"`
	URL      string `json:"url,omitempty"`
	App      obj    `json:"app,omitempty"`
}

func (r *refusal) Error() string { return r.ID + ": " + r.Message }

func missing(resource, what string) error {
	return &refusal{Status: 404, ID: "not_found", Resource: resource, Message: "Couldn't find that " + what + "."}
}

func invalid(format string, a ...any) error {
	return &refusal{Status: 422, ID: "invalid_params", Message: fmt.Sprintf(format, a...)}
}

func malformed(format string, a ...any) error {
	return &refusal{Status: 400, ID: "bad_request", Message: fmt.Sprintf(format, a...)}
}

// read decodes the body into v; no body is an empty one.
func (c *call) read(v any) error {
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, v); err != nil {
		return malformed("The request body is not what it should be: %v", err)
	}
	return nil
}

type routes struct {
	h   *Heroku
	mux *http.ServeMux
}

// on answers pattern with status; open is for those who show no token.
func (r routes) on(status int, pattern string, fn handler) {
	r.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 8<<20))
		if err != nil {
			return
		}
		c := &call{Request: req, body: body, header: w.Header()}
		r.h.mu.Lock()
		if f := r.h.trouble(c); f != nil && !f.Accepted {
			r.h.mu.Unlock()
			f.answer(w, r.h.closed)
			return
		} else if f != nil {
			_, _ = fn(c)
			r.h.tell()
			r.h.mu.Unlock()
			f.answer(w, r.h.closed)
			return
		}
		got, err := fn(c)
		status := status
		var raw []byte
		switch {
		case err != nil:
			ref := asRefusal(err)
			status, raw = ref.Status, mustJSON(ref)
		default:
			if l, ok := got.(list); ok {
				status, got = l.page(c, r.h.opt.Page)
			}
			if t, ok := got.(timed); ok {
				status, got = t.status, t.body
			}
			raw = mustJSON(got)
		}
		r.h.tell()
		r.h.mu.Unlock()
		write(w, req, status, raw)
	})
}

// timed is an answer whose status depends on the state.
type timed struct {
	status int
	body   any
}

func asRefusal(err error) *refusal {
	if ref, ok := err.(*refusal); ok {
		return ref
	}
	return &refusal{Status: 500, ID: "internal", Message: err.Error()}
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func write(w http.ResponseWriter, r *http.Request, status int, raw []byte) {
	w.Header().Set("Content-Type", "application/json")
	tag := fmt.Sprintf(`"%x"`, len(raw)) + etag(raw)
	w.Header().Set("ETag", tag)
	if r.Method == http.MethodGet && status == 200 && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.WriteHeader(status)
	_, _ = w.Write(raw)
}

func etag(raw []byte) string {
	var sum uint64 = 14695981039346656037
	for _, b := range raw {
		sum = (sum ^ uint64(b)) * 1099511628211
	}
	return strconv.FormatUint(sum, 16)
}

// front is what every request meets before its route: the journal, the token,
// the media type and the rate limit.
func (h *Heroku) front(mux *http.ServeMux, host string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<20))
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h.mu.Lock()
		seen := Request{
			Host: host, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header.Clone(), Body: string(body), At: time.Now(),
		}
		if len(body) > 1<<16 {
			seen.Body = fmt.Sprintf("%d bytes", len(body))
		}
		h.requests = append(h.requests, seen)
		w.Header().Set("Request-Id", h.id())
		open := strings.HasPrefix(r.URL.Path, "/streams/") || strings.HasPrefix(r.URL.Path, "/blobs/")
		var refused *refusal
		if !open {
			refused = h.admit(r, w.Header())
		}
		h.mu.Unlock()
		if h.opt.Latency > 0 {
			select {
			case <-time.After(h.opt.Latency):
			case <-r.Context().Done():
				return
			}
		}
		if refused != nil {
			write(w, r, refused.Status, mustJSON(refused))
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" {
			message := "The requested API endpoint was not found. Are you using the right HTTP verb (i.e. `GET` vs. `POST`), and did you specify your intended version with the `Accept` header?"
			write(w, r, 404, mustJSON(&refusal{ID: "not_found", Message: message}))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// admit looks at token, media type and rate. The lock is held.
func (h *Heroku) admit(r *http.Request, header http.Header) *refusal {
	credential := strings.Contains(r.URL.Path, "/credentials")
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(":"+h.Key))
	given := r.Header.Get("Authorization")
	if given != "Bearer "+h.Key && (!credential || given != basic) {
		return &refusal{Status: 401, ID: "unauthorized", Message: "Invalid credentials provided."}
	}
	if !strings.HasPrefix(r.Header.Get("Accept"), "application/vnd.heroku+json; version=3") {
		return &refusal{Status: 406, ID: "not_acceptable", Message: "Specify version 3 of the API in the Accept header."}
	}
	refill := int(time.Since(h.refills) / (800 * time.Millisecond)) // 75 a minute
	if refill > 0 {
		h.left = min(4500, h.left+refill)
		h.refills = time.Now()
	}
	if r.URL.Path != "/account/rate-limits" {
		if h.left <= 0 {
			header.Set("RateLimit-Remaining", "0")
			return &refusal{Status: 429, ID: "rate_limit", Message: "Your account reached the API rate limit. Please wait a few minutes before making new requests", URL: "https://devcenter.heroku.com/articles/platform-api-reference#rate-limits"}
		}
		h.left--
	}
	header.Set("RateLimit-Remaining", strconv.Itoa(max(0, h.left)))
	return nil
}

// SetRemaining says how many requests are left in the bucket; below zero it takes
// a while until there are any.
func (h *Heroku) SetRemaining(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left, h.refills = n, time.Now()
}

// Request is one request as it came.
type Request struct {
	Host   string // "platform" or "data"
	Method string
	Path   string // escaped
	Query  string
	Header http.Header
	Body   string
	At     time.Time
}

// Requests are all requests since the start, or since Forget.
func (h *Heroku) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// Forget empties the journal of requests.
func (h *Heroku) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = nil
}
