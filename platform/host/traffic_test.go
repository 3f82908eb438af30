package host

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// traffic is visitors who never stop asking. A fifth of them post, some stay long.
type traffic struct {
	s      *stage
	asked  atomic.Int64
	posted sync.Map // text → true, of what was acknowledged
	failed sync.Map
	stop   chan struct{}
	done   sync.WaitGroup
}

func (s *stage) traffic(every time.Duration) *traffic {
	tr := &traffic{s: s, stop: make(chan struct{})}
	address := s.Address()
	tr.done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tr.stop:
				return
			case <-tick.C:
				tr.done.Go(func() { tr.visit("http://"+address, i) })
			}
		}
	})
	return tr
}

func (tr *traffic) visit(base string, i int) {
	tr.asked.Add(1)
	var res *http.Response
	var err error
	text := fmt.Sprintf("order %d", i)
	switch {
	case i%5 == 0:
		res, err = visitor.Post(base+"/notes", "text/plain", strings.NewReader(text))
	case i%29 == 0:
		res, err = visitor.Get(base + "/slow?for=1s")
	default:
		res, err = visitor.Get(base + "/")
	}
	if err != nil {
		tr.failed.Store(i, err.Error())
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		tr.failed.Store(i, fmt.Sprint(res.StatusCode, err, string(body)))
		return
	}
	if i%5 == 0 {
		tr.posted.Store(text, true)
	}
}

// end waits for the last visitor and fails the test when one was turned away.
func (tr *traffic) end() {
	tr.s.t.Helper()
	close(tr.stop)
	tr.done.Wait()
	failed := 0
	tr.failed.Range(func(i, why any) bool {
		if failed++; failed < 6 {
			tr.s.t.Errorf("request %v: %v", i, why)
		}
		return true
	})
	tr.s.t.Logf("%d requests, %d failed", tr.asked.Load(), failed)
}

// once fails the test unless each acknowledged post is in text exactly once.
func (tr *traffic) once(text string) {
	tr.s.t.Helper()
	counts := map[string]int{}
	for line := range strings.SplitSeq(text, "\n") {
		counts[line]++
	}
	n := 0
	tr.posted.Range(func(order, _ any) bool {
		n++
		if counts[order.(string)] != 1 {
			tr.s.t.Errorf("%q is there %d times", order, counts[order.(string)])
		}
		return true
	})
	tr.s.t.Logf("%d posts acknowledged", n)
}

func TestVisitorsNoticeNoSwap(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	tr := s.traffic(10 * time.Millisecond)
	s.deploy("v1.1.0")
	y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.2.0")))
	if _, err := y.until(t.Context(), ""); !fault.Is(err, fault.Refused) {
		t.Errorf("the broken release ended with %v", err)
	}
	y.undo()
	s.must(s.PlanRestart(t.Context(), pizza, ""))
	first, err := s.entry("r1")
	if err != nil {
		t.Fatal(err)
	}
	back := s.must(s.PlanRollback(t.Context(), pizza, first.Release))
	s.answers("v1.0.0")
	back.undo()
	s.answers("v1.1.0")
	tr.end()
	_, notes := s.visit("/notes")
	tr.once(notes)
}

func TestAfterTheSwitchNobodySeesTheOldRelease(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.1.0")))
	if _, err := y.until(t.Context(), "verify"); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 25 {
				s.answersAny(t, "v1.1.0")
			}
		})
	}
	all.Wait()
}

func (s *stage) answersAny(t *testing.T, want string) {
	if code, got := s.visit("/"); got != want {
		t.Errorf("visitors see %d %q; want %q", code, got, want)
	}
}

func TestARestoreLosesNothingThatWasAcknowledged(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.1.0")
	s.post("before the backup")
	s.must(s.PlanCapture(t.Context(), pizza, ""))
	list, err := s.Backups(t.Context(), pizza)
	if err != nil || len(list) != 1 || list[0].Grade != "readable" {
		t.Fatalf("backups are %+v, %v", list, err)
	}
	tr := s.traffic(10 * time.Millisecond)
	for tr.asked.Load() < 20 {
		time.Sleep(time.Millisecond)
	}
	s.must(s.PlanRestore(t.Context(), pizza, list[0], ""))
	tr.end()
	list, err = s.Backups(t.Context(), pizza)
	if err != nil || len(list) != 2 || list[1].Grade != "restored" || !strings.HasPrefix(list[0].Why, "safety backup") {
		t.Fatalf("backups are %+v, %v", list, err)
	}
	_, after := s.visit("/notes")
	s.must(s.PlanRestore(t.Context(), pizza, list[0], ""))
	_, before := s.visit("/notes")
	tr.once(strings.TrimPrefix(before, "before the backup\n") + "\n" + strings.TrimPrefix(after, "before the backup"))
}

