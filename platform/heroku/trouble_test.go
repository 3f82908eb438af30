package heroku

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/heroku/herokutest"
)

// walk carries a plan out as the engine does: a Do is repeated while Heroku is
// out of reach, and what may have been started is looked for before it is
// started again.
func (s *stage) walk(plan platform.Plan, err error) (map[string]platform.Result, error) {
	s.t.Helper()
	if err != nil {
		return nil, err
	}
	s.op++
	results, all := map[string]json.RawMessage{}, map[string]platform.Result{}
	for _, step := range plan.Steps {
		r := platform.Run{
			Operation: s.op, Requester: "ann", Target: pizza, Step: step, Key: fmt.Sprintf("%d/%s", s.op, step.Name), Fence: 1, Results: results, Log: io.Discard,
			Secret: func(context.Context, string) (string, error) { return "s3cr3t-canary", nil },
		}
		result, err := s.step(r)
		if err != nil {
			return all, err
		}
		results[step.Name], all[step.Name] = result.Data, result
	}
	return all, nil
}

func (s *stage) step(r platform.Run) (result platform.Result, err error) {
	ctx := s.t.Context()
	a := s.open().Actions()[r.Step.Action]
	for range 12 {
		switch {
		case a.Once != nil:
			return a.Once(ctx, r)
		case a.Do != nil:
			result, err = a.Do(ctx, r)
		default:
			var h platform.Handle
			var found bool
			if h, found, err = a.Find(ctx, r); err == nil && !found {
				h, err = a.Start(ctx, r)
			}
			if err == nil {
				result, err = a.Wait(ctx, r, h)
			}
		}
		if !fault.Is(err, fault.Unreachable) {
			return result, err
		}
		a = s.open().Actions()[r.Step.Action] // and maitred was killed besides
	}
	return result, err
}

func TestLostAnswersStartNothingTwice(t *testing.T) {
	tests := map[string]struct {
		on, counted string
		plan        func(p *Provider, s *stage) (platform.Plan, error)
	}{
		"a build": {"POST .*/builds$", "build", func(p *Provider, s *stage) (platform.Plan, error) {
			return p.PlanDeploy(s.t.Context(), pizza, s.sources["v1.1.0"])
		}},
		"a backup": {"POST .*/backups$", "capture", func(p *Provider, s *stage) (platform.Plan, error) {
			return p.PlanCapture(s.t.Context(), pizza, "")
		}},
		"a restore": {"POST .*/restores$", "restore", func(p *Provider, s *stage) (platform.Plan, error) {
			list, err := p.Backups(s.t.Context(), pizza)
			if err != nil {
				return platform.Plan{}, err
			}
			return p.PlanRestore(s.t.Context(), pizza, list[0], "")
		}},
		"a rollback": {"POST .*/releases$", "release", func(p *Provider, s *stage) (platform.Plan, error) {
			list, err := p.Releases(s.t.Context(), pizza, 0)
			if err != nil {
				return platform.Plan{}, err
			}
			return p.PlanRollback(s.t.Context(), pizza, list[1])
		}},
		"a variable": {"PATCH .*/config-vars$", "release", func(p *Provider, s *stage) (platform.Plan, error) {
			return p.PlanSet(s.t.Context(), pizza, "CANARY", "handle")
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, herokutest.Options{})
			p := s.open()
			for _, version := range []string{"v1.0.0", "v1.1.0"} {
				s.must(s.walk(p.PlanDeploy(t.Context(), pizza, s.sources[version])))
			}
			s.must(s.walk(p.PlanCapture(t.Context(), pizza, "")))
			plan, err := tt.plan(p, s)
			if err != nil {
				t.Fatal(err)
			}
			before := s.heroku.Count(tt.counted, "ocpizza")
			s.heroku.Fail(herokutest.Fault{On: tt.on, Accepted: true, Cut: true})
			s.must(s.walk(plan, nil))
			if n := s.heroku.Count(tt.counted, "ocpizza") - before; n != 1 {
				t.Errorf("it was begun %d times", n)
			}
		})
	}
}

func TestADeployWeathersAStorm(t *testing.T) {
	for seed := range uint64(3) {
		s := newStage(t, herokutest.Options{})
		s.must(s.walk(s.open().PlanDeploy(t.Context(), pizza, s.sources["v1.0.0"])))
		plan, err := s.open().PlanDeploy(t.Context(), pizza, s.sources["v1.1.0"])
		if err != nil {
			t.Fatal(err)
		}
		builds := s.heroku.Count("build", "ocpizza")
		s.heroku.Storm(seed+1, 0.15)
		_, err = s.walk(plan, nil)
		s.heroku.Storm(0, 0)
		if err != nil {
			t.Fatalf("storm %d: %v", seed, err)
		}
		if n := s.heroku.Count("build", "ocpizza") - builds; n != 1 {
			t.Errorf("storm %d: %d builds", seed, n)
		}
		if got := s.answer(); got != "v1.1.0" {
			t.Errorf("storm %d: visitors see %q", seed, got)
		}
	}
}

