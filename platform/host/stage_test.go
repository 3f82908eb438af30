package host

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/platform"
	"maitred/platform/source"
)

var pizza = platform.Target{App: "ocpizza", Environment: "production"}

// stage is a home on this machine, a repository, and a visitor.
type stage struct {
	*Provider
	t       *testing.T
	repo    string
	config  Config
	mirrors string
	sources map[string]platform.Source
	op      int64
	log     bytes.Buffer
	secrets map[string]string
}

// versions are the tags of the test repository and what is in them.
var versions = []struct {
	tag   string
	files map[string]string
}{
	{"v1.0.0", map[string]string{
		"Procfile": "web: \"$BIN\" app serve\n", "mode": "ok\n", "build.sh": "echo building $RELEASE\n",
		"migrations/0001_notes.sql": "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)",
	}},
	{"v1.1.0", map[string]string{"migrations/0002_stars.sql": "ALTER TABLE notes ADD COLUMN stars INTEGER", "build.sh": "echo building $RELEASE; sleep 0.3; echo built\n"}},
	{"v1.2.0", map[string]string{"mode": "sick\n"}},
	{"v1.3.0", map[string]string{"mode": "dies\n"}},
	{"v1.4.0", map[string]string{"mode": "ok\n", "build.sh": "echo no compiler here; exit 3\n"}},
}

