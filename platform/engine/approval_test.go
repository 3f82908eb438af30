package engine_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

// clock can be moved forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time        { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) move(by time.Duration) { c.ahead.Add(int64(by)) }

func withRules(rules engine.Rules) func(*engine.Config) {
	return func(c *engine.Config) { c.Rules = rules }
}

func yes(who chat.Person) platform.Decision { return platform.Decision{Person: who, Approve: true} }

func TestApprovalLetsItGo(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(ruled()))
		op := r.submit(deployOf("v1.0.0"))
		if op.State != platform.Waiting || op.Approval == nil || op.Approval.Needed != 1 {
			t.Fatalf("submitted as %s %+v", op.State, op.Approval)
		}
		if _, err := r.Decide(context.Background(), op.ID, yes(lead)); err != nil {
			t.Fatal(err)
		}
		r.untilState(op.ID, platform.Succeeded)
		_, err := r.Decide(context.Background(), op.ID, yes(lead2))
		if !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "approved by lead") {
			t.Errorf("a late approval: %v", err)
		}
	})
}

func TestWhoMayNotDecide(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(ruled()))
		q := deployOf("v1.0.0")
		q.Requester = lead
		op := r.submit(q)
		elsewhere := chat.Person{Chat: "slack", ID: "U1", Who: "lead"}
		service := person("bot")
		service.Automaton = true
		guest := person("lead2")
		guest.Guest = true
		for name, who := range map[string]chat.Person{
			"the requester": lead, "the requester from another chat": elsewhere, "a service": service,
			"a guest": guest, "one without the role": dev, "a stranger": {Chat: "webchat", ID: "x"},
		} {
			_, err := r.Decide(context.Background(), op.ID, yes(who))
			if !fault.Is(err, fault.Forbidden) || !strings.Contains(err.Error(), "lead2") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if op := r.untilState(op.ID, platform.Waiting); op.Version != 1 {
			t.Errorf("refused decisions changed it to version %d", op.Version)
		}
	})
}

func TestRejectEndsIt(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		rules := ruled()
		rules.Approvals[0].Count = 2
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(rules))
		op := r.submit(deployOf("v1.0.0"))
		if op, err := r.Decide(context.Background(), op.ID, yes(lead)); err != nil || op.State != platform.Waiting {
			t.Fatalf("after one of two: %s %v", op.State, err)
		}
		if _, err := r.Decide(context.Background(), op.ID, yes(lead)); !fault.Is(err, fault.Refused) {
			t.Errorf("a second word of one person: %v", err)
		}
		op, err := r.Decide(context.Background(), op.ID, platform.Decision{Person: lead2, Why: "not on Friday"})
		if err != nil || op.State != platform.Cancelled || op.Reason != "rejected" || !strings.Contains(op.Message, "not on Friday") {
			t.Errorf("rejected: %s %s %q %v", op.State, op.Reason, op.Message, err)
		}
	})
}

func TestManyDecideAtOnce(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(ruled()))
		op := r.submit(deployOf("v1.0.0"))
		var wg sync.WaitGroup
		var accepted atomic.Int64
		for i := range 8 {
			who := lead
			if i%2 == 1 {
				who = lead2
			}
			wg.Go(func() {
				if _, err := r.Decide(context.Background(), op.ID, yes(who)); err == nil {
					accepted.Add(1)
				} else if !fault.Is(err, fault.Refused) {
					t.Errorf("decide: %v", err)
				}
			})
		}
		wg.Wait()
		if accepted.Load() != 1 {
			t.Errorf("%d decisions were accepted, one is needed", accepted.Load())
		}
		r.untilState(op.ID, platform.Succeeded)
		if n := r.times(platformtest.Begin, op.ID, "switch"); n != 1 {
			t.Errorf("it ran %d times", n)
		}
	})
}

func TestApprovalIsRemindedOfAndExpires(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		var c clock
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(ruled()), func(conf *engine.Config) { conf.Now = c.now })
		op := r.submit(deployOf("v1.0.0"))
		c.move(31 * time.Minute)
		r.until(op.ID, "reminded of", func(op platform.Operation) bool { return op.Approval.Remind.IsZero() })
		c.move(30 * time.Minute)
		op = r.untilState(op.ID, platform.Cancelled)
		if op.Reason != "expired" {
			t.Errorf("ended %s: %s", op.Reason, op.Message)
		}
		if said := r.said(op.ID); said[engine.ApprovalRemind] != 1 || said[engine.Finished] != 1 {
			t.Errorf("told: %v", said)
		}
		if _, err := r.Decide(context.Background(), op.ID, yes(lead)); !fault.Is(err, fault.Refused) {
			t.Errorf("an approval after the end: %v", err)
		}
	})
}

func TestMovedRefVoidsTheApproval(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		var moved atomic.Bool
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(ruled()), func(c *engine.Config) {
			c.Resolve = func(_ context.Context, _ platform.Target, ref string) (platform.Source, error) {
				if moved.Load() {
					return platform.Source{Ref: ref, SHA: "another"}, nil
				}
				return *source(ref), nil
			}
		})
		op := r.submit(deployOf("main"))
		moved.Store(true)
		op, err := r.Decide(context.Background(), op.ID, yes(lead))
		if err != nil || op.State != platform.Cancelled || op.Reason != "voided" || !strings.Contains(op.Message, "another") {
			t.Errorf("ended %s %s %q %v", op.State, op.Reason, op.Message, err)
		}
		if len(r.fake.Journal()) != 0 {
			t.Error("something was done")
		}
	})
}

func TestGatesAreAskedAgainBeforeTheStart(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(ruled()))
		op := r.submit(deployOf("v1.0.0"))
		if err := r.Freeze(context.Background(), engine.Freeze{App: shop.App, Person: lead2, Why: "the fair"}); err != nil {
			t.Fatal(err)
		}
		op, err := r.Decide(context.Background(), op.ID, yes(lead))
		if err != nil || op.Reason != "gate:freeze" || !strings.Contains(op.Message, "the fair") {
			t.Errorf("ended %s %s %q %v", op.State, op.Reason, op.Message, err)
		}
		backup := r.submit(request(platform.Capture, nil))
		r.untilState(backup.ID, platform.Succeeded)
	})
}

func TestRulesOfNowCount(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(ruled()))
		op := r.submit(deployOf("v1.0.0"))
		stricter := ruled()
		stricter.Approvals[0].Count = 2
		r.SetRules(stricter)
		op, err := r.Decide(context.Background(), op.ID, yes(lead))
		if err != nil || op.Reason != "gate:approvals" {
			t.Errorf("ended %s %s %q %v", op.State, op.Reason, op.Message, err)
		}
	})
}

func TestBreakGlass(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		r := open(t, p, platformtest.New(platformtest.Options{}), withRules(ruled()))
		op := r.submit(deployOf("v1.0.0"))
		if _, err := r.BreakGlass(context.Background(), op.ID, dev, " "); !fault.Is(err, fault.Invalid) {
			t.Errorf("without a reason: %v", err)
		}
		if _, err := r.BreakGlass(context.Background(), op.ID, person("nobody"), "fire"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("by a stranger: %v", err)
		}
		if _, err := r.BreakGlass(context.Background(), op.ID, dev, "the shop burns"); err != nil {
			t.Fatal(err)
		}
		op = r.untilState(op.ID, platform.Succeeded)
		if !op.BrokenGlass || r.said(op.ID)[engine.GlassBroken] != 1 {
			t.Errorf("broken glass %v, told %v", op.BrokenGlass, r.said(op.ID))
		}
	})
}
