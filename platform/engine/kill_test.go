package engine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"maitred/commands"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store"
	"maitred/store/storetest"
)

// TestKill kills servers with kill -9 at random moments and then counts: every
// operation ends, no finished step runs again, no once step runs twice without a
// person's word, no two exclusive operations of one target overlap, and
// approvals and schedules survive. MAITRED_SOAK makes it ten times as long.
func TestKill(t *testing.T) {
	// Not beside other tests: its leases are short.
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		kills, replicas := 10, 1
		if os.Getenv("MAITRED_SOAK") != "" {
			kills = 100
		}
		least := 2 * kills
		if p.Postgres() {
			replicas = 2
		}
		k := newKitchen(t, p, replicas)
		k.schedule()
		for range replicas {
			k.start()
		}
		for n := range kills {
			time.Sleep(time.Duration(30+rand.IntN(300)) * time.Millisecond)
			victim := k.kill()
			if replicas > 1 && n%5 == 4 {
				time.Sleep(k.order.Lease * 3 / 2) // long enough to be taken over
			}
			k.startAs(victim)
		}
		k.until("enough operations", func(p progress) bool { return p.Submitted >= least })
		if err := os.WriteFile(filepath.Join(k.order.Dir, "enough"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		k.until("nothing live", func(p progress) bool { return p.Live == 0 })
		k.stopAll()
		k.count(kills, least)
	})
}

// kitchen runs servers and kills them.
type kitchen struct {
	t     testing.TB
	order order
	opts  store.Options

	mu       sync.Mutex
	running  map[string]*exec.Cmd
	progress progress
	news     chan struct{}
	next     int
}

func newKitchen(t testing.TB, p storetest.Place, replicas int) *kitchen {
	k := &kitchen{t: t, running: map[string]*exec.Cmd{}, news: make(chan struct{}, 1), opts: p.Options}
	k.order = order{Dir: t.TempDir(), URL: p.Options.URL, Lease: 2 * time.Second, Depth: 4 * (1 + replicas), Slow: 8 * time.Millisecond}
	if !p.Postgres() {
		k.opts.Dir = filepath.Join(k.order.Dir, "store")
	}
	if err := os.MkdirAll(filepath.Join(k.order.Dir, "world"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.stopAll)
	return k
}

func (k *kitchen) start() {
	k.next++
	k.startAs(fmt.Sprintf("r%d", k.next))
}

func (k *kitchen) startAs(replica string) {
	k.t.Helper()
	o := k.order
	o.Replica = replica
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+encode(o))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.mu.Lock()
	k.running[replica] = cmd
	k.mu.Unlock()
	first := make(chan struct{})
	go func() {
		heard := sync.OnceFunc(func() { close(first) })
		defer heard()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var p progress
			if json.Unmarshal(lines.Bytes(), &p) != nil {
				continue
			}
			heard()
			k.mu.Lock()
			k.progress = p
			k.mu.Unlock()
			select {
			case k.news <- struct{}{}:
			default:
			}
		}
	}()
	select {
	case <-first:
	case <-time.After(30 * time.Second):
		k.t.Fatalf("server %s says nothing", replica)
	}
}

// kill ends one server as a power cut would, and returns its name.
func (k *kitchen) kill() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	names := make([]string, 0, len(k.running))
	for name := range k.running {
		names = append(names, name)
	}
	victim := names[rand.IntN(len(names))]
	cmd := k.running[victim]
	delete(k.running, victim)
	if err := cmd.Process.Kill(); err != nil {
		k.t.Errorf("kill %s: %v", victim, err)
	}
	_ = cmd.Wait() // it was killed, and says so
	return victim
}

func (k *kitchen) until(what string, reached func(progress) bool) {
	k.t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		select {
		case <-k.news:
			k.mu.Lock()
			p := k.progress
			k.mu.Unlock()
			if reached(p) {
				return
			}
		case <-deadline:
			k.t.Fatalf("no %s after two minutes: %+v", what, k.progress)
		}
	}
}

func (k *kitchen) stopAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name, cmd := range k.running {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		select {
		case err := <-ended:
			if err != nil {
				k.t.Errorf("server %s ended with %v", name, err)
			}
		case <-time.After(20 * time.Second):
			k.t.Errorf("server %s does not stop", name)
			_ = cmd.Process.Kill()
		}
		delete(k.running, name)
	}
}

func (k *kitchen) open() *store.Store {
	k.t.Helper()
	s, err := store.Open(context.Background(), k.opts)
	if err != nil {
		k.t.Fatal(err)
	}
	return s
}

// schedule stores a schedule, which must be there after all kills.
func (k *kitchen) schedule() {
	s := k.open()
	defer s.Close()
	if _, err := s.AddSchedule(context.Background(), commands.Schedule{
		Line: "/backup capture app-0", Target: shop, Cron: "@daily", Zone: "UTC", Person: dev, Place: place, Created: time.Now(),
	}); err != nil {
		k.t.Fatal(err)
	}
}

// count proves what the kill test promises.
func (k *kitchen) count(kills, least int) {
	s := k.open()
	defer s.Close()
	ctx := context.Background()
	journal, err := platformtest.ReadJournal(filepath.Join(k.order.Dir, "world"))
	if err != nil {
		k.t.Fatal(err)
	}
	a := newAudit(k.t, journal)
	var states = map[platform.State]int{}
	total, approved := 0, 0
	for before := int64(0); ; {
		ops, err := s.Operations(ctx, engine.Filter{Before: before, Limit: 200})
		if err != nil {
			k.t.Fatal(err)
		}
		if len(ops) == 0 {
			break
		}
		for _, op := range ops {
			total++
			states[op.State]++
			if op.Approval != nil {
				approved++
			}
			a.operation(ctx, s, op)
		}
		before = ops[len(ops)-1].ID
	}
	a.overlaps()
	if total < least {
		k.t.Errorf("only %d operations", total)
	}
	if all, err := s.Schedules(ctx); err != nil || len(all) != 1 {
		k.t.Errorf("schedules after the kills: %v %v", all, err)
	}
	text := fmt.Sprintf("kill -9 on %s: %d kills, %d operations %v, %d approvals, %d actions begun, %d begun again in flight, %d settled by a person, %d finished steps run again, %d once steps run twice, %d overlaps",
		k.name(), kills, total, states, approved, a.begun, a.again, a.settled, a.reran, a.twice, a.overlapping)
	k.t.Log(text)
	fmt.Println(text)
}

func (k *kitchen) name() string {
	if k.order.URL != "" {
		return "PostgreSQL, two replicas"
	}
	return "SQLite, one process"
}
