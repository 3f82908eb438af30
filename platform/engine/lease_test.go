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

// slowHeir takes longer to take over than a lease lasts, as when a frozen
// replica holds a lock in the database.
type slowHeir struct {
	*store.Store
	takes time.Duration
}

func (s slowHeir) TakeOver(ctx context.Context, dead, by string) (bool, error) {
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
	}
	return s.Store.TakeOver(ctx, dead, by)
}

func TestSlowTakeoverDoesNotCostTheLease(t *testing.T) {
	t.Parallel()
	p, fake := storetest.PostgreSQL(t), platformtest.New(platformtest.Options{})
	s := p.Open(t)
	beat(t, s, "dead", time.Millisecond)
	left := runningOn(t, s, fake, "left", "dead")
	r := open(t, p, fake, func(c *engine.Config) {
		c.Replica, c.Lease = "two", 3*time.Second
		c.Store = slowHeir{c.Store.(*store.Store), 3 * time.Second}
	})
	r.untilState(left.ID, platform.Succeeded)
	if err := r.stop(); err != nil {
		t.Errorf("the heir ended with %v", err)
	}
}
