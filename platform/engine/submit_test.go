package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

// gate is a gate that does something while it is asked.
type gate func(ctx context.Context, op platform.Operation) (engine.Verdict, error)

func (gate) Name() string { return "test" }
func (g gate) Check(ctx context.Context, op platform.Operation) (engine.Verdict, error) {
	return g(ctx, op)
}

// A lock that is set after its gate was asked, and before the operation begins,
// holds all the same.
func TestLockSetWhileGatesAreAskedHolds(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		var r *rig
		r = open(t, p, platformtest.New(platformtest.Options{}), func(c *engine.Config) {
			c.Gates = []engine.Gate{gate(func(ctx context.Context, op platform.Operation) (engine.Verdict, error) {
				return engine.Open(), r.Lock(ctx, engine.Lock{Target: op.Target, Person: lead, Why: "migrating", Expires: time.Now().Add(time.Hour)})
			})}
		})
		_, err := r.Submit(context.Background(), deployOf("v1.0.0"))
		if f := fault.Of(err); !fault.Is(err, fault.Refused) || !strings.Contains(f.Say, "migrating") || !strings.HasPrefix(f.Hint, "/unlock ocpizza") {
			t.Errorf("submitted: %v", err)
		}
		if ops, err := r.List(context.Background(), engine.Filter{}); err != nil || len(ops) != 0 {
			t.Errorf("stored: %v %v", ops, err)
		}
	})
}

// slowPlanner holds the planning of one version up.
type slowPlanner struct {
	*platformtest.Fake
	version  string
	planning chan struct{} // closed when it is being planned
	goOn     chan struct{}
}

func (s slowPlanner) PlanDeploy(ctx context.Context, t platform.Target, src platform.Source) (platform.Plan, error) {
	if src.Version == s.version {
		select {
		case <-s.planning:
		default:
			close(s.planning)
			<-s.goOn
		}
	}
	return s.Fake.PlanDeploy(ctx, t, src)
}

// What held the target when an operation was planned has ended when it is
// stored: the plan is for a world that is gone, and is made again.
func TestPlanThatAgedWhileItWasMadeIsMadeAgain(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		slow := slowPlanner{platformtest.New(platformtest.Options{}), "v2", make(chan struct{}), make(chan struct{})}
		hold := make(chan struct{})
		r := open(t, p, slow.Fake, func(c *engine.Config) {
			c.Providers = func(platform.Target) (platform.Provider, error) { return slow, nil }
		})
		slow.Script(platformtest.Script{Step: "probe", Version: "v1", Slow: 300 * time.Millisecond})
		first := r.submit(deployOf("v1"))
		go func() {
			defer close(hold)
			<-slow.planning
			r.untilState(first.ID, platform.Succeeded)
			close(slow.goOn)
		}()
		second := r.submit(deployOf("v2"))
		<-hold
		second = r.untilState(second.ID, platform.Succeeded)
		if second.Previous != "r1" {
			t.Errorf("r1 was live when it began, and it says %q", second.Previous)
		}
	})
}

// A line whose gates take their time holds up itself, and nobody else.
func TestSlowLineHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	asked, goOn := make(chan struct{}, 10), make(chan struct{})
	p, fake := storetest.SQLite(t), platformtest.New(platformtest.Options{})
	r := open(t, p, fake, func(c *engine.Config) {
		c.Gates = []engine.Gate{gate(func(ctx context.Context, op platform.Operation) (engine.Verdict, error) {
			if op.Target.App == "slow" {
				asked <- struct{}{}
				<-goOn
			}
			return engine.Open(), nil
		})}
	})
	slow := queuedOn(t, r, "slow")
	<-asked
	quick := queuedOn(t, r, "quick")
	r.untilState(quick.ID, platform.Succeeded)
	close(goOn)
	r.untilState(slow.ID, platform.Succeeded)
}

// queuedOn stores a deploy of app that stands in line and that nobody starts.
func queuedOn(t *testing.T, r *rig, app string) platform.Operation {
	t.Helper()
	ctx, target := context.Background(), platform.Target{App: app, Environment: "production"}
	plan, err := r.fake.PlanDeploy(ctx, target, *source("v1"))
	if err != nil {
		t.Fatal(err)
	}
	op := platform.Operation{Key: "of " + app, Kind: platform.Deploy, Target: target, Source: source("v1"), Plan: plan, State: platform.Queued,
		Requester: dev, Place: place, Created: time.Now(), Queued: time.Now()}
	if err := r.store.Update(ctx, target, func(tx engine.Tx) error { return tx.Insert(ctx, &op, "") }); err != nil {
		t.Fatal(err)
	}
	return op
}

// What is asked for while the replica stops stands in line, and the next start
// begins it: the queue of a replica that may not come back would keep it.
func TestStoppedEngineBeginsNothing(t *testing.T) {
	t.Parallel()
	p, fake := storetest.PostgreSQL(t), platformtest.New(platformtest.Options{})
	s := p.Open(t)
	r := open(t, p, fake, func(c *engine.Config) { c.Store = s })
	<-r.Started()
	stopping, err := engine.New(engine.Config{Store: s, Pool: s.Pool(), Replica: "gone", Policy: crew{},
		Providers: func(platform.Target) (platform.Provider, error) { return fake, nil }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := stopping.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := stopping.Close(); err != nil {
		t.Fatal(err)
	}
	op, err := stopping.Submit(context.Background(), deployOf("v1"))
	if err != nil || op.State == platform.Running {
		t.Fatalf("submitted: %s, %v", op.State, err)
	}
	if op = r.untilState(op.ID, platform.Succeeded); op.Owner != "one" {
		t.Errorf("it ran on %s", op.Owner)
	}
}