func newStage(t *testing.T, change ...func(*Config)) *stage {
	t.Helper()
	// Sockets have short paths, and those of t.TempDir are long.
	root, err := os.MkdirTemp("", "host")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, repo: filepath.Join(root, "repo"), mirrors: filepath.Join(root, "mirrors"), secrets: map[string]string{}, op: 1000, sources: map[string]platform.Source{}}
	s.config = Config{
		Dir: filepath.Join(root, "app"), Trusted: true, Listen: "127.0.0.1:0", URL: "http://ocpizza.example", Executable: self,
		Build: []string{`echo "$MAITRED_JOB" >>"$HOME/starts"`, "sh build.sh"}, Migrate: `echo "$MAITRED_JOB" >>"$HOME/starts"; "$BIN" app migrate`,
		Health: Health{Deadline: 2 * time.Second, Interval: 50 * time.Millisecond}, Env: map[string]string{"BIN": self},
		Database: Database{Kind: "sqlite", Migrations: Migrations{Dir: "migrations"}}, Drain: 5 * time.Second, Stop: 3 * time.Second,
	}
	for _, c := range change {
		c(&s.config)
	}
	makeRepository(t, s.repo)
	s.Provider = s.open()
	t.Cleanup(func() {
		if err := s.Leave(context.Background()); err != nil {
			t.Errorf("leave: %v", err)
		}
		if left := leftIn(s.config.Dir); left != "" {
			t.Errorf("processes are left:\n%s", left)
		}
		if t.Failed() {
			t.Logf("log:\n%s", s.log.String())
		}
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	return s
}

// leftIn are the processes that name dir in their environment or command.
func leftIn(dir string) string {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	var left []string
	for _, e := range entries {
		env, _ := os.ReadFile(e + "/environ")
		if bytes.Contains(env, []byte("MAITRED_JOB="+dir)) {
			line, _ := os.ReadFile(e + "/cmdline")
			left = append(left, e+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return strings.Join(left, "\n")
}

// open is the provider as after a restart of maitred.
func (s *stage) open() *Provider {
	s.t.Helper()
	p, err := New(s.config, Options{Target: pizza, Mirrors: source.New(s.mirrors, nil)})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func makeRepository(t *testing.T, dir string) {
	t.Helper()
	runGit(t, "", "init", "-q", "-b", "main", dir)
	for _, v := range versions {
		for name, text := range v.files {
			file := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		runGit(t, dir, "add", "-A")
		runGit(t, dir, "commit", "-q", "-m", "release "+v.tag)
		runGit(t, dir, "tag", v.tag)
	}
}

func runGit(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=ann", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_COMMITTER_NAME=ann", "GIT_COMMITTER_EMAIL=ann@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func (s *stage) source(tag string) platform.Source {
	s.t.Helper()
	if src, ok := s.sources[tag]; ok {
		return src
	}
	src, err := s.Provider.mirrors.Resolve(s.t.Context(), s.repo, tag)
	if err != nil {
		s.t.Fatal(err)
	}
	s.sources[tag] = src
	return src
}

// play is an operation under way.
type play struct {
	*stage
	op   int64
	plan platform.Plan
	done int
}

func (s *stage) begin(plan platform.Plan, err error) *play {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("plan: %v", err)
	}
	s.op++
	return &play{stage: s, op: s.op, plan: plan}
}

func (y *play) run(i int) platform.Run {
	step := y.plan.Steps[i]
	return platform.Run{
		Operation: y.op, Requester: "ann", Target: pizza, Step: step, Key: fmt.Sprintf("%d/%s", y.op, step.Name), Fence: 1, Log: &y.log,
		Secret: func(_ context.Context, handle string) (string, error) { return y.secrets[handle], nil },
	}
}

func (y *play) step(ctx context.Context, i int) (platform.Result, error) {
	a := y.Actions()[y.plan.Steps[i].Action]
	r := y.run(i)
	if a.Do != nil {
		return a.Do(ctx, r)
	}
	h, found, err := a.Find(ctx, r)
	if err == nil && !found {
		h, err = a.Start(ctx, r)
	}
	if err != nil {
		return platform.Result{}, err
	}
	return a.Wait(ctx, r, h)
}

// until carries out the steps before the one called name; "" is all.
func (y *play) until(ctx context.Context, name string) (last platform.Result, err error) {
	for ; y.done < len(y.plan.Steps) && y.plan.Steps[y.done].Name != name; y.done++ {
		if last, err = y.step(ctx, y.done); err != nil {
			return last, fmt.Errorf("%s: %w", y.plan.Steps[y.done].Name, err)
		}
	}
	return last, nil
}

func (y *play) undo() {
	y.t.Helper()
	for i := min(y.done, len(y.plan.Steps)-1); i >= 0; i-- {
		step := y.plan.Steps[i]
		if step.Undo == "" || i == y.done && !step.Always {
			continue
		}
		if _, err := y.Actions()[step.Undo].Do(context.Background(), y.run(i)); err != nil {
			y.t.Fatalf("undo of %s: %v", step.Name, err)
		}
	}
}

// must plays the whole plan.
func (s *stage) must(plan platform.Plan, err error) *play {
	s.t.Helper()
	y := s.begin(plan, err)
	if _, err := y.until(s.t.Context(), ""); err != nil {
		s.t.Fatalf("%v\n%s", err, s.log.String())
	}
	return y
}

func (s *stage) deploy(tag string) *play {
	s.t.Helper()
	y := s.must(s.PlanDeploy(s.t.Context(), pizza, s.source(tag)))
	s.answers(tag)
	return y
}

// visit asks through the front. Without an answer of 200 the text is empty.
func (s *stage) visit(path string) (int, string) {
	res, err := visitor.Get("http://" + s.Address() + path)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return res.StatusCode, ""
	}
	return res.StatusCode, string(body)
}

var visitor = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (s *stage) answers(want string) {
	s.t.Helper()
	if code, got := s.visit("/"); got != want {
		s.t.Fatalf("visitors see %d %q; want %q", code, got, want)
	}
}

func (s *stage) post(text string) {
	s.t.Helper()
	res, err := visitor.Post("http://"+s.Address()+"/notes", "text/plain", strings.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		s.t.Fatalf("POST answered %d: %s", res.StatusCode, body)
	}
}

func (s *stage) states() map[string]platform.ReleaseState {
	s.t.Helper()
	list, err := s.Releases(s.t.Context(), pizza, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	states := map[string]platform.ReleaseState{}
	for _, r := range list {
		states[r.ID] = r.State
	}
	return states
}

func (s *stage) wantStates(want map[string]platform.ReleaseState) {
	s.t.Helper()
	if got := s.states(); !maps.Equal(got, want) {
		s.t.Errorf("releases are %v; want %v", got, want)
	}
}

func contains(list []string, part string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, part) })
}
