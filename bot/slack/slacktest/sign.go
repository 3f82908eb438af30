package slacktest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Endpoints are the request URLs of the app. With them Slack speaks HTTP; the
// zero Endpoints mean Socket Mode.
type Endpoints struct {
	Commands    string
	Interactive string
	Options     string // of external selects; Interactive when empty
	Events      string
}

// DeliverTo sets the request URLs.
func (s *Slack) DeliverTo(e Endpoints) {
	if e.Options == "" {
		e.Options = e.Interactive
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.where = e
}

// DeliverAllTo sets one URL for everything.
func (s *Slack) DeliverAllTo(u string) {
	s.DeliverTo(Endpoints{Commands: u, Interactive: u, Events: u})
}

// Sign are the headers with which Slack signs a body sent at that time.
func (s *Slack) Sign(at time.Time, body []byte) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(s.SigningSecret))
	base := "v0:" + stamp + ":"
	if s.wrong[WrongSignature] {
		base = "v0." + stamp + "."
	}
	mac.Write([]byte(base))
	mac.Write(body)
	h := http.Header{}
	h.Set("X-Slack-Request-Timestamp", stamp)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(mac.Sum(nil)))
	return h
}

// Answer is what an app answered to a request.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send posts a body as Slack would, with these headers on top, and waits for
// the answer. It is for requests that a person cannot cause.
func (s *Slack) Send(ctx context.Context, to string, contentType string, body []byte, h http.Header) (Answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("request: %w", err)
	}
	for k, v := range h {
		r.Header[k] = v
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", "Slackbot 1.0 (+https://api.slack.com/robots)")
	resp, err := s.client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: b}, err
}

// overHTTP sends a request and reads its answer as an acknowledgement.
func (s *Slack) overHTTP(d *Delivery, to string, attempt int, reason string) ackFrame {
	body, kind := []byte(d.Payload), "application/json"
	switch {
	case d.Kind == KindCommand:
		body, kind = []byte(formOf(d.Payload).Encode()), "application/x-www-form-urlencoded"
	case d.Kind == KindInteractive:
		body, kind = []byte(url.Values{"payload": {string(d.Payload)}}.Encode()), "application/x-www-form-urlencoded"
	}
	h := s.Sign(s.Now(), body)
	if attempt > 0 {
		h.Set("X-Slack-Retry-Num", strconv.Itoa(attempt))
		h.Set("X-Slack-Retry-Reason", reason)
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.opt.AckWithin)
	defer cancel()
	a, err := s.Send(ctx, to, kind, body, h)
	s.mu.Lock()
	lose := err == nil && s.controls.loseAck()
	s.mu.Unlock()
	switch {
	case lose, err != nil && ctx.Err() != nil:
		return ackFrame{lost: reasonTimeout}
	case err != nil:
		return ackFrame{lost: "connection_failed"}
	case a.Status < 200 || a.Status > 299:
		if a.Header.Get("X-Slack-No-Retry") == "1" {
			return ackFrame{lost: "no_retry"}
		}
		return ackFrame{lost: "http_error"}
	}
	return ackFrame{payload: a.Body}
}

func formOf(payload json.RawMessage) url.Values {
	var in map[string]any
	if err := json.Unmarshal(payload, &in); err != nil {
		return nil
	}
	out := url.Values{}
	for k, v := range in {
		out.Set(k, fmt.Sprint(v))
	}
	return out
}

// Challenge asks the events URL to prove that it is ours, as Slack does once.
func (s *Slack) Challenge(ctx context.Context) error {
	body := raw(map[string]any{"token": "legacy", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "type": "url_verification"})
	s.mu.Lock()
	to := s.where.Events
	s.mu.Unlock()
	a, err := s.Send(ctx, to, "application/json", body, s.Sign(s.Now(), body))
	if err != nil {
		return err
	}
	if a.Status != 200 || !bytes.Contains(a.Body, []byte("3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P")) {
		return fmt.Errorf("the challenge was not answered: %d %s", a.Status, a.Body)
	}
	return nil
}
