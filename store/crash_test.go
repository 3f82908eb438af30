package store_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
	"maitred/store/storetest"
)

// TestMain lets the test binary be the process that is killed.
func TestMain(m *testing.M) {
	if where := os.Getenv("STORE_TO_WRITE_TO"); where != "" {
		writeUntilKilled(where)
	}
	os.Exit(m.Run())
}

// writeUntilKilled hears lines and starts operations as fast as it can, and
// prints each key once it was told that it is stored.
func writeUntilKilled(where string) {
	var o store.Options
	if err := json.Unmarshal([]byte(where), &o); err != nil {
		panic(err)
	}
	s, err := store.Open(ctx, o)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var out sync.Mutex
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("%d-%d-%d", os.Getpid(), w, i)
				if _, err := s.Hear(ctx, chat.Inbound{Key: key}, nil, "one", time.Minute); err != nil {
					panic(err)
				}
				out.Lock()
				fmt.Println("heard", key)
				out.Unlock()
				if w > 1 {
					continue
				}
				op := platform.Operation{Key: key, Kind: platform.Capture, State: platform.Queued, Target: platform.Target{App: fmt.Sprint("app", w)}, Place: chat.Place{Chat: "webchat", Channel: "c"}}
				if err := s.Update(ctx, op.Target, func(tx engine.Tx) error { return tx.Insert(ctx, &op, key) }); err != nil {
					panic(err)
				}
				out.Lock()
				fmt.Println("started", key)
				out.Unlock()
			}
		}()
	}
	select {}
}

// TestKilled kills a process that writes, again and again, and looks whether
// all that it had been promised is there.
func TestKilled(t *testing.T) {
	kills := 5
	if os.Getenv("MAITRED_SOAK") != "" {
		kills = 50
	}
	storetest.EachPlace(t, func(t *testing.T, p storetest.Place) {
		var heard, started []string
		for i := range kills {
			h, s := runAndKill(t, p, time.Duration(50+(i*37)%200)*time.Millisecond)
			heard, started = append(heard, h...), append(started, s...)
		}
		s := p.Open(t)
		for _, key := range heard {
			if _, err := s.Heard(ctx, key); err != nil {
				t.Errorf("%s had been acknowledged: %v", key, err)
			}
		}
		for _, key := range started {
			op, err := s.ByKey(ctx, key)
			must(t, err)
			h, err := s.Heard(ctx, key)
			must(t, err)
			if h.Operation != op.ID || !h.Started {
				t.Errorf("the row of %s knows operation %d, want %d", key, h.Operation, op.ID)
			}
		}
		live, err := s.Live(ctx)
		must(t, err)
		n, _, err := s.Backlog(ctx)
		must(t, err)
		if n != len(live) {
			t.Errorf("%d operations but %d cards due", len(live), n)
		}
		if len(heard) == 0 || len(started) == 0 {
			t.Error("nothing was written before the kills")
		}
		fmt.Printf("store on %s: %d kills, %d lines and %d operations acknowledged, none lost\n", p.Name, kills, len(heard), len(started))
	})
}

func runAndKill(t *testing.T, p storetest.Place, after time.Duration) (heard, started []string) {
	t.Helper()
	where, err := json.Marshal(store.Options{Dir: p.Options.Dir, URL: p.Options.URL, Replica: "one"})
	must(t, err)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "STORE_TO_WRITE_TO="+string(where))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	lines := bufio.NewScanner(out)
	armed := false
	for lines.Scan() {
		if !armed { // it writes; from now on any moment will do
			armed = true
			time.AfterFunc(after, func() { child.Process.Kill() })
		}
		switch word, key, _ := strings.Cut(lines.Text(), " "); word {
		case "heard":
			heard = append(heard, key)
		case "started":
			started = append(started, key)
		case "error":
			t.Error(key)
		}
	}
	child.Wait()
	return heard, started
}
