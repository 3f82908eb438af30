package conformance

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/platform"
	"maitred/platform/heroku"
	"maitred/platform/heroku/herokutest"
)

var target = platform.Target{App: "demo", Environment: "production"}

// intention is what a person wants, as maitred plans it. The line is the CLI's
// for the same, out of the matrix: what it changes, maitred is to change too.
type intention struct {
	line    string
	plan    func(ctx context.Context, p *heroku.Provider) (platform.Plan, error)
	besides []string // what maitred changes in addition, on purpose
}

func intentions() []intention {
	scale := func(to ...platform.Quantity) func(context.Context, *heroku.Provider) (platform.Plan, error) {
		return func(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
			return p.PlanScale(ctx, target, to)
		}
	}
	restart := func(process string) func(context.Context, *heroku.Provider) (platform.Plan, error) {
		return func(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
			return p.PlanRestart(ctx, target, process)
		}
	}
	maintain := func(on bool) func(context.Context, *heroku.Provider) (platform.Plan, error) {
		return func(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
			return p.PlanMaintenance(ctx, target, on, "")
		}
	}
	return []intention{
		{line: "maintenance:on -a demo", plan: maintain(true)},
		{line: "maintenance:off -a demo", plan: maintain(false)},
		{line: "ps:scale web=0 -a demo", plan: scale(platform.Quantity{Process: "web"})},
		{line: "ps:scale web+2 worker=1 -a demo", plan: scale(platform.Quantity{Process: "web", Count: 2, Delta: true}, platform.Quantity{Process: "worker", Count: 1})},
		{line: "ps:scale web=1:Standard-2X worker=1:Standard-2X -a demo", plan: scale(platform.Quantity{Process: "web", Count: 1, Size: "standard-2x"}, platform.Quantity{Process: "worker", Count: 1, Size: "standard-2x"})},
		{line: "ps:scale web=0 -a demo", plan: func(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
			return p.PlanStop(ctx, target, "web")
		}},
		{line: "restart -a demo", plan: restart("")},
		{line: "ps:restart --process-type web -a demo", plan: restart("web")},
		{line: "ps:restart web.1 -a demo", plan: restart("web.1")},
		{line: "releases:rollback v4 -a demo", plan: rollback},
		{line: "config:set FOO=bar -a demo", plan: func(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
			return p.PlanSet(ctx, target, "FOO", "handle")
		}},
		{line: "config:unset FOO -a demo", plan: func(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
			return p.PlanUnset(ctx, target, "FOO")
		}},
		{line: "run:detached -a demo -- 'echo later'", plan: func(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
			return p.PlanRun(ctx, target, []string{"echo", "later"})
		}},
		{line: "pg:backups:capture -a demo", plan: func(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
			return p.PlanCapture(ctx, target, "")
		}},
		{line: "pg:backups:restore b001 DATABASE_URL -a demo --confirm demo", plan: restore, besides: []string{"a safety backup"}},
	}
}

func rollback(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
	all, err := p.Releases(ctx, target, 0)
	if err != nil {
		return platform.Plan{}, err
	}
	for _, r := range all {
		if strings.HasPrefix(r.Version, "c0ffee1") || r.ID == "v4" || r.ID == "r4" {
			return p.PlanRollback(ctx, target, r)
		}
	}
	return platform.Plan{}, fmt.Errorf("there is no release of c0ffee1 in %+v", all)
}

func restore(ctx context.Context, p *heroku.Provider) (platform.Plan, error) {
	all, err := p.Backups(ctx, target)
	if err != nil {
		return platform.Plan{}, err
	}
	if len(all) != 1 {
		return platform.Plan{}, fmt.Errorf("there are %d backups", len(all))
	}
	return p.PlanRestore(ctx, target, all[0], "DATABASE_URL")
}

// TestMaitredChangesWhatTheCLIChanges holds maitred against the lines of the
// matrix; TestHerokuCLI holds the CLI against the same lines.
func TestMaitredChangesWhatTheCLIChanges(t *testing.T) {
	for _, i := range intentions() {
		t.Run(i.line, func(t *testing.T) {
			like := find(t, i.line)
			h := account(t)
			if like.before != nil {
				like.before(h)
			}
			before := h.State("demo")
			carry(t, provider(t, h), i)
			changes := herokutest.Changes(before, h.State("demo"))
			want := slices.Clone(like.changes)
			if i.besides != nil { // the safety backup comes first, so the restore is the third transfer
				want = slices.DeleteFunc(want, func(c string) bool { return strings.HasPrefix(c, "transfer") })
				want = append(want, "transfer 2: DATABASE to BACKUP, succeeded", "transfer 3: BACKUP to DATABASE, succeeded")
			}
			if !slices.Equal(changes, want) {
				t.Errorf("maitred changes\n\t%s\nand the CLI\n\t%s", strings.Join(changes, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

func find(t *testing.T, line string) play {
	t.Helper()
	for _, part := range [][]play{life(), releases(), databases()} {
		for _, p := range part {
			if p.line == line {
				return p
			}
		}
	}
	t.Fatalf("the matrix has no %q", line)
	return play{}
}

func provider(t *testing.T, h *herokutest.Heroku) *heroku.Provider {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.CA())
	p, err := heroku.New(heroku.Config{App: "demo", APIKey: h.Key, APIURL: h.API(), DataURL: h.Data()}, heroku.Options{
		Target: target, Notes: heroku.Files(t.TempDir()), Roots: roots, Pace: 4 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// carry plans an intention and carries it out, step by step.
func carry(t *testing.T, p *heroku.Provider, i intention) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	plan, err := i.plan(ctx, p)
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	results := map[string]json.RawMessage{}
	for _, step := range plan.Steps {
		a := p.Actions()[step.Action]
		run := platform.Run{
			Operation: 7, Requester: "ann", Target: target, Step: step, Key: "7/" + step.Name, Fence: 1, Results: results, Log: &bytes.Buffer{},
			Secret: func(context.Context, string) (string, error) { return "bar", nil },
		}
		var result platform.Result
		switch {
		case a.Do != nil:
			result, err = a.Do(ctx, run)
		case a.Once != nil:
			result, err = a.Once(ctx, run)
		default:
			var handle platform.Handle
			if handle, err = a.Start(ctx, run); err == nil {
				result, err = a.Wait(ctx, run, handle)
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", step.Name, err)
		}
		results[step.Name] = result.Data
	}
}
