package platformtest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
)

func proveBackup(t *testing.T, p *player) {
	c := able[platform.Archivist](t, p)
	p.deploy(p.First)
	p.Write("margherita")
	made := p.play(c.PlanCapture(t.Context(), p.Target, "")).captured()
	list, err := c.Backups(t.Context(), p.Target)
	p.check("backups", err)
	if len(list) != 1 || list[0].ID != made {
		t.Fatalf("backups are %+v; want one called %q", list, made)
	}
	b := list[0]
	if b.Grade != "stored" && len(b.SHA256) != 64 || b.Size == 0 || b.By != "ann" || b.At.IsZero() || b.Grade == "" {
		t.Errorf("the backup %+v lacks its sum (of which only a stored one may), size, who, when or grade", b)
	}

	p.Write("quattro stagioni")
	y := p.play(c.PlanRestore(t.Context(), p.Target, b, ""))
	if got := p.Read(); got != "margherita" {
		t.Fatalf("after the restore the database has %q; want margherita", got)
	}
	p.answers(p.First)
	list, err = c.Backups(t.Context(), p.Target)
	p.check("backups", err)
	if len(list) != 2 || list[1].ID != b.ID {
		t.Fatalf("backups are %+v; want a safety backup before %s", list, b.ID)
	}
	y.undo()
	if got := p.Read(); got != "quattro stagioni" {
		t.Errorf("after the undo of the restore the database has %q; want quattro stagioni", got)
	}
	p.answers(p.First)
	p.play(c.PlanRestore(t.Context(), p.Target, b, ""))
	p.play(c.PlanRestore(t.Context(), p.Target, list[0], ""))
	if got := p.Read(); got != "quattro stagioni" {
		t.Errorf("the safety backup holds %q; want quattro stagioni", got)
	}
	_, err = c.PlanRestore(t.Context(), p.Target, platform.Backup{ID: "b9999"}, "")
	p.refuses("a backup that never was", err, fault.Missing)
}

// captured is the backup that the steps made.
func (y *play) captured() (id string) {
	y.t.Helper()
	for _, r := range y.all {
		if r.Backup != "" {
			id = r.Backup
		}
	}
	if id == "" {
		y.t.Fatal("no step tells which backup it made")
	}
	return id
}

// proveUndoCapture does what /update does: a capture whose undo puts back.
func proveUndoCapture(t *testing.T, p *player) {
	c := able[platform.Archivist](t, p)
	p.deploy(p.First)
	p.Write("margherita")
	plan, err := c.PlanCapture(t.Context(), p.Target, "")
	p.check("plan", err)
	last := &plan.Steps[len(plan.Steps)-1]
	last.Undo = c.UndoCapture()
	last.Name = "backup before the update" // recipes rename steps, so nothing may hang on a name
	y := p.play(plan, nil)
	p.Write("quattro stagioni")
	p.restart()
	y.undo()
	if got := p.Read(); got != "margherita" {
		t.Errorf("the undo of the capture left %q; want margherita", got)
	}
	p.answers(p.First)
	p.Write("capricciosa")
	if got := p.Read(); got != "capricciosa" {
		t.Errorf("after the undo the app writes to another database: it has %q", got)
	}
}

func proveRun(t *testing.T, p *player) {
	c := able[platform.Runner](t, p)
	p.deploy(p.First)
	y := p.play(c.PlanRun(t.Context(), p.Target, p.Echo))
	if !strings.Contains(p.log.String(), p.Says) {
		t.Errorf("the log has %q; want %q in it", p.log.String(), p.Says)
	}
	if code := y.exit(); code != 0 {
		t.Errorf("%v exited with %d", p.Echo, code)
	}
	// A command that fails is an answer, and no failure of the platform.
	if code := p.play(c.PlanRun(t.Context(), p.Target, p.Exit3)).exit(); code != 3 {
		t.Errorf("%v exited with %d; want 3", p.Exit3, code)
	}
	_, err := c.PlanRun(t.Context(), p.Target, nil)
	p.refuses("no command", err, fault.Invalid)
	p.answers(p.First)
}

func (y *play) exit() int {
	y.t.Helper()
	for _, r := range y.all {
		if r.Exit != nil {
			return *r.Exit
		}
	}
	y.t.Fatal("no step tells the exit code")
	return 0
}

func proveRunCancel(t *testing.T, p *player) {
	c := able[platform.Runner](t, p)
	if p.Long == nil {
		t.SkipNow()
	}
	p.deploy(p.First)
	y := p.begin(c.PlanRun(t.Context(), p.Target, p.Long))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := y.rest(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a cancelled run ends with %v; want the end of its context", err)
	}
	if took := time.Since(began); took > soon {
		t.Errorf("a cancelled run took %s to end", took)
	}
	p.answers(p.First)
}

const canary = "s3cr3t-canary-9f2c7a"

func proveConfig(t *testing.T, p *player) {
	c := able[platform.Configurer](t, p)
	p.deploy(p.First)
	p.secrets["handle-1"] = canary
	is := func(want bool) {
		t.Helper()
		list, err := c.Variables(t.Context(), p.Target)
		p.check("variables", err)
		set := false
		for _, v := range list {
			set = set || v.Name == "CANARY" && v.Set
		}
		if set != want {
			t.Fatalf("CANARY is set: %t; want %t: %+v", set, want, list)
		}
	}
	is(false)
	y := p.play(c.PlanSet(t.Context(), p.Target, "CANARY", "handle-1"))
	is(true)
	p.tellsNot(y)
	if d, ok := p.provider().(platform.Discreet); ok {
		values, err := d.SecretValues(t.Context(), p.Target)
		p.check("secret values", err)
		if !strings.Contains(strings.Join(values, "\n"), canary) {
			t.Error("the secret values lack the one that was set")
		}
	}
	p.tellsNot(p.play(c.PlanUnset(t.Context(), p.Target, "CANARY")))
	is(false)
	set := p.play(c.PlanSet(t.Context(), p.Target, "CANARY", "handle-1"))
	set.undo()
	is(false)
	p.play(c.PlanSet(t.Context(), p.Target, "CANARY", "handle-1"))
	p.play(c.PlanUnset(t.Context(), p.Target, "CANARY")).undo()
	is(true)
	p.answers(p.First)
}

// tellsNot fails the test when the value is in the plan, a result or the log.
func (p *player) tellsNot(y *play) {
	p.t.Helper()
	raw, err := json.Marshal(map[string]any{"plan": y.plan, "results": y.all, "log": p.log.String()})
	p.check("marshal", err)
	if strings.Contains(string(raw), canary) {
		p.t.Errorf("the value is told: %s", raw)
	}
}