func (s *stage) must(results map[string]platform.Result, err error) map[string]platform.Result {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return results
}

func TestRefusalsAreSentences(t *testing.T) {
	status := func(s *stage) error { _, err := s.open().Status(s.t.Context(), pizza); return err }
	deploy := func(version string) func(s *stage) error {
		return func(s *stage) error {
			_, err := s.walk(s.open().PlanDeploy(s.t.Context(), pizza, s.sources[version]))
			return err
		}
	}
	edit := func(change func(a *herokutest.App)) func(s *stage) {
		return func(s *stage) { s.heroku.Edit("ocpizza", change) }
	}
	tests := map[string]struct {
		arrange func(s *stage)
		do      func(s *stage) error
		kind    fault.Kind
		says    string
	}{
		"an app that does not exist": {func(s *stage) { s.config.App = "nowhere" }, status, fault.Missing, "Heroku has no such thing on nowhere: Couldn't find that app."},
		"an expired token":           {func(s *stage) { s.config.APIKey = "tok-3n-long-gone" }, status, fault.Forbidden, "Heroku does not accept the API key for ocpizza; it may have expired."},
		"a suspended app":            {edit(func(a *herokutest.App) { a.Suspended = true }), status, fault.Forbidden, "ocpizza, or its account, is suspended at Heroku."},
		"an account without access":  {edit(func(a *herokutest.App) { a.Denied = true }), status, fault.Forbidden, "The token has no access to that on ocpizza: You do not have access to the app ocpizza."},
		"a second factor": {edit(func(a *herokutest.App) { a.TwoFactor = true }), func(s *stage) error {
			_, err := s.walk(s.open().PlanMaintenance(s.t.Context(), pizza, true, ""))
			return err
		}, fault.Forbidden, "Heroku asks for a second factor before it touches ocpizza, which a token cannot give."},
		"no requests left": {func(s *stage) {
			s.heroku.Fail(herokutest.Fault{Times: -1, Status: 429, ID: "rate_limit", Message: "slow"})
		}, status, fault.Unreachable, "The account has used up its requests to Heroku for now; 75 more come each minute."},
		"out of order":       {func(s *stage) { s.heroku.Fail(herokutest.Fault{Times: -1}) }, status, fault.Unreachable, "Heroku is out of order: it answered 503."},
		"nonsense":           {func(s *stage) { s.heroku.Fail(herokutest.Fault{Times: -1, Status: 200, Body: "hello"}) }, status, fault.Unreachable, "Heroku answered with something that is no answer."},
		"a build that fails": {func(s *stage) { s.tag("v9.9.9") }, deploy("v9.9.9"), fault.Refused, "Push rejected, failed to compile app. The release before keeps running."},
		"a release phase that fails": {func(*stage) {}, deploy("v1.2.0"), fault.Refused,
			"failed: the table orders is locked. The release before keeps running."},
		"no such process type": {func(s *stage) { s.must(nil, deploy("v1.0.0")(s)) }, func(s *stage) error {
			_, err := s.open().PlanScale(s.t.Context(), pizza, []platform.Quantity{{Process: "wrk", Count: 1}})
			return err
		}, fault.Missing, "ocpizza/production has no process type wrk; it has web."},
		"no such dyno": {func(s *stage) { s.must(nil, deploy("v1.0.0")(s)) }, func(s *stage) error {
			_, err := s.walk(s.open().PlanRestart(s.t.Context(), pizza, "web.7"))
			return err
		}, fault.Missing, "ocpizza/production has no dyno web.7."},
		"no such size": {func(s *stage) { s.must(nil, deploy("v1.0.0")(s)) }, func(s *stage) error {
			_, err := s.walk(s.open().PlanScale(s.t.Context(), pizza, []platform.Quantity{{Process: "web", Count: 1, Size: "huge"}}))
			return err
		}, fault.Refused, "Heroku refuses: No such size as huge."},
		"no such database": {func(*stage) {}, func(s *stage) error { _, err := s.open().PlanCapture(s.t.Context(), pizza, "PURPLE"); return err },
			fault.Missing, "ocpizza/production has no database PURPLE."},
		"a backup that fails": {func(s *stage) { s.heroku.FailTransfer("ocpizza", "canceling statement due to lock timeout") }, func(s *stage) error {
			_, err := s.walk(s.open().PlanCapture(s.t.Context(), pizza, ""))
			return err
		}, fault.Refused, "The backup of ocpizza/production failed: canceling statement due to lock timeout."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, herokutest.Options{})
			tt.arrange(s)
			err := tt.do(s)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != tt.kind || !strings.HasSuffix(f.Say, tt.says) {
				t.Fatalf("got %v; want %s: %s", err, tt.kind, tt.says)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, f), s.config.APIKey) || strings.Contains(s.log.String(), s.config.APIKey) {
				t.Errorf("the token is told: %v", err)
			}
		})
	}
}

