// Package conformance holds the fake Heroku against the official CLI: commands
// that people know must work there and change what they change on Heroku.
package conformance

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/platform/heroku/herokutest"
)

// cli is where the two versions of the CLI are installed; `run` installs them.
func cli(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MAITRED_HEROKU_CLI")
	if dir == "" {
		t.Skip("!! LEFT OUT here: the real Heroku CLI against the fake. `make conformance` installs the CLI and plays it.")
	}
	return dir
}

// account is a Heroku in which much is there already.
func account(t *testing.T) *herokutest.Heroku {
	t.Helper()
	h := herokutest.New(t, herokutest.Options{Takes: 30 * time.Millisecond})
	h.CreateApp("demo")
	h.AddDatabase("demo", "standard-0")
	files := map[string]string{"Procfile": "web: serve\nworker: work\n"}
	h.Deploy("demo", "c0ffee1", files)
	h.Deploy("demo", "c0ffee2", files)
	if err := h.Scale("demo", map[string]int{"worker": 1}); err != nil {
		t.Fatal(err)
	}
	h.Write("demo", "orders")
	h.CreateApp("demo-staging")
	h.Deploy("demo-staging", "c0ffee3", files)
	h.Couple("demo-line", "staging", "demo-staging")
	h.Couple("demo-line", "production", "demo")
	return h
}

// said is how a command ended.
type said struct {
	code int
	text string // of both outputs
}

// official runs the real CLI with nothing of this machine's but the path.
func official(t *testing.T, h *herokutest.Heroku, home, version string, args ...string) said {
	t.Helper()
	for _, dir := range []string{".cache/heroku", ".config", ".local/share"} {
		if err := os.MkdirAll(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	pem := filepath.Join(home, "rendezvous.pem")
	for path, content := range map[string][]byte{pem: h.CA(), filepath.Join(home, ".cache/heroku/terms-of-service"): nil} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	api, _ := url.Parse(h.API())
	data, _ := url.Parse(h.Data())
	if api.Port() != data.Port() {
		t.Fatal("the CLI needs both APIs on one port of two loopback addresses, and this machine has only one address")
	}
	program := filepath.Join(cli(t), version, "node_modules/heroku/bin/run")
	if version == "cli11" {
		program += ".js"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{program}, args...)...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home + "/.config", "XDG_DATA_HOME=" + home + "/.local/share", "XDG_CACHE_HOME=" + home + "/.cache",
		"GIT_CONFIG_GLOBAL=" + home + "/.gitconfig", "TERM=dumb", "HEROKU_HOST=" + h.API(), "HEROKU_DATA_HOST=" + data.Hostname(), "HEROKU_PARTICLEBOARD_URL=" + h.API(),
		"HEROKU_API_KEY=" + h.Key, "DISABLE_TELEMETRY=true", "HEROKU_DISABLE_AUTOUPDATE=1", "HEROKU_SKIP_NEW_VERSION_CHECK=true", "HEROKU_NOTIFICATIONS=0", "NODE_EXTRA_CA_CERTS=" + pem,
	}
	cmd.Dir = home
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	code := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("run the CLI: %v", err)
	}
	return said{code, out.String()}
}

// play is one command line, and what it must say and change.
type play struct {
	line    string
	before  func(h *herokutest.Heroku)
	version string   // cli11 when empty
	code    int      // of its exit
	says    []string // parts of what it prints, in any order
	changes []string // of the state of demo
	after   func(t *testing.T, h *herokutest.Heroku)
}

func TestHerokuCLI(t *testing.T) {
	cli(t)
	slots := make(chan struct{}, 3) // a CLI is heavy
	for _, part := range [][]play{life(), releases(), things(), databases(), refusals()} {
		for _, p := range part {
			t.Run(p.line, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				p.run(t)
			})
		}
	}
}

func (p play) run(t *testing.T) {
	h := account(t)
	if p.before != nil {
		p.before(h)
	}
	before := h.State("demo")
	version := p.version
	if version == "" {
		version = "cli11"
	}
	got := official(t, h, t.TempDir(), version, words(p.line)...)
	if got.code != p.code {
		t.Errorf("it exits with %d, want %d", got.code, p.code)
	}
	for _, part := range p.says {
		if !strings.Contains(got.text, part) {
			t.Errorf("it does not say %q", part)
		}
	}
	if changes := herokutest.Changes(before, h.State("demo")); !slices.Equal(changes, p.changes) {
		t.Errorf("it changes\n\t%s\nwant\n\t%s", strings.Join(changes, "\n\t"), strings.Join(p.changes, "\n\t"))
	}
	if p.after != nil {
		p.after(t, h)
	}
	if t.Failed() {
		t.Logf("it said:\n%s", got.text)
		for _, r := range h.Requests() {
			t.Logf("%s %s %s?%s %s", r.Host, r.Method, r.Path, r.Query, r.Body)
		}
	}
}

// words splits a line at blanks that are not inside single quotes.
func words(line string) []string {
	var all []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}
