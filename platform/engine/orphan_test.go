package engine_test

import (
	"context"
	"testing"
	"time"

	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store"
	"maitred/store/storetest"
)

// runningOn stores a deploy of app that runs on a replica.
func runningOn(t *testing.T, s *store.Store, fake *platformtest.Fake, app, replica string) platform.Operation {
	t.Helper()
	ctx, target := context.Background(), platform.Target{App: app, Environment: "production"}
	plan, err := fake.PlanDeploy(ctx, target, *source("v1"))
	if err != nil {
		t.Fatal(err)
	}
	op := platform.Operation{Key: "of " + app, Kind: platform.Deploy, Target: target, Source: source("v1"), Plan: plan, State: platform.Running,
		Requester: dev, Place: place, Fence: 1, Owner: replica, Created: time.Now(), Started: time.Now()}
	if err := s.Update(ctx, target, func(tx engine.Tx) error { return tx.Insert(ctx, &op, "") }); err != nil {
		t.Fatal(err)
	}
	return op
}

// beat gives a replica a lease.
func beat(t *testing.T, s *store.Store, replica string, lease time.Duration) {
	t.Helper()
	if _, err := s.Beat(context.Background(), replica, "boot of "+replica, lease); err != nil {
		t.Fatal(err)
	}
}

// Who won a dead replica died before it took the work, or the dead one was only
// frozen, began something after its work was counted, and never came back: some
// other replica carries on all the same. What a living one runs is left alone.
func TestWorkOfNobodyIsTakenUp(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	p, fake := storetest.PostgreSQL(t), platformtest.New(platformtest.Options{})
	s := p.Open(t)
	beat(t, s, "alive", time.Hour)
	theirs := runningOn(t, s, fake, "theirs", "alive")
	beat(t, s, "gone", time.Millisecond)
	half := runningOn(t, s, fake, "half", "gone")
	for won := false; !won; {
		var err error
		if won, err = s.TakeOver(ctx, "gone", "winner"); err != nil {
			t.Fatal(err)
		}
	}
	resigned := runningOn(t, s, fake, "resigned", "resigned")
	r := open(t, p, fake, func(c *engine.Config) { c.Replica, c.Lease = "two", 3*time.Second })
	for _, op := range []platform.Operation{half, resigned} {
		op = r.untilState(op.ID, platform.Succeeded)
		if op.Owner != "two" || op.Fence != 2 || r.said(op.ID)[engine.TakenOver] != 1 {
			t.Errorf("%s: owner %s, fence %d\n%s", op.Target.App, op.Owner, op.Fence, r.history(op.ID))
		}
	}
	if op := r.untilState(theirs.ID, platform.Running); op.Owner != "alive" || op.Fence != 1 {
		t.Errorf("the work of a living replica was taken: owner %s, fence %d", op.Owner, op.Fence)
	}
}
