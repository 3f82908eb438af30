package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is maitred itself, built once: the processes that it leaves behind
// must be the real program.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "maitred-binary-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "maitred")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build maitred: %w\n%s", err, out)
	}
	return path, nil
})

// built is where binary is, once it was asked for.
var built string

// tidy removes what was built when all tests have run.
type tidy struct{ *testing.M }

// Run runs the tests.
func (m tidy) Run() int {
	code := m.M.Run()
	if built == "" {
		return code
	}
	if err := os.RemoveAll(built); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// running is a maitred demo in a process of its own.
type running struct {
	t           testing.TB
	dir         string
	listen, app string // addresses
	temporary   bool   // without --dir
	process     *exec.Cmd
	printed     *printed
}

// printed is what the process printed, also while it is still printing.
type printed struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.buf.String()
}

// newDemo chooses a short directory and two free ports. What runs there is
// stopped at the end of the test.
func newDemo(t testing.TB) *running {
	t.Helper()
	dir, err := os.MkdirTemp("", "maitred-")
	if err != nil {
		t.Fatal(err)
	}
	d := &running{t: t, dir: dir, listen: freePort(t), app: freePort(t), printed: &printed{}}
	t.Cleanup(func() {
		if d.process != nil {
			d.kill()
		}
		if err := stopLeftovers(context.Background(), dir); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return d
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start starts the demo and returns when it is ready, and how long that took.
func (d *running) start() time.Duration {
	d.t.Helper()
	path, err := binary()
	if err != nil {
		d.t.Fatal(err)
	}
	began := time.Now()
	args := []string{"demo", "--listen", d.listen, "--app-listen", d.app}
	if !d.temporary {
		args = append(args, "--dir", d.dir)
	}
	d.process = exec.Command(path, args...)
	d.process.Stdout, d.process.Stderr = d.printed, d.printed
	if err := d.process.Start(); err != nil {
		d.t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + d.listen + "/readyz")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return time.Since(began)
		}
	}
	d.t.Fatalf("the demo was not ready in 30 s:\n%s", d.told())
	return 0
}

// told is what the process printed and the end of its log.
func (d *running) told() string {
	log, err := os.ReadFile(filepath.Join(d.dir, "maitred.log"))
	if err != nil {
		return d.printed.String()
	}
	return d.printed.String() + string(log[max(0, len(log)-4096):])
}

// kill is kill -9.
func (d *running) kill() {
	d.t.Helper()
	if err := d.process.Process.Kill(); err != nil {
		d.t.Errorf("kill: %v", err)
	}
	d.process.Wait() // it was killed, which is what Wait would say
	d.process = nil
}

// interrupt is Ctrl-C. It returns the exit code.
func (d *running) interrupt() int {
	d.t.Helper()
	if err := d.process.Process.Signal(syscall.SIGINT); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { d.process.Wait(); close(ended) }() // the exit code tells
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		d.t.Fatalf("the demo did not end:\n%s", d.printed)
	}
	code := d.process.ProcessState.ExitCode()
	d.process = nil
	return code
}

// lineAnswer is the answer of POST /v1/say.
type lineAnswer struct {
	Operation int64 `json:"operation"`
	Said      []struct {
		Text    string `json:"text"`
		Refused bool   `json:"refused"`
	} `json:"said"`
}

// say types a line as a persona.
func (d *running) say(as, line string) lineAnswer {
	d.t.Helper()
	body, err := json.Marshal(map[string]string{"text": line, "as": as, "channel": "deploys"})
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.Post("http://"+d.listen+"/v1/say", "application/json", bytes.NewReader(body))
	if err != nil {
		d.t.Fatalf("%s: %s: %v", as, line, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	var a lineAnswer
	if err != nil || resp.StatusCode != http.StatusOK || json.Unmarshal(raw, &a) != nil {
		d.t.Fatalf("%s: %s: %d %s %v", as, line, resp.StatusCode, raw, err)
	}
	return a
}

// followed is the answer of GET /v1/operations/{id}.
type followed struct {
	ID     int64  `json:"id"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	Undone bool   `json:"undone"`
	Steps  []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	} `json:"steps"`
}

func (o followed) step(name string) string {
	for _, s := range o.Steps {
		if s.Name == name {
			return s.State
		}
	}
	return ""
}

// look reads an operation; an error is none while maitred is down.
func (d *running) look(ctx context.Context, id int64) (o followed, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/v1/operations/%d", d.listen, id), nil)
	if err != nil {
		return o, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return o, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return o, fmt.Errorf("operation %d: %s", id, resp.Status)
	}
	return o, json.NewDecoder(resp.Body).Decode(&o)
}

// until follows an operation until is says so.
func (d *running) until(id int64, what string, is func(followed) bool) followed {
	d.t.Helper()
	var o followed
	var err error
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if o, err = d.look(d.t.Context(), id); err == nil && is(o) {
			return o
		}
	}
	d.t.Fatalf("operation %d is not %s: %+v, %v\n%s", id, what, o, err, d.told())
	return o
}

func hasEnded(o followed) bool {
	return o.State == "succeeded" || o.State == "failed" || o.State == "cancelled"
}
