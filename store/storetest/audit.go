package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"maitred/commands"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
)

func auditLists(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Waiting))
	for i, row := range []commands.AuditRow{
		{Person: ann, Verb: "deploy", Subject: "ocpizza/production", Outcome: "ok", Line: "/deploy ocpizza"},
		{Person: bob, Verb: "approve", Subject: fmt.Sprintf("#%d", op.ID), Outcome: "ok"},
		{Person: bob, Verb: "backup capture", Subject: "blog/staging", Outcome: "refused", Detail: "locked by ann"},
		{Person: ann, Verb: "backup list", Subject: "blog/staging", Outcome: "ok"},
		{Person: ann, Verb: "backup list all", Subject: "blog", Outcome: "ok"},
		{Person: ann, Verb: "", Subject: "", Outcome: "refused"},
	} {
		row.At, row.Place = noon.Add(time.Duration(i)*time.Minute), square
		must(t, s.AppendAudit(ctx, row))
	}
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
		return tx.Audit(ctx, square, "deploy", fmt.Sprintf("#%d", op.ID), "expired", "Nobody decided.")
	}))
	all := got[[]commands.AuditRow](t)(s.Audit(ctx, commands.AuditFilter{}))
	same(t, "rows", len(all), 7)
	same(t, "who decided by himself", all[0].Person.Label(), "maitred")
	find := func(f commands.AuditFilter, want string) {
		t.Helper()
		var found []string
		for _, r := range got[[]commands.AuditRow](t)(s.Audit(ctx, f)) {
			found = append(found, r.Verb)
		}
		same(t, fmt.Sprintf("rows of %+v", f), strings.Join(found, ", "), want)
	}
	find(commands.AuditFilter{Who: "bob"}, "backup capture, approve")
	find(commands.AuditFilter{App: "ocpizza"}, "deploy, approve, deploy")
	find(commands.AuditFilter{App: "blog", Outcome: "ok"}, "backup list all, backup list")
	find(commands.AuditFilter{Verb: "backup"}, "backup list all, backup list, backup capture")
	find(commands.AuditFilter{Verb: "backup list"}, "backup list all, backup list")
	find(commands.AuditFilter{Verb: "back"}, "")
	find(commands.AuditFilter{Outcome: "refused", Who: "ann"}, "")
	find(commands.AuditFilter{Since: noon.Add(4 * time.Minute), Who: "ann"}, ", backup list all")
	find(commands.AuditFilter{Since: noon.Add(24 * 365 * time.Hour)}, "")
	find(commands.AuditFilter{Before: all[4].Seq, Limit: 1}, "approve")
}

func auditAppendOnly(t *testing.T, p Place) {
	s := p.Open(t)
	appendRows(t, s, 3)
	for _, statement := range []string{"UPDATE audit SET line = 'nothing'", "UPDATE audit SET line = 'nothing', position = 1", "DELETE FROM audit"} {
		if err := force(s, statement); err == nil {
			t.Errorf("the database did: %s", statement)
		}
	}
	same(t, "rows linked", got[int](t)(s.Chain(ctx)), 3)
	for _, statement := range []string{"UPDATE audit SET position = position + 10", "UPDATE audit SET link = ''", "DELETE FROM audit WHERE seq = 1"} {
		if err := force(s, statement); err == nil {
			t.Errorf("the database did: %s", statement)
		}
	}
}

func appendRows(t testing.TB, s *store.Store, n int) {
	t.Helper()
	for i := range n {
		must(t, s.AppendAudit(ctx, commands.AuditRow{Person: ann, Place: square, At: noon.Add(time.Duration(i) * time.Hour), Verb: "status", Outcome: "ok", Line: numbered("line", i)}))
	}
}

