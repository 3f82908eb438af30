package platformtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// player walks plans: the smallest engine that does what platform.Action says.
type player struct {
	Stage
	t       *testing.T
	now     platform.Provider
	op      int64
	secrets map[string]string
	log     safeBuffer
}

// play is a plan on its way.
type play struct {
	*player
	op      int64
	plan    platform.Plan
	done    int // steps finished
	results map[string]json.RawMessage
	all     []platform.Result
}

func newPlayer(t *testing.T, s Stage) *player {
	return &player{Stage: s, t: t, now: s.Provider, op: 100, secrets: map[string]string{}}
}

func (p *player) provider() platform.Provider { return p.now }

// restart is what a kill -9 of maitred and a new start leave.
func (p *player) restart() {
	if p.Reopen != nil {
		p.now = p.Reopen()
	}
}

func (p *player) begin(plan platform.Plan, err error) *play {
	p.t.Helper()
	p.check("plan", err)
	if len(plan.Steps) == 0 {
		p.t.Fatal("the plan has no steps")
	}
	p.op++
	return &play{player: p, op: p.op, plan: plan, results: map[string]json.RawMessage{}}
}

func (y *play) run(i int) platform.Run {
	s := y.plan.Steps[i]
	return platform.Run{
		Operation: y.op, Requester: "ann", Target: y.Target, Step: s, Key: fmt.Sprintf("%d/%s", y.op, s.Name),
		Fence: 1, Results: y.results, Log: &y.log,
		Secret: func(_ context.Context, handle string) (string, error) {
			value, ok := y.secrets[handle]
			if !ok {
				return "", fault.New(fault.Missing, "platformtest", "", "There is no secret %s.", handle)
			}
			return value, nil
		},
	}
}

func (y *play) action(name string) platform.Action {
	y.t.Helper()
	a, ok := y.provider().Actions()[name]
	if !ok {
		y.t.Fatalf("the plan uses the action %q, which the provider does not have", name)
	}
	return a
}

// step carries step i out and keeps its result.
func (y *play) step(ctx context.Context, i int) error {
	y.t.Helper()
	result, err := perform(ctx, y.action(y.plan.Steps[i].Action), y.run(i))
	if err != nil {
		return fmt.Errorf("%s: %w", y.plan.Steps[i].Name, err)
	}
	y.keep(i, result)
	return nil
}

func (y *play) keep(i int, result platform.Result) {
	y.done = i + 1
	y.all = append(y.all, result)
	y.results[y.plan.Steps[i].Name] = result.Data
}

// rest carries out the steps that are left.
func (y *play) rest(ctx context.Context) error {
	y.t.Helper()
	for i := y.done; i < len(y.plan.Steps); i++ {
		if err := y.step(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

// undo takes the finished steps back, latest first, and the one that was begun
// as well when it asks for that.
func (y *play) undo() {
	y.t.Helper()
	for i := min(y.done, len(y.plan.Steps)-1); i >= 0; i-- {
		s := y.plan.Steps[i]
		if s.Undo == "" || i == y.done && !s.Always {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		_, err := perform(ctx, y.action(s.Undo), y.run(i))
		cancel()
		y.check("undo of "+s.Name, err)
	}
}

// perform carries a out from nothing to its end.
func perform(ctx context.Context, a platform.Action, r platform.Run) (platform.Result, error) {
	switch {
	case a.Do != nil:
		return a.Do(ctx, r)
	case a.Once != nil:
		return a.Once(ctx, r)
	}
	h, err := a.Start(ctx, r)
	if err != nil {
		return platform.Result{}, err
	}
	return a.Wait(ctx, r, h)
}

// play carries a whole plan out, which must succeed.
func (p *player) play(plan platform.Plan, err error) *play {
	p.t.Helper()
	y := p.begin(plan, err)
	p.check("play", y.rest(p.t.Context()))
	return y
}

// deploy puts src live, which must succeed.
func (p *player) deploy(src platform.Source) *play {
	p.t.Helper()
	y := p.play(p.provider().PlanDeploy(p.t.Context(), p.Target, src))
	p.answers(src)
	return y
}

// answers fails the test when visitors do not see src.
func (p *player) answers(src platform.Source) {
	p.t.Helper()
	if got := p.Answer(); got != version(&src) {
		p.t.Fatalf("visitors see %q; want %q\n%s", got, version(&src), p.log.String())
	}
}

func (p *player) live() *platform.Release {
	p.t.Helper()
	status, err := p.provider().Status(p.t.Context(), p.Target)
	p.check("status", err)
	if status.Release == nil {
		p.t.Fatal("status tells no release")
	}
	return status.Release
}

func (p *player) check(what string, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, p.log.String())
	}
}

// refuses fails the test unless err is a fault of kind k with a sentence.
func (p *player) refuses(what string, err error, k fault.Kind) {
	p.t.Helper()
	if !fault.Is(err, k) {
		p.t.Fatalf("%s: got %v; want a fault that is %s", what, err, k)
	}
	if say := fault.Of(err).Say; !strings.HasSuffix(say, ".") && !strings.HasSuffix(say, "?") {
		p.t.Errorf("%s: %q is not a sentence", what, say)
	}
}

// safeBuffer is a log that steps of one play may share.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
