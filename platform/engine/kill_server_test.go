package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store"
	"maitred/store/storetest"
)

// The test binary is also the server that the kill test kills: it runs itself
// again with this variable set.
const serverVariable = "MAITRED_TEST_SERVER"

// order is what a server is told.
type order struct {
	Dir     string // world, store (SQLite) and the file "enough"
	URL     string // of PostgreSQL; empty is SQLite
	Replica string
	Lease   time.Duration
	Depth   int           // operations that are live at once
	Slow    time.Duration // each action
}

// progress is the line that a server prints now and then.
type progress struct {
	Submitted int
	Live      int
}

func TestMain(m *testing.M) {
	if raw := os.Getenv(serverVariable); raw != "" {
		if err := serve(raw); err != nil {
			fmt.Fprintln(os.Stderr, "server:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve is one maitred without chats: it asks for operations itself, approves
// them as a lead and settles them as a person who looks into the journal.
func serve(raw string) error {
	var o order
	if err := json.Unmarshal([]byte(raw), &o); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	s, err := store.Open(ctx, store.Options{Dir: filepath.Join(o.Dir, "store"), URL: o.URL,
		Seal: storetest.Seal{}, AuditKey: []byte("the key of the tests' audit"), Replica: o.Replica})
	if err != nil {
		return err
	}
	defer s.Close()
	fake := killFake(o)
	conf := zap.NewDevelopmentConfig()
	conf.Level = zap.NewAtomicLevelAt(zap.ErrorLevel)
	log, err := conf.Build()
	if err != nil {
		return err
	}
	c := engine.Config{
		Store: s, Pool: s.Pool(), Replica: o.Replica, Policy: crew{}, Log: log, Lease: o.Lease, Grace: time.Second,
		Providers: func(platform.Target) (platform.Provider, error) { return fake, nil },
		Rules:     engine.Rules{Approvals: []engine.ApprovalRule{{Verbs: []string{"deploy"}, Apps: []string{"app-0", "broken"}, Roles: []string{"lead"}}}},
	}
	if c.Pool == nil {
		c.SQLite = s.SQLite()
	}
	e, err := engine.New(c)
	if err != nil {
		return err
	}
	defer e.Close()
	go drive(ctx, e, fake, o)
	return e.Run(ctx)
}

// killFake is the platform of the kill test, whose world outlives its processes.
func killFake(o order) *platformtest.Fake {
	return platformtest.New(platformtest.Options{
		Dir: filepath.Join(o.Dir, "world"), Slow: o.Slow,
		Ways:    map[string]platformtest.Way{"migrate": platformtest.Once},
		Scripts: []platformtest.Script{{Step: "verify", App: "broken", Slow: o.Slow, Fail: "It never got healthy."}},
	})
}

// drive keeps the engine busy until there is a file "enough".
func drive(ctx context.Context, e *engine.Engine, fake *platformtest.Fake, o order) {
	for ctx.Err() == nil {
		if err := driveOnce(ctx, e, fake, o); err != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "drive:", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func driveOnce(ctx context.Context, e *engine.Engine, fake *platformtest.Fake, o order) error {
	live, err := e.Live(ctx)
	if err != nil {
		return err
	}
	for _, op := range live {
		switch op.State {
		case platform.Waiting:
			// Another replica may have been quicker, which is no mistake.
			_, _ = e.Decide(ctx, op.ID, platform.Decision{Person: lead, Approve: true})
		case platform.Unknown:
			verdict := platform.WasNotDone
			for _, entry := range fake.Journal() {
				if entry.Operation == op.ID && entry.Step == "migrate" && entry.Event == platformtest.End {
					verdict = platform.WasDone
				}
			}
			_, _ = e.Settle(ctx, op.ID, platform.Settlement{Person: lead, Verdict: verdict, Why: "the journal says so"})
		}
	}
	newest, err := e.List(ctx, engine.Filter{Limit: 1})
	if err != nil {
		return err
	}
	next := 0
	if len(newest) > 0 {
		n, err := strconv.Atoi(strings.TrimPrefix(newest[0].Key, "k-"))
		if err != nil {
			return err
		}
		next = n + 1
	}
	if _, err := os.Stat(filepath.Join(o.Dir, "enough")); err == nil {
		fmt.Println(encode(progress{next, len(live)}))
		return nil
	}
	fmt.Println(encode(progress{next, len(live) + 1}))
	if len(live) >= o.Depth {
		return nil
	}
	_, err = e.Submit(ctx, killRequest(next))
	return err
}

// killRequest is the nth operation: mostly deploys, some of them to an app whose
// deploys fail, and what may run beside.
func killRequest(n int) engine.Request {
	q := engine.Request{
		Key: fmt.Sprintf("k-%d", n), Kind: platform.Deploy, Requester: dev, Place: place,
		Target: platform.Target{App: fmt.Sprintf("app-%d", n%3), Environment: "production"},
	}
	switch n % 10 {
	case 3:
		q.Target.App = "broken"
	case 5:
		q.Kind = platform.Capture
		q.Args = json.RawMessage(fmt.Sprintf(`{"database":"db-%d"}`, n))
		return q
	case 7:
		q.Kind = platform.Maintain
		q.Args = json.RawMessage(fmt.Sprintf(`{"on":%v,"why":"number %d"}`, n%20 == 7, n))
		return q
	}
	q.Source = source(fmt.Sprintf("v%05d", n))
	return q
}

func encode(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
