package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"maitred/chat"
	"maitred/fault"
)

// client asks the app, each time over a new connection.
func client(dial func(ctx context.Context) (net.Conn, error)) *http.Client {
	return &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (p *Provider) slotClient(slot string) *http.Client {
	return client(func(ctx context.Context) (net.Conn, error) { return p.box.Dial(ctx, p.socket(slot)) })
}

// ask asks the app once how it is. It is well when it names release e.
func (p *Provider) ask(ctx context.Context, c *http.Client, e entry) (bool, string) {
	what := "GET " + p.config.Health.Path
	u, err := url.Parse(p.config.URL)
	if err != nil {
		return false, what + " cannot be asked."
	}
	// The app hears the name that visitors use: many refuse any other.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+u.Host+p.config.Health.Path, nil)
	if err != nil {
		return false, what + " cannot be asked."
	}
	began := time.Now()
	res, err := c.Do(req)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err
		}
		return false, fmt.Sprintf("%s got no answer: %v.", what, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	took := chat.Span(time.Since(began))
	if err != nil {
		return false, fmt.Sprintf("%s broke off: %v.", what, err)
	}
	if res.StatusCode != http.StatusOK {
		return false, fmt.Sprintf("%s answered %d: %s", what, res.StatusCode, oneLine(string(body), 200))
	}
	var said struct{ Release string }
	if json.Unmarshal(body, &said) != nil || said.Release == "" {
		return false, fmt.Sprintf("%s answered 200 without naming its release.", what)
	}
	if said.Release != e.Version {
		return false, fmt.Sprintf("%s answered 200 with the release %s; it should be %s.", what, oneLine(said.Release, 80), e.Version)
	}
	return true, fmt.Sprintf("%s answered 200 with %s in %s.", what, e.Version, took)
}

// probe waits until the release in slot is well, on its own socket.
func (p *Provider) probe(ctx context.Context, log io.Writer, slot string, e entry) (string, error) {
	return p.watch(ctx, log, p.slotClient(slot), slot, e)
}

// watch asks until the app has been well several times in a row, or the
// deadline is over, or the process in slot has died.
func (p *Provider) watch(ctx context.Context, log io.Writer, c *http.Client, slot string, e entry) (string, error) {
	h := p.config.Health
	deadline := time.NewTimer(h.Deadline)
	defer deadline.Stop()
	// The first answers come within milliseconds for most apps.
	wait := min(20*time.Millisecond, h.Interval)
	told, evidence := "", ""
	for well := 0; ; {
		var ok bool
		ok, evidence = p.ask(ctx, c, e)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if ok {
			well++
			if well >= h.Successes {
				return evidence, nil
			}
		} else {
			well = 0
			wait = min(wait*2, h.Interval)
			if !p.runs(slot, e.ID) {
				return "", p.died(log, slot, e)
			}
			if evidence != told {
				fmt.Fprintln(log, evidence)
				told = evidence
			}
		}
		select {
		case <-time.After(wait):
		case <-deadline.C:
			p.quote(log, slot)
			return "", fault.New(fault.Refused, "host.probe", "/logs "+p.target.App,
				"%s did not get healthy within %s. %s", e.Version, chat.Span(h.Deadline), evidence)
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// died tells that the process in slot has ended by itself.
func (p *Provider) died(log io.Writer, slot string, e entry) error {
	p.quote(log, slot)
	how := ""
	if t, ok := p.tenant(slot); ok {
		if rc, ok := p.job(t).exit(); ok {
			how = fmt.Sprintf(" with exit code %d", rc)
		}
	}
	return fault.New(fault.Refused, "host.probe", "/logs "+p.target.App, "%s ended by itself%s before it was healthy.", e.Version, how)
}

// quote shows the last lines that the slot printed.
func (p *Provider) quote(log io.Writer, slot string) {
	t, ok := p.tenant(slot)
	if !ok {
		return
	}
	fmt.Fprintf(log, "The last lines of web.%s:\n", slot)
	for _, line := range p.job(t).printed(10) {
		fmt.Fprintln(log, "  "+line)
	}
}

// oneLine is s without line breaks, cut.
func oneLine(s string, n int) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}