// auditChain changes rows as somebody could who has the database and may switch
// its triggers off, but does not have the key.
func auditChain(t *testing.T, p Place) {
	s := p.Open(t)
	appendRows(t, s, 250)
	same(t, "rows linked", got[int](t)(s.Chain(ctx)), 250)
	same(t, "rows linked again", got[int](t)(s.Chain(ctx)), 0)
	appendRows(t, s, 2)
	report := got[store.AuditReport](t)(s.VerifyAudit(ctx))
	same(t, "the report", report, store.AuditReport{Linked: 250, Unlinked: 2, From: noon, To: noon.Add(249 * time.Hour)})
	same(t, "rows linked", got[int](t)(s.Chain(ctx)), 2)

	disarm(t, s)
	for _, crime := range []struct {
		does, undo string
		bad        int64
	}{
		{"UPDATE audit SET line = 'nothing' WHERE seq = 7", "UPDATE audit SET line = 'line-6' WHERE seq = 7", 7},
		{"UPDATE audit SET at = at + 1 WHERE seq = 9", "UPDATE audit SET at = at - 1 WHERE seq = 9", 9},
		{"UPDATE audit SET person = '{}' WHERE seq = 252", "", 252},
		{"DELETE FROM audit WHERE seq = 252", "", 0},
		{"UPDATE audit_chain SET head = 251, head_link = (SELECT link FROM audit WHERE position = 251)", "", 0},
		{"DELETE FROM audit WHERE seq = 100", "", 0},
	} {
		must(t, force(s, crime.does))
		report := got[store.AuditReport](t)(s.VerifyAudit(ctx))
		if report.Good() || report.Bad != crime.bad {
			t.Errorf("after %q: row %d, %q; want row %d", crime.does, report.Bad, report.Why, crime.bad)
		}
		if crime.undo != "" {
			must(t, force(s, crime.undo))
			if report := got[store.AuditReport](t)(s.VerifyAudit(ctx)); !report.Good() {
				t.Errorf("after %q: %s", crime.undo, report.Why)
			}
		}
	}
	must(t, s.Close())
	s = p.Open(t, func(o *store.Options) { o.AuditKey = []byte("another key") })
	if got[store.AuditReport](t)(s.VerifyAudit(ctx)).Good() {
		t.Error("another key proves the chain")
	}
}

// disarm switches the triggers off that keep the audit append-only.
func disarm(t testing.TB, s *store.Store) {
	t.Helper()
	if s.SQLite() == nil {
		must(t, force(s, "ALTER TABLE audit DISABLE TRIGGER USER"))
		return
	}
	must(t, force(s, "DROP TRIGGER audit_is_appended"))
	must(t, force(s, "DROP TRIGGER audit_is_kept"))
}

func auditPruned(t *testing.T, p Place) {
	s := p.Open(t, func(o *store.Options) { o.Keep.Audit = 24 * time.Hour })
	appendRows(t, s, 300) // one an hour
	now := noon.Add(300 * time.Hour)
	same(t, "rows pruned before they are linked", got[store.Pruned](t)(s.Retain(ctx, now)), store.Pruned{})
	got[int](t)(s.Chain(ctx))
	same(t, "rows pruned", got[store.Pruned](t)(s.Retain(ctx, now)), store.Pruned{Audit: 276})
	appendRows(t, s, 1)
	got[int](t)(s.Chain(ctx))
	report := got[store.AuditReport](t)(s.VerifyAudit(ctx))
	same(t, "rows proven", report.Linked, int64(25))
	same(t, "what is wrong", report.Why, "")
	disarm(t, s)
	must(t, force(s, "UPDATE audit_chain SET base = base + 1, base_link = (SELECT link FROM audit WHERE position = base + 1)"))
	if got[store.AuditReport](t)(s.VerifyAudit(ctx)).Good() {
		t.Error("rows cut off at the beginning went unseen")
	}
}

func housekeeping(t *testing.T, p Place) {
	s := p.Open(t)
	working, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- s.Run(working) }()
	appendRows(t, s, 3)
	until(t, "the rows are linked", func() bool { return got[store.AuditReport](t)(s.VerifyAudit(ctx)).Linked == 3 })
	appendRows(t, s, 1)
	stop()
	must(t, <-ended)
	same(t, "rows linked in the end", got[store.AuditReport](t)(s.VerifyAudit(ctx)).Linked, int64(4))
}
