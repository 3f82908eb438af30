package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

const (
	// Prefix is where Slack's requests go in HTTP mode: commands, interactivity
	// and events to one address.
	Prefix = "/slack/"

	maxBody = 1 << 20         // of a request; Slack's are far smaller
	leeway  = 5 * time.Minute // how far the time of a request may be from ours, both ways
)

// Handler hears Slack's requests below /slack/. It takes nothing before Run and
// nothing that Slack did not sign.
func (c *Chat) Handler() (prefix string, h http.Handler) { return Prefix, http.HandlerFunc(c.serve) }

func (c *Chat) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "Slack posts here, and nobody else.", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		c.turnAway(w, r, bodyProblem(err))
		return
	}
	if reason := c.signed(r.Header, body); reason != "" {
		c.turnAway(w, r, denial{http.StatusUnauthorized, reason, "This was not signed by Slack."})
		return
	}
	kind, payload, err := parse(r.Header.Get("Content-Type"), body)
	if err != nil {
		c.outcome("http", nil, "", err) //nolint:errcheck // it is counted and logged
		http.Error(w, "maitred cannot read this.", http.StatusBadRequest)
		return
	}
	c.answer(w, r, kind, payload)
}

// answer takes a delivery and acknowledges it, once it is stored.
func (c *Chat) answer(w http.ResponseWriter, r *http.Request, kind string, payload []byte) {
	if kind == "" { // Slack looks whether somebody is there
		return
	}
	door, leave, ok := c.enter()
	if !ok {
		http.Error(w, "maitred is starting or stopping.", http.StatusServiceUnavailable)
		return
	}
	defer leave()
	if n := r.Header.Get("X-Slack-Retry-Num"); n != "" {
		c.log.Info("delivered again", zap.String("attempt", n), zap.String("reason", r.Header.Get("X-Slack-Retry-Reason")))
	}
	body, err := c.take(r.Context(), door, kind, payload)
	if err != nil {
		http.Error(w, "maitred could not store it.", http.StatusInternalServerError)
		return
	}
	if body == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err := json.NewEncoder(w).Encode(body); err != nil {
		c.log.Debug("answer not sent", zap.Error(err))
	}
}

// denial is why a request is turned away.
type denial struct {
	status int
	reason string // for the counter
	say    string
}

func bodyProblem(err error) denial {
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return denial{http.StatusRequestEntityTooLarge, "too long", "The request is longer than 1 MiB."}
	}
	return denial{http.StatusBadRequest, "cut off", "The request could not be read to its end."}
}

func (c *Chat) turnAway(w http.ResponseWriter, r *http.Request, d denial) {
	c.metrics.refused.WithLabelValues(d.reason).Inc()
	c.log.Warn("request turned away", zap.String("reason", d.reason), zap.String("from", r.RemoteAddr), zap.String("path", r.URL.Path))
	http.Error(w, d.say, d.status)
}

// signed is empty when Slack signed the body with the app's secret, and not long
// ago; else why it does not count.
func (c *Chat) signed(h http.Header, body []byte) (reason string) {
	stamp, signature := h.Get("X-Slack-Request-Timestamp"), h.Get("X-Slack-Signature")
	if stamp == "" || signature == "" {
		return "not signed"
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return "no time"
	}
	given, err := hex.DecodeString(strings.TrimPrefix(signature, "v0="))
	if err != nil || !strings.HasPrefix(signature, "v0=") {
		return "wrong signature"
	}
	mac := hmac.New(sha256.New, []byte(c.options.SigningSecret))
	mac.Write([]byte("v0:" + stamp + ":"))
	mac.Write(body)
	if c.options.SigningSecret == "" || !hmac.Equal(mac.Sum(nil), given) {
		return "wrong signature"
	}
	if age := c.options.Now().Sub(time.Unix(seconds, 0)); age > leeway {
		return "too old"
	} else if age < -leeway {
		return "from the future"
	}
	return ""
}

// parse is what a request delivers. The kind is empty for a request that only
// looks whether somebody is there.
func parse(contentType string, body []byte) (kind string, payload []byte, err error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", nil, &malformed{err}
	}
	if media == "application/json" {
		return kindEvent, body, nil
	}
	form, err := url.ParseQuery(string(body))
	switch {
	case err != nil:
		return "", nil, &malformed{err}
	case form.Get("ssl_check") != "":
		return "", nil, nil
	case form.Has("payload"):
		return kindInteraction, []byte(form.Get("payload")), nil
	case form.Has("command"):
		payload, err = json.Marshal(commandOf(form))
		return kindCommand, payload, err
	}
	return "", nil, &malformed{errLacks("payload or command")}
}
