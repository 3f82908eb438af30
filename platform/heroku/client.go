package heroku

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	heroku "github.com/heroku/heroku-go/v6"
	"go.uber.org/zap"

	"maitred/fault"
)

// client speaks to both APIs of Heroku, for one token.
type client struct {
	*heroku.Service               // the Platform API
	data            *http.Client  // the data API, which no Go client has
	dataURL         string        //
	streams         *http.Client  // logs, outputs and uploads: addresses that carry their own secret
	left            *atomic.Int64 // requests that are left in this hour; -1 when unknown
}

func newClient(c Config, pace time.Duration, log *zap.Logger) (*client, error) {
	k := &client{dataURL: c.DataURL, left: new(atomic.Int64)}
	k.left.Store(-1)
	open := func(at string) (*http.Client, error) {
		base, err := url.Parse(at)
		if err != nil {
			return nil, err
		}
		next := http.DefaultTransport.(*http.Transport).Clone()
		next.MaxIdleConnsPerHost = 8
		return &http.Client{
			Transport:     &transport{base: base, token: c.APIKey, pace: pace, next: next, log: log, left: k.left},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}, nil
	}
	platform, err := open(c.APIURL)
	if err != nil {
		return nil, err
	}
	if k.data, err = open(c.DataURL); err != nil {
		return nil, err
	}
	k.Service = heroku.NewService(platform)
	k.URL = c.APIURL
	k.streams = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	return k, nil
}

// ask sends a request to the data API. In may be nil, and so may out.
func (k *client) ask(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, k.dataURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := k.data.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("%w: %w", errNonsense, err)
	}
	return nil
}

// fail words err for the person. What is a fault already, and the end of a
// context, stay what they are.
func (p *Provider) fail(op string, err error) error {
	var known *fault.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	f := &fault.Error{Kind: fault.Unreachable, Op: op, Err: err}
	var refused *apiError
	switch {
	case errors.As(err, &refused):
		p.word(f, refused)
	case errors.Is(err, errNonsense), errors.As(err, new(*json.SyntaxError)), errors.As(err, new(*json.UnmarshalTypeError)):
		f.Say = "Heroku answered with something that is no answer."
	default:
		f.Say = "Heroku does not answer."
	}
	return f
}

// word says what a refusal means for the person, and what to do.
func (p *Provider) word(f *fault.Error, e *apiError) {
	app := p.config.App
	f.Kind = fault.Refused
	switch {
	case e.status == http.StatusUnauthorized:
		f.Kind, f.Say = fault.Forbidden, fmt.Sprintf("Heroku does not accept the API key for %s; it may have expired.", app)
		f.Hint = "Make a new authorization, put it where api_key of the app points, and start maitred again."
	case e.status == http.StatusPaymentRequired:
		f.Say = "Heroku wants the account's bill to be paid first: " + sentence(e.message)
	case e.id == "two_factor":
		f.Kind, f.Say = fault.Forbidden, fmt.Sprintf("Heroku asks for a second factor before it touches %s, which a token cannot give.", app)
		f.Hint = "Use the token of an account without that demand."
	case e.id == "suspended":
		f.Kind, f.Say = fault.Forbidden, fmt.Sprintf("%s, or its account, is suspended at Heroku.", app)
	case e.status == http.StatusForbidden:
		f.Kind, f.Say = fault.Forbidden, fmt.Sprintf("The token has no access to that on %s: %s", app, sentence(e.message))
		f.Hint = "Give its account access to the app, or its token the scopes write-protected and read-protected."
	case e.status == http.StatusNotFound || e.status == http.StatusGone:
		f.Kind, f.Say = fault.Missing, fmt.Sprintf("Heroku has no such thing on %s: %s", app, sentence(e.message))
	case e.status == http.StatusConflict || e.status == http.StatusLocked:
		f.Kind, f.Say = fault.Busy, "Heroku is busy with that: "+sentence(e.message)
	case e.status == http.StatusTooManyRequests:
		f.Kind, f.Say = fault.Unreachable, "The account has used up its requests to Heroku for now; 75 more come each minute."
	case e.status >= 500:
		f.Kind, f.Say = fault.Unreachable, fmt.Sprintf("Heroku is out of order: it answered %d.", e.status)
	default:
		f.Say = "Heroku refuses: " + sentence(e.message)
	}
}

// sentence ends s with a full stop.
func sentence(s string) string {
	if s == "" {
		return "it does not say why."
	}
	if s[len(s)-1] != '.' {
		s += "."
	}
	return s
}

// gone reports that err says there is no such thing.
func gone(err error) bool {
	var refused *apiError
	return errors.As(err, &refused) && (refused.status == http.StatusNotFound || refused.status == http.StatusGone)
}