func TestMaintenancePageLetsTheHealthCheckPass(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.must(s.PlanMaintenance(t.Context(), pizza, true, "spring cleaning"))
	res, err := visitor.Get("http://" + s.Address() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
		res.Header.Get("Cache-Control") != "no-store" || !strings.Contains(string(body), "Back in a moment") {
		t.Errorf("visitors see %d %v %s, %v", res.StatusCode, res.Header, body, err)
	}
	if strings.Contains(string(body), "spring") {
		t.Error("visitors are told the reason")
	}
	if code, _ := s.visit("/healthz"); code != http.StatusOK {
		t.Errorf("the health check answers %d", code)
	}
	if err := os.WriteFile(s.path("shared", "maintenance.html"), []byte("our own page"), 0o640); err != nil {
		t.Fatal(err)
	}
	res, err = visitor.Get("http://" + s.Address() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != "our own page" {
		t.Errorf("visitors see %q", body)
	}
	s.deploy2(t, "v1.1.0")
	s.must(s.PlanMaintenance(t.Context(), pizza, false, ""))
	s.answers("v1.1.0")
}

// TestMaintenanceTellsWhoseHandItWas reads the flag as maitred leaves it, and as
// people leave it.
func TestMaintenanceTellsWhoseHandItWas(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	now := func() platform.Maintenance {
		t.Helper()
		m, err := s.Maintenance(t.Context(), pizza)
		if err != nil || !m.On {
			t.Fatalf("%+v, %v", m, err)
		}
		return m
	}
	s.must(s.PlanMaintenance(t.Context(), pizza, true, ""))
	if m := now(); m.Why != "" || m.Since.IsZero() {
		t.Errorf("the page that maitred shows tells %+v", m)
	}
	for text, want := range map[string]string{"": "the flag file was made by hand", "moving racks\n": "the flag file was made by hand: moving racks"} {
		if err := os.WriteFile(s.path("shared", "maintenance.on"), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if m := now(); m.Why != want || !m.Since.IsZero() {
			t.Errorf("a flag with %q tells %+v", text, m)
		}
	}
}

// TestPsTellsOfWhatShouldRun leaves out the slot of the release before.
func TestPsTellsOfWhatShouldRun(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.deploy("v1.1.0")
	status, err := s.Status(t.Context(), pizza)
	if err != nil || len(status.Processes) != 1 || status.Processes[0].State != "up" {
		t.Errorf("%+v, %v", status.Processes, err)
	}
}

// deploy2 deploys while visitors see the maintenance page.
func (s *stage) deploy2(t *testing.T, tag string) {
	t.Helper()
	s.must(s.PlanDeploy(t.Context(), pizza, s.source(tag)))
}

func TestFrontSendsABodyOnce(t *testing.T) {
	dir, err := os.MkdirTemp("", "front")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, sub := range []string{"run", "shared/log"} {
		if err := os.MkdirAll(dir+"/"+sub, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Front(ctx, FrontConfig{Listen: "127.0.0.1:0", Dir: dir}) }()
	address := waitForFront(t, dir)

	// A slot that takes the request and breaks off: nobody may send it again.
	var taken atomic.Int64
	rude, err := net.Listen("unix", dir+"/run/blue.sock")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			taken.Add(1)
			buf := make([]byte, 1<<16)
			_, _ = c.Read(buf)
			c.Close()
		}
	}()
	if err := os.Symlink("blue.sock", dir+"/run/active.sock"); err != nil {
		t.Fatal(err)
	}
	if code := postTo(t, address, "one pizza"); code != http.StatusBadGateway || taken.Load() != 1 {
		t.Errorf("a broken answer became %d and was asked for %d times", code, taken.Load())
	}

	// A slot that is gone: the request waits for its successor.
	rude.Close()
	if err := os.Remove(dir + "/run/blue.sock"); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	got := make(chan int, 1)
	go func() { got <- postTo(t, address, "two pizzas") }()
	kind, err := net.Listen("unix", dir+"/run/green.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer kind.Close()
	bodies := make(chan string, 4)
	go func() {
		_ = http.Serve(kind, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies <- string(body)
		}))
	}()
	if err := (local{}).Link("green.sock", dir+"/run/active.sock"); err != nil {
		t.Fatal(err)
	}
	if code := <-got; code != http.StatusOK || <-bodies != "two pizzas" || len(bodies) != 0 {
		t.Errorf("the successor's answer became %d", code)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the front ended with %v", err)
	}
}

func waitForFront(t *testing.T, dir string) string {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if data, err := os.ReadFile(dir + "/run/front.json"); err == nil {
			_, at, _ := strings.Cut(string(data), `"at":"`)
			at, _, _ = strings.Cut(at, `"`)
			return at
		}
	}
	t.Fatal("the front does not listen")
	return ""
}

func postTo(t *testing.T, address, body string) int {
	res, err := visitor.Post("http://"+address+"/", "text/plain", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestAfterAPowerCutEverythingIsStartedAgain(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	for _, j := range []job{s.frontJob(), s.job(s.activeTenant())} {
		id, _ := j.ident()
		if err := s.box.Signal(id.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for j.alive() {
			time.Sleep(time.Millisecond)
		}
	}
	status, err := s.Status(t.Context(), pizza)
	if err != nil || status.Running || status.Healthy || status.Processes[0].State != "crashed" {
		t.Fatalf("status is %+v, %v; want a crash to be seen", status, err)
	}
	s.Provider = s.open()
	if err := s.EnsureRunning(t.Context(), pizza); err != nil {
		t.Fatal(err)
	}
	s.answers("v1.0.0")
	pid := s.activePID()
	if err := s.EnsureRunning(t.Context(), pizza); err != nil || s.activePID() != pid {
		t.Errorf("an app that runs was started again: %v", err)
	}
	s.must(s.PlanStop(t.Context(), pizza, ""))
	if err := s.EnsureRunning(t.Context(), pizza); err != nil {
		t.Fatal(err)
	}
	if _, text := s.visit("/"); text != "" {
		t.Error("an app that somebody stopped was started")
	}
}

func (s *stage) activeTenant() tenant {
	s.t.Helper()
	slot, err := s.active()
	if err != nil {
		s.t.Fatal(err)
	}
	t, ok := s.tenant(slot)
	if !ok {
		s.t.Fatal("nothing was started")
	}
	return t
}

func (s *stage) activePID() int {
	id, _ := s.job(s.activeTenant()).ident()
	return id.pid
}