func TestListsAreReadWhole(t *testing.T) {
	s := newStage(t, herokutest.Options{Page: 200})
	s.heroku.Deploy("ocpizza", "abcdef0123456789", map[string]string{"Procfile": "web: ./serve"})
	for n := range 1100 {
		s.heroku.SetConfig("ocpizza", "N", fmt.Sprint(n))
	}
	p := s.open()
	list, err := p.Releases(t.Context(), pizza, 0)
	if err != nil || len(list) != 1101 {
		t.Fatalf("%d releases, %v; want 1101", len(list), err)
	}
	if last := list[len(list)-1]; last.SHA != "abcdef01" || list[0].State != platform.ReleaseLive || list[1].Note == "" {
		t.Errorf("the oldest is %+v, the newest %+v", last, list[0])
	}
	s.heroku.Forget()
	if _, err := p.Status(t.Context(), pizza); err != nil {
		t.Fatal(err)
	}
	if n := len(s.heroku.Requests()); n > 4 {
		t.Errorf("a status took %d requests", n)
	}
}

func TestAnOldReleaseIsGoneBackToOnce(t *testing.T) {
	s := newStage(t, herokutest.Options{})
	p := s.open()
	s.must(s.walk(p.PlanDeploy(t.Context(), pizza, s.sources["v1.0.0"])))
	list, err := p.Releases(t.Context(), pizza, 0)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 80 {
		s.heroku.SetConfig("ocpizza", "N", fmt.Sprint(n))
	}
	plan, err := p.PlanRollback(t.Context(), pizza, list[0])
	if err != nil {
		t.Fatal(err)
	}
	before := s.heroku.Count("release", "ocpizza")
	s.heroku.Fail(herokutest.Fault{On: "POST .*/releases$", Accepted: true, Cut: true})
	s.must(s.walk(plan, nil))
	if n := s.heroku.Count("release", "ocpizza") - before; n != 1 {
		t.Errorf("%d rollbacks", n)
	}
	status, err := p.Status(t.Context(), pizza)
	if err != nil || status.Release == nil || status.Release.ID != list[0].ID || status.Release.Version != "v1.0.0" {
		t.Errorf("%+v is live, %v; want %s", status.Release, err, list[0].ID)
	}
}

func TestWhatRunsIsFoundBehindARowOfFailures(t *testing.T) {
	s := newStage(t, herokutest.Options{})
	s.heroku.Deploy("ocpizza", "abcdef0123456789", map[string]string{"Procfile": "web: ./serve"})
	for range 40 {
		s.heroku.Deploy("ocpizza", "0123456789abcdef", map[string]string{"Procfile": "web: ./serve\nrelease: exit 1"})
	}
	status, err := s.open().Status(t.Context(), pizza)
	if err != nil || status.Release == nil || status.Release.SHA != "abcdef01" {
		t.Errorf("%+v is live, %v", status.Release, err)
	}
}

func TestFewRequestsLeftAreToldInTheStatus(t *testing.T) {
	s := newStage(t, herokutest.Options{})
	s.heroku.SetRemaining(100)
	status, err := s.open().Status(t.Context(), pizza)
	if err != nil || len(status.Notes) != 1 || !strings.HasPrefix(status.Notes[0], "The account has 9") {
		t.Errorf("notes %q, %v", status.Notes, err)
	}
}

func TestAStartBringsBackWhatAStopTook(t *testing.T) {
	s := newStage(t, herokutest.Options{})
	p := s.open()
	s.must(s.walk(p.PlanDeploy(t.Context(), pizza, s.sources["v1.0.0"])))
	s.must(s.walk(p.PlanScale(t.Context(), pizza, []platform.Quantity{{Process: "web", Count: 2, Delta: true, Size: "standard-2x"}})))
	s.must(s.walk(p.PlanStop(t.Context(), pizza, "web")))
	s.must(s.walk(s.open().PlanStart(t.Context(), pizza, "web")))
	if got := s.heroku.State("ocpizza")["formation web"]; got != "3 of Standard-2X" {
		t.Errorf("the formation is %q; want 3 of Standard-2X", got)
	}
}

func TestNobodyTakesMaitredsOwnApp(t *testing.T) {
	_, err := New(Config{App: "maitred", APIKey: "k"}, Options{Target: pizza, Own: "maitred"})
	if !fault.Is(err, fault.Invalid) || !strings.Contains(fault.Of(err).Say, "never a target") {
		t.Errorf("got %v", err)
	}
}

func TestACancelledBackupIsCancelledThere(t *testing.T) {
	s := newStage(t, herokutest.Options{})
	s.heroku.Hold(herokutest.Transfers)
	p := s.open()
	plan, err := p.PlanCapture(t.Context(), pizza, "")
	if err != nil {
		t.Fatal(err)
	}
	r := platform.Run{Operation: 7, Requester: "ann", Target: pizza, Step: plan.Steps[0], Key: "7/backup", Log: io.Discard}
	h, err := p.startCapture(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := p.waitCapture(ctx, r, h); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the wait ends with %v", err)
	}
	got, err := p.transfer(t.Context(), string(h), false)
	if err != nil || got.Cancelled == nil {
		t.Errorf("the transfer is %+v, %v; want it cancelled", got, err)
	}
}
