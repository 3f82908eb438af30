package heroku

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// transport is what every request to Heroku passes: it shows the token to the
// one host it belongs to, follows the pages of a list, keeps count of the
// requests that are left, and asks again when a question got no answer. Only
// questions are repeated here: whether a change may be is for the step to say.
type transport struct {
	base  *url.URL
	token string
	pace  time.Duration // the first pause before a question is repeated
	next  http.RoundTripper
	log   *zap.Logger
	left  *atomic.Int64 // requests that are left in this hour; -1 when unknown
}

const (
	patience = 30 * time.Second // for one answer
	asks     = 4                // how often a question is asked
	most     = 64 << 20         // bytes of an answer
)

// apiError is a refusal, with what Heroku calls it.
type apiError struct {
	status  int
	id      string // "not_found"; empty when the answer was no JSON
	message string
	request string // Heroku's id of the request
	after   time.Duration
}

func (e *apiError) Error() string {
	return fmt.Sprintf("heroku answered %d %s: %s (request %s)", e.status, e.id, e.message, e.request)
}

// errNonsense is an answer that is no JSON.
var errNonsense = errors.New("the answer is no JSON")

type pagesKey struct{}

// pages makes a list come whole, or at least n long when n is not zero.
func pages(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, pagesKey{}, n)
}

// RoundTrip implements http.RoundTripper. The answer is read whole.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != t.base.Host || r.URL.Scheme != t.base.Scheme {
		return nil, fmt.Errorf("a request for %s is none for Heroku", r.URL.Host)
	}
	response, body, err := t.ask(r)
	if err != nil {
		return nil, err
	}
	if want, ok := r.Context().Value(pagesKey{}).(int); ok && r.Method == http.MethodGet {
		if body, err = t.rest(r, response, body, want); err != nil {
			return nil, err
		}
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

// rest fetches the pages after the first and joins them.
func (t *transport) rest(r *http.Request, response *http.Response, body []byte, want int) ([]byte, error) {
	var all []json.RawMessage
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, errNonsense
	}
	for next := response.Header.Get("Next-Range"); next != "" && (want == 0 || len(all) < want); {
		more := r.Clone(r.Context())
		more.Header.Set("Range", next)
		answer, body, err := t.ask(more)
		if err != nil {
			return nil, err
		}
		var page []json.RawMessage
		if err := json.Unmarshal(body, &page); err != nil {
			return nil, errNonsense
		}
		all, next = append(all, page...), answer.Header.Get("Next-Range")
	}
	return json.Marshal(all)
}

// ask sends r, and again when it only asks and the trouble may pass.
func (t *transport) ask(r *http.Request) (*http.Response, []byte, error) {
	wait := t.pace
	for try := 1; ; try++ {
		response, body, err := t.send(r)
		if err == nil || r.Method != http.MethodGet || try >= asks || !passes(r.Context(), err, &wait) {
			return response, body, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-r.Context().Done():
			timer.Stop()
			return nil, nil, r.Context().Err()
		case <-timer.C:
		}
		wait *= 2
	}
}

// passes reports whether asking again is worth it, and how long to wait.
func passes(ctx context.Context, err error, wait *time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	var refused *apiError
	if !errors.As(err, &refused) {
		return true
	}
	if refused.status == http.StatusTooManyRequests {
		*wait = max(*wait, refused.after)
		return refused.after <= 5*time.Second
	}
	return refused.status >= 500
}

func (t *transport) send(r *http.Request) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	request := r.Clone(ctx)
	if request.Body != nil && request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, nil, err
		}
		request.Body = body
	}
	accept := "application/vnd.heroku+json; version=3"
	if r.Header.Get("Accept") == "" || r.Header.Get("Accept") == "application/json" {
		request.Header.Set("Accept", accept)
	}
	request.Header.Set("User-Agent", "maitred")
	request.Header.Set("Request-Id", rand.Text())
	if request.Header.Get("Authorization") == "" {
		request.Header.Set("Authorization", "Bearer "+t.token)
	}
	began := time.Now()
	response, err := t.next.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, most+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read the answer: %w", err)
	}
	if n, err := strconv.ParseInt(response.Header.Get("RateLimit-Remaining"), 10, 64); err == nil {
		t.left.Store(n)
	}
	level := zap.DebugLevel
	if r.Method != http.MethodGet {
		level = zap.InfoLevel
	}
	t.log.Log(level, "heroku answered", zap.String("method", r.Method), zap.String("path", r.URL.Path), zap.Int("status", response.StatusCode),
		zap.String("request", response.Header.Get("Request-Id")), zap.Duration("took", time.Since(began)), zap.Int64("left", t.left.Load()))
	return response, body, t.judge(response, body)
}

// judge turns a refusal, and an answer that is none, into an error.
func (t *transport) judge(response *http.Response, body []byte) error {
	plain := strings.Contains(response.Header.Get("Content-Type"), "json")
	if response.StatusCode/100 == 2 {
		if !plain || len(body) > most || !json.Valid(body) {
			return errNonsense
		}
		return nil
	}
	e := &apiError{status: response.StatusCode, request: response.Header.Get("Request-Id")}
	var said struct{ ID, Message string }
	if plain && json.Unmarshal(body, &said) == nil {
		e.id, e.message = said.ID, strings.ReplaceAll(clip(said.Message, 300), t.token, "[token]")
	}
	if n, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
		e.after = time.Duration(n) * time.Second
	}
	return e
}

// clip cuts s, which comes from elsewhere, to n bytes of one line.
func clip(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}
