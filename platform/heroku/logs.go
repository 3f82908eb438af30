package heroku

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/fault"
	"maitred/platform"
)

// backlog is how many lines Heroku keeps.
const backlog = 1500

var logLine = regexp.MustCompile(`^(\S+) (\w+)\[([^\]]*)\]: ?(.*)$`)

// Logs implements platform.LogReader.
func (p *Provider) Logs(ctx context.Context, t platform.Target, q platform.LogQuery) ([]platform.LogLine, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	want := q.Lines
	if want <= 0 {
		want = 100
	}
	ask, tail := min(want, backlog), false
	if q.Grep != "" || !q.Since.IsZero() {
		ask = backlog // what is searched is not what is shown
	}
	in := heroku.LogSessionCreateOpts{Lines: &ask, Tail: &tail}
	if kind, _, one := strings.Cut(q.Process, "."); one {
		in.DynoName = &q.Process
	} else if kind != "" {
		in.Type = &kind
	}
	session, err := p.client.LogSessionCreate(ctx, p.config.App, in)
	if err != nil {
		return nil, p.fail("heroku.logs", err)
	}
	lines, err := p.read(ctx, session.LogplexURL, func(l platform.LogLine) bool {
		return strings.Contains(l.Text, q.Grep) && of(l.Process, q.Process) && (q.Since.IsZero() || !l.At.Before(q.Since))
	})
	if len(lines) > want {
		lines = lines[len(lines)-want:]
	}
	return lines, err
}

// of reports that a line of process is meant by want: web.1 by web.
func of(process, want string) bool {
	return want == "" || process == want || strings.HasPrefix(process, want+".")
}

// read reads lines from an address, which is its own secret: it is in no error.
func (p *Provider) read(ctx context.Context, at string, meant func(platform.LogLine) bool) ([]platform.LogLine, error) {
	lost := func(cause string) error {
		return &fault.Error{Kind: fault.Unreachable, Op: "heroku.logs", Say: "The logs of Heroku cannot be read now.", Err: errors.New(cause)}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, lost("the address is none")
	}
	response, err := p.client.streams.Do(request)
	if err != nil {
		return nil, lost("no answer")
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return nil, lost(response.Status)
	}
	var lines []platform.LogLine
	scan := bufio.NewScanner(response.Body)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		text := strings.TrimPrefix(scan.Text(), "data: ")
		if text == "" || strings.HasPrefix(text, "id: ") {
			continue
		}
		l := platform.LogLine{Text: text}
		if m := logLine.FindStringSubmatch(text); m != nil {
			l.At, _ = time.Parse(time.RFC3339Nano, m[1])
			l.Process, l.Text = m[3], m[4]
		}
		if meant(l) {
			lines = append(lines, l)
		}
	}
	if scan.Err() != nil {
		return lines, lost("cut off")
	}
	return lines, nil
}
