package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// client is slack-go's client, whose calls are paced, counted and end in time.
func (c *Chat) client() *slack.Client {
	transport := c.options.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost, t.MaxIdleConns = 64, 128
		transport = t
	}
	return slack.New(c.options.BotToken,
		slack.OptionAPIURL(c.options.APIURL),
		slack.OptionAppLevelToken(c.options.AppToken),
		slack.OptionHTTPClient(&http.Client{Transport: &wire{next: transport, api: c.options.APIURL, pace: c.pace, metrics: c.metrics}, Timeout: 30 * time.Second}),
	)
}

// wire carries calls to Slack, each in its turn.
type wire struct {
	next    http.RoundTripper
	api     string
	pace    *pace
	metrics *metrics
}

// RoundTrip waits for the call's turn and notes when Slack wants to be left
// alone.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	method := w.method(r)
	if err := w.pace.turn(r.Context(), method); err != nil {
		w.metrics.calls.WithLabelValues(method, "held").Inc()
		if r.Body != nil {
			r.Body.Close() //nolint:errcheck // it was not read
		}
		return nil, err
	}
	began := time.Now()
	response, err := w.next.RoundTrip(r)
	w.metrics.seconds.WithLabelValues(method).Observe(time.Since(began).Seconds())
	switch {
	case err != nil:
		w.metrics.calls.WithLabelValues(method, "unreachable").Inc()
	case response.StatusCode == http.StatusTooManyRequests:
		w.metrics.calls.WithLabelValues(method, "slower").Inc()
		wait := retryAfter(response)
		w.pace.close(method, wait)
		io.Copy(io.Discard, io.LimitReader(response.Body, 4096)) //nolint:errcheck // so that the connection can be used again
		response.Body.Close()                                    //nolint:errcheck // it was only read
		return nil, later(method, wait, errors.New("429 Too Many Requests"))
	case response.StatusCode >= http.StatusBadRequest:
		w.metrics.calls.WithLabelValues(method, "failed").Inc()
	default:
		w.metrics.calls.WithLabelValues(method, "answered").Inc()
	}
	return response, err
}

// method is the name of the method that r calls. What goes to an address that
// Slack gave is named for what it is there for.
func (w *wire) method(r *http.Request) string {
	switch address := r.URL.String(); {
	case strings.HasPrefix(address, w.api):
		return path.Base(r.URL.Path)
	case strings.Contains(r.Header.Get("Content-Type"), "multipart/"):
		return "upload"
	}
	return "response_url"
}

// retryAfter is how long Slack asks to be left alone.
func retryAfter(r *http.Response) time.Duration {
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || seconds < 1 {
		seconds = 1
	}
	return time.Duration(seconds) * time.Second
}

// The words with which Slack refuses, by what they mean.
var (
	revoked = words("token_revoked invalid_auth account_inactive not_authed token_expired no_permission org_login_required team_access_not_granted")
	gone    = words("channel_not_found message_not_found thread_not_found is_archived is_inactive cant_update_message edit_window_closed restricted_action restricted_action_thread_locked user_not_found cannot_dm_bot")
	away    = words("internal_error fatal_error service_unavailable request_timeout team_added_to_org")
)

func words(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// code is the word with which Slack refused; empty when it did not answer at all.
func code(err error) string {
	var refused slack.SlackErrorResponse
	if errors.As(err, &refused) {
		return refused.Err
	}
	return ""
}

// explain is err of a call as a fault: what it means for whoever waits. It also
// keeps Ready honest about the token. The channel is where the call spoke; empty
// when it did not.
func (c *Chat) explain(method, channel string, err error) error {
	if err == nil {
		if method != "response_url" { // which works without the token
			c.mute.Store(nil)
		}
		return nil
	}
	var wait *chat.Wait
	if errors.As(err, &wait) {
		return wait
	}
	var limited *slack.RateLimitedError
	if errors.As(err, &limited) {
		return later(method, limited.RetryAfter, err)
	}
	f := &fault.Error{Op: "slack." + method, Err: err}
	word := code(err)
	switch {
	case word == "":
		f.Kind, f.Say = fault.Unreachable, "Slack did not answer."
	case word == "ratelimited" || word == "rate_limited":
		c.pace.close(method, time.Second)
		return later(method, time.Second, err)
	case revoked[word]:
		f.Kind, f.Say = fault.Unreachable, fmt.Sprintf("Slack does not accept the bot token (%s).", word)
		f.Hint = "Install the app again and put its new token into the configuration."
		if c.mute.Swap(f) == nil {
			c.log.Error("slack does not accept the bot token", zap.String("word", word))
		}
	case word == "missing_scope":
		f.Kind, f.Say = fault.Unsupported, "maitred lacks a permission in Slack: "+needed(err)+"."
		f.Hint = "maitred manifest slack"
	case word == "not_in_channel":
		f.Kind, f.Say = fault.Missing, "maitred is not in that channel of Slack."
		f.Hint = "/invite @maitred"
	case gone[word]:
		f.Kind, f.Say = fault.Missing, fmt.Sprintf("Slack has no such channel or message any more (%s).", word)
	case away[word]:
		f.Kind, f.Say = fault.Unreachable, "Slack has a failure of its own."
	default:
		f.Kind, f.Say = fault.Internal, fmt.Sprintf("Slack refused what maitred said (%s).", word)
	}
	if channel != "" {
		f.Op += " " + channel
	}
	return f
}

// needed is the scope that is missing.
func needed(err error) string {
	var refused slack.SlackErrorResponse
	if errors.As(err, &refused) && refused.Needed != "" {
		return refused.Needed
	}
	return "one of its scopes"
}

// within is ctx with a limit on how long Slack may take for one answer.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, errSlow)
}

var errSlow = errors.New("slack took too long to answer")
