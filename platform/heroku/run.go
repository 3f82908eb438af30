package heroku

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/fault"
	"maitred/platform"
)

// PlanRun implements platform.Runner. The output comes over a connection that
// nobody can open twice, so a run that was cut off is unknown and is not repeated.
func (p *Provider) PlanRun(ctx context.Context, t platform.Target, command []string) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	if len(command) == 0 || strings.TrimSpace(command[0]) == "" {
		return platform.Plan{}, fault.New(fault.Invalid, "heroku.run", "/run "+t.App+" COMMAND", "Say which command is to run on %s.", t)
	}
	line := command[0]
	if len(command) > 1 {
		line = quote(command)
	}
	return platform.Plan{Steps: []platform.Step{{Name: "run", Action: "run", Args: raw(checkArgs{line})}}}, nil
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// quote makes one line for a shell of words.
func quote(words []string) string {
	var line []string
	for _, w := range words {
		if !plain.MatchString(w) {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		line = append(line, w)
	}
	return strings.Join(line, " ")
}

func (p *Provider) run(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args checkArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	code, err := p.oneOff(ctx, r, args.Command)
	if err != nil {
		return platform.Result{}, err
	}
	return platform.Result{Say: fmt.Sprintf("exit code %d", code), Exit: &code}, nil
}

// exitMark is what the shell prints after the command; the code follows.
const exitMark = "\uFFFF heroku-command-exit-status: "

// oneOff runs a command in a dyno of its own and returns its exit code. When
// ctx ends, the dyno is stopped.
func (p *Provider) oneOff(ctx context.Context, r platform.Run, command string) (int, error) {
	attach := true
	d, err := p.client.DynoCreate(ctx, p.config.App, heroku.DynoCreateOpts{
		Attach: &attach, ForceNoTty: &attach, Env: map[string]string{"TERM": "dumb"},
		Command: command + ` ; echo "` + exitMark + `$?"`,
	})
	if err != nil {
		return 0, p.fail("heroku.run", err)
	}
	code, err := p.attend(ctx, r.Log, value(d.AttachURL))
	if ctx.Err() != nil {
		return 0, p.stopDyno(ctx, d.Name)
	}
	if err != nil {
		return 0, errors.Join(err, p.stopDyno(ctx, d.Name))
	}
	return code, nil
}

// attend follows what a one-off dyno prints, to its exit code.
func (p *Provider) attend(ctx context.Context, w io.Writer, at string) (int, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "rendezvous" {
		return 0, fault.New(fault.Unsupported, "heroku.run", "Run it from a shell: heroku run --exit-code.", "The output of one-off dynos of this app can only be reached by ssh, which maitred does not speak there.")
	}
	lost := func(err error) error {
		return &fault.Error{Kind: fault.Unreachable, Op: "heroku.run", Say: "The connection to the one-off dyno was lost; whether its command ended well is unknown.", Hint: "/logs " + p.target.App, Err: err}
	}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 30 * time.Second}, Config: &tls.Config{RootCAs: p.roots, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return 0, lost(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := io.WriteString(conn, strings.TrimPrefix(u.Path, "/")+"\r\n"); err != nil {
		return 0, lost(errors.New("the greeting was not taken"))
	}
	in := bufio.NewReaderSize(conn, 16<<10)
	if _, err := in.ReadString('\n'); err != nil {
		return 0, lost(err)
	}
	if _, err := conn.Write([]byte{4}); err != nil { // there is no more input
		return 0, lost(err)
	}
	for {
		line, err := in.ReadString('\n')
		if i := strings.Index(line, exitMark); i >= 0 {
			_, _ = io.WriteString(w, line[:i])
			code, bad := strconv.Atoi(strings.TrimSpace(line[i+len(exitMark):]))
			if bad == nil {
				return code, nil
			}
		} else if _, bad := io.WriteString(w, line); bad != nil {
			return 0, lost(bad)
		}
		if err != nil {
			return 0, lost(err)
		}
	}
}
