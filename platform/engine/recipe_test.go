package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
	"maitred/store/storetest"
)

func args(v any) json.RawMessage { return json.RawMessage(encode(v)) }

// done submits and waits for success.
func (r *rig) done(q engine.Request) platform.Operation {
	r.t.Helper()
	return r.untilState(r.submit(q).ID, platform.Succeeded)
}

func onSQLite(t *testing.T, o platformtest.Options, change ...func(*engine.Config)) *rig {
	t.Helper()
	return open(t, storetest.SQLite(t), platformtest.New(o), change...)
}

func TestRollback(t *testing.T) {
	r := onSQLite(t, platformtest.Options{})
	_, err := r.Submit(context.Background(), request(platform.Rollback, nil))
	if !fault.Is(err, fault.Missing) {
		t.Errorf("going back to nothing: %v", err)
	}
	for _, v := range []string{"v1", "v2", "v3"} {
		r.done(deployOf(v))
	}
	tests := []struct {
		name string
		args engine.RollbackArgs
		want string // version that answers afterwards; empty is refused
		kind fault.Kind
	}{
		{"a stale button", engine.RollbackArgs{To: "r1", If: "r2"}, "", fault.Refused},
		{"the live one", engine.RollbackArgs{To: "r3"}, "", fault.Refused},
		{"one that never was", engine.RollbackArgs{To: "r9"}, "", fault.Missing},
		{"to the one before", engine.RollbackArgs{}, "v2", 0},
		{"to a named one", engine.RollbackArgs{To: "r1", If: "r2"}, "v1", 0},
		{"to a version", engine.RollbackArgs{To: "v3"}, "v3", 0},
	}
	for _, test := range tests {
		op, err := r.Submit(context.Background(), request(platform.Rollback, args(test.args)))
		if test.want == "" {
			if !fault.Is(err, test.kind) {
				t.Errorf("%s: %v", test.name, err)
			}
			if test.name == "a stale button" && !strings.Contains(err.Error(), "r3 (v3) is live") {
				t.Errorf("the refusal does not say what is live: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		op = r.untilState(op.ID, platform.Succeeded)
		if got := r.fake.Answer(shop); got != test.want {
			t.Errorf("%s: visitors see %s", test.name, got)
		}
		var stored engine.RollbackArgs
		if err := json.Unmarshal(op.Args, &stored); err != nil || stored.To == "" || stored.To == "v3" {
			t.Errorf("%s: the stored arguments name no release: %s", test.name, op.Args)
		}
	}
	if op := r.submit(request(platform.Rollback, args(engine.RollbackArgs{To: "r1"}))); len(op.Warnings) == 0 || r.said(op.ID)[engine.Warned] == 0 {
		t.Errorf("going behind the database warns of nothing: %v", op.Warnings)
	}
}

func TestUpdateIsOneOperation(t *testing.T) {
	r := onSQLite(t, platformtest.Options{})
	r.done(deployOf("v1"))
	r.fake.Write(shop, "orders of the morning")
	q := deployOf("v2")
	q.Kind = platform.Update
	op := r.done(q)
	var names []string
	for _, rec := range r.steps(op.ID) {
		names = append(names, rec.Name)
	}
	if first, last := names[0], names[len(names)-1]; first != "maintenance on" || last != "maintenance off" || !slices.Contains(names, "capture") {
		t.Errorf("steps: %v", names)
	}
	if op.Release != "r2" || op.Backup != "b1" || r.fake.Answer(shop) != "v2" {
		t.Errorf("release %s, backup %s, visitors see %s", op.Release, op.Backup, r.fake.Answer(shop))
	}
}

func TestFailedUpdatePutsReleaseAndDataBack(t *testing.T) {
	r := onSQLite(t, platformtest.Options{})
	r.done(deployOf("v1"))
	r.fake.Write(shop, "orders of the morning")
	r.fake.Script(platformtest.Script{Step: "verify", Version: "v2", Fail: "It never got healthy."})
	q := deployOf("v2")
	q.Kind = platform.Update
	op := r.untilState(r.submit(q).ID, platform.Failed)
	page, err := r.fake.Maintenance(context.Background(), shop)
	if err != nil || page.On {
		t.Errorf("the maintenance page is %+v %v", page, err)
	}
	if !op.Undone || r.fake.Answer(shop) != "v1" || r.fake.Read(shop) != "orders of the morning" || op.Backup != "b1" {
		t.Errorf("undone %v, visitors see %s and %q, backup %s", op.Undone, r.fake.Answer(shop), r.fake.Read(shop), op.Backup)
	}
}

func TestUpdateLeavesThePageUpThatWasUp(t *testing.T) {
	r := onSQLite(t, platformtest.Options{})
	r.done(deployOf("v1"))
	r.done(request(platform.Maintain, args(engine.MaintenanceArgs{On: true, Why: "oven"})))
	q := deployOf("v2")
	q.Kind = platform.Update
	op := r.done(q)
	page, err := r.fake.Maintenance(context.Background(), shop)
	if err != nil || !page.On || len(op.Warnings) == 0 {
		t.Errorf("the page is %+v %v, warned of %v", page, err, op.Warnings)
	}
}

func TestBackupAndRestore(t *testing.T) {
	r := onSQLite(t, platformtest.Options{})
	r.done(deployOf("v1"))
	if _, err := r.Submit(context.Background(), request(platform.Restore, nil)); !fault.Is(err, fault.Missing) {
		t.Errorf("restoring nothing: %v", err)
	}
	r.fake.Write(shop, "monday")
	if op := r.done(request(platform.Capture, nil)); op.Backup != "b1" {
		t.Errorf("the backup is %q", op.Backup)
	}
	r.fake.Write(shop, "tuesday")
	op := r.done(request(platform.Restore, nil))
	if got := r.fake.Read(shop); got != "monday" || !strings.Contains(string(op.Args), "b1") {
		t.Errorf("restored %q with %s", got, op.Args)
	}
	if _, err := r.Submit(context.Background(), request(platform.Restore, args(engine.BackupArgs{Backup: "b77"}))); !fault.Is(err, fault.Missing) {
		t.Errorf("restoring what is not there: %v", err)
	}
}

func TestSmallKinds(t *testing.T) {
	r := onSQLite(t, platformtest.Options{})
	r.done(deployOf("v1"))
	for _, q := range []engine.Request{
		request(platform.Stop, nil), request(platform.Start, nil), request(platform.Restart, args(engine.ProcessArgs{Process: "web"})),
		request(platform.Scale, args(engine.ScaleArgs{To: []platform.Quantity{{Process: "web", Count: 3}}})),
		request(platform.RunCommand, args(engine.RunArgs{Command: []string{"true"}})),
		request(platform.UnsetConfig, args(engine.ConfigArgs{Name: "COLOUR"})),
	} {
		if op := r.done(q); op.Message == "" {
			t.Errorf("%s ends without a word", q.Kind)
		}
	}
	for name, q := range map[string]engine.Request{
		"deploy of nothing":    request(platform.Deploy, nil),
		"scale to nothing":     request(platform.Scale, nil),
		"run of nothing":       request(platform.RunCommand, nil),
		"set without a value":  request(platform.SetConfig, args(engine.ConfigArgs{Name: "A"})),
		"unset of nothing":     request(platform.UnsetConfig, nil),
		"a kind that is not":   request("destroy", nil),
		"arguments in a knot":  request(platform.Scale, json.RawMessage(`"web"`)),
		"arguments that broke": request(platform.Rollback, json.RawMessage(`{"to":`)),
	} {
		if _, err := r.Submit(context.Background(), q); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPlatformThatCannotSaysSo(t *testing.T) {
	r := onSQLite(t, platformtest.Options{Name: "s3"}, func(c *engine.Config) {
		bare := platformtest.New(platformtest.Options{Name: "s3"}).Bare()
		c.Providers = func(platform.Target) (platform.Provider, error) { return bare, nil }
	})
	for _, kind := range []platform.Kind{platform.Rollback, platform.Update, platform.Restore, platform.Capture, platform.Maintain,
		platform.Start, platform.Stop, platform.Restart, platform.Scale, platform.RunCommand, platform.SetConfig, platform.UnsetConfig} {
		q := request(kind, nil)
		q.Source = source("v1")
		_, err := r.Submit(context.Background(), q)
		if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "The s3 platform cannot") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestSecretsAreTakenOutOfWhatIsShown(t *testing.T) {
	each(t, func(t *testing.T, p storetest.Place) {
		const canary = "canary-3b1f7c"
		loud := loudProvider{platformtest.New(platformtest.Options{}), canary}
		r := open(t, p, loud.Fake, func(c *engine.Config) {
			c.Providers = func(platform.Target) (platform.Provider, error) { return loud, nil }
			c.Redact = func(context.Context, platform.Target) (func(string) string, error) {
				return func(s string) string { return strings.ReplaceAll(s, canary, "[redacted]") }, nil
			}
		})
		op := r.untilState(r.submit(request(platform.RunCommand, args(engine.RunArgs{Command: []string{"env"}}))).ID, platform.Failed)
		rec := r.steps(op.ID)[0]
		if text := encode(op) + encode(rec) + r.history(op.ID); strings.Contains(text, canary) || !strings.Contains(rec.Output, "TOKEN=[redacted]") {
			t.Errorf("shown: %s\noutput: %s", text, rec.Output)
		}
	})
}

func TestUnreadableSecretsWithholdTheOutput(t *testing.T) {
	loud := loudProvider{platformtest.New(platformtest.Options{}), "anything"}
	r := onSQLite(t, platformtest.Options{}, func(c *engine.Config) {
		c.Providers = func(platform.Target) (platform.Provider, error) { return loud, nil }
		c.Redact = func(context.Context, platform.Target) (func(string) string, error) {
			return nil, fault.New(fault.Unreachable, "redact", "", "The host does not answer.")
		}
	})
	op := r.untilState(r.submit(request(platform.RunCommand, args(engine.RunArgs{Command: []string{"env"}}))).ID, platform.Failed)
	if out := r.steps(op.ID)[0].Output; strings.Contains(out, "TOKEN") || !strings.Contains(out, "withheld") {
		t.Errorf("output: %s", out)
	}
}

// loudProvider prints a secret and fails with it.
type loudProvider struct {
	*platformtest.Fake
	secret string
}

func (l loudProvider) PlanRun(context.Context, platform.Target, []string) (platform.Plan, error) {
	return platform.Plan{Steps: []platform.Step{{Name: "loud", Action: "loud"}}}, nil
}

func (l loudProvider) Actions() map[string]platform.Action {
	return map[string]platform.Action{"loud": {Do: func(_ context.Context, run platform.Run) (platform.Result, error) {
		if _, err := run.Log.Write([]byte("TOKEN=" + l.secret + "\n")); err != nil {
			return platform.Result{}, err
		}
		return platform.Result{Say: l.secret, Warnings: []string{l.secret}}, fault.New(fault.Invalid, "loud", "", "It dislikes %s.", l.secret)
	}}}
}

// crudeProvider fails with an error that no person was meant to read.
type crudeProvider struct {
	loudProvider
}

func (c crudeProvider) Actions() map[string]platform.Action {
	return map[string]platform.Action{"loud": {Do: func(context.Context, platform.Run) (platform.Result, error) {
		return platform.Result{}, errors.New("dial postgres://shop:" + c.secret + "@db: refused")
	}}}
}

func TestSecretsAreTakenOutOfTheLog(t *testing.T) {
	t.Parallel()
	const canary = "canary-3b1f7c"
	crude := crudeProvider{loudProvider{platformtest.New(platformtest.Options{}), canary}}
	core, logged := observer.New(zap.DebugLevel)
	r := onSQLite(t, platformtest.Options{}, func(c *engine.Config) {
		c.Log = zap.New(core)
		c.Providers = func(platform.Target) (platform.Provider, error) { return crude, nil }
		c.Redact = func(context.Context, platform.Target) (func(string) string, error) {
			return func(s string) string { return strings.ReplaceAll(s, canary, "[redacted]") }, nil
		}
	})
	r.untilState(r.submit(request(platform.RunCommand, args(engine.RunArgs{Command: []string{"env"}}))).ID, platform.Failed)
	said := logged.FilterMessage("step failed").All()
	if len(said) != 1 || !strings.Contains(encode(said[0].ContextMap()), "shop:[redacted]@db") {
		t.Errorf("logged: %v", said)
	}
}

// A platform that does not tell its secrets does not hold an operation up.
func TestSecretsThatNeverComeWithholdTheOutput(t *testing.T) {
	t.Parallel()
	loud := loudProvider{platformtest.New(platformtest.Options{}), "anything"}
	r := onSQLite(t, platformtest.Options{}, func(c *engine.Config) {
		c.Grace = 50 * time.Millisecond
		c.Providers = func(platform.Target) (platform.Provider, error) { return loud, nil }
		c.Redact = func(ctx context.Context, _ platform.Target) (func(string) string, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	op := r.untilState(r.submit(request(platform.RunCommand, args(engine.RunArgs{Command: []string{"env"}}))).ID, platform.Failed)
	if out := r.steps(op.ID)[0].Output; strings.Contains(out, "TOKEN") || !strings.Contains(out, "withheld") {
		t.Errorf("output: %s", out)
	}
}
