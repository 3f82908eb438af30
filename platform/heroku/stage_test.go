package heroku

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"maitred/platform"
	"maitred/platform/heroku/herokutest"
	"maitred/platform/source"
)

var pizza = platform.Target{App: "ocpizza", Environment: "production"}

// stage is one app on a Heroku of its own, and a repository with three versions:
// the last one's release phase fails.
type stage struct {
	t       *testing.T
	heroku  *herokutest.Heroku
	config  Config
	dir     string
	mirrors *source.Mirrors
	log     lockedBuffer
	op      int64
	sources map[string]platform.Source // by version
}

func newStage(t *testing.T, o herokutest.Options, change ...func(*Config)) *stage {
	t.Helper()
	s := &stage{t: t, heroku: herokutest.New(t, o), dir: t.TempDir(), sources: map[string]platform.Source{}}
	s.heroku.CreateApp("ocpizza")
	s.heroku.AddDatabase("ocpizza", "standard-0")
	s.config = Config{App: "ocpizza", APIKey: s.heroku.Key, APIURL: s.heroku.API(), DataURL: s.heroku.Data()}
	for _, c := range change {
		c(&s.config)
	}
	s.mirrors = source.New(filepath.Join(s.dir, "mirrors"), nil)
	for _, version := range []string{"v1.0.0", "v1.1.0", "v1.2.0"} {
		s.tag(version)
	}
	return s
}

// tag commits one more version.
func (s *stage) tag(version string) {
	s.t.Helper()
	repo := filepath.Join(s.dir, "repo")
	procfile := "web: ./serve " + version + "\nrelease: echo migrating to " + version + "\n"
	if version == "v1.2.0" {
		procfile = "web: ./serve " + version + "\nrelease: echo the table orders is locked && exit 1\n"
	}
	if err := os.MkdirAll(filepath.Join(repo, "bin"), 0o700); err != nil {
		s.t.Fatal(err)
	}
	compile := "echo \"-----> compiling " + version + "\"\n"
	if version == "v9.9.9" {
		compile += "echo 'package pizza: syntax error'\nexit 1\n"
	}
	for name, text := range map[string]string{"Procfile": procfile, "VERSION": version + "\n", "bin/compile": compile} {
		if err := os.WriteFile(filepath.Join(repo, name), []byte(text), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	s.git("init", "-q", "-b", "main")
	s.git("add", "-A")
	s.git("-c", "user.name=ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m", version)
	s.git("tag", version)
	src := platform.Source{Repository: repo, Ref: version, SHA: s.git("rev-parse", "HEAD"), Version: version}
	s.sources[version] = src
}

func (s *stage) git(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", filepath.Join(s.dir, "repo")}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// open is the provider after a start of maitred.
func (s *stage) open() *Provider {
	s.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.heroku.CA())
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), &s.log, zap.DebugLevel)
	p, err := New(s.config, Options{
		Target: pizza, Mirrors: s.mirrors, Notes: Files(filepath.Join(s.dir, "notes")), Roots: roots, Pace: 4 * time.Millisecond, Log: zap.New(core),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

// answer is the version that a visitor sees. Heroku lets requests wait while
// dynos start, and so does this.
func (s *stage) answer() string {
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		sha := s.heroku.Answer("ocpizza")
		for version, src := range s.sources {
			if src.SHA == sha {
				return version
			}
		}
		state := s.heroku.State("ocpizza")
		if quantity := state["formation web"]; state["maintenance"] == "true" || quantity == "" || strings.HasPrefix(quantity, "0 ") {
			return ""
		}
	}
	return ""
}

// starts counts the builds of the operation that a step's key names.
func (s *stage) starts(key string) int {
	p := s.open()
	list, err := p.builds(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	notes, err := p.noted(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, b := range list {
		if m, ok := (history{notes: notes}).made(b); ok && strings.HasPrefix(key, fmt.Sprintf("%d/", m.Operation)) {
			n++
		}
	}
	return n
}

// lockedBuffer is a log that may be written from everywhere.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) Sync() error { return nil }

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
