package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"maitred/chat"
	"maitred/commands"
)

const (
	auditColumns = "seq, at, verb, subject, outcome, line, detail, person, place"
	longestLine  = 2000 // characters of what was said
)

func auditRow(r scanner) (a commands.AuditRow, err error) {
	var at int64
	var person, place string
	if err := r.Scan(&a.Seq, &at, &a.Verb, &a.Subject, &a.Outcome, &a.Line, &a.Detail, &person, &place); err != nil {
		return a, err
	}
	a.At = fromMs(at)
	return a, errors.Join(json.Unmarshal([]byte(person), &a.Person), json.Unmarshal([]byte(place), &a.Place))
}

// AppendAudit appends a row.
func (s *Store) AppendAudit(ctx context.Context, row commands.AuditRow) error {
	err := s.together(ctx, &s.others, func(ctx context.Context, tx *sql.Tx) error { return appendAudit(ctx, tx, row) })
	return s.fail("store.append-audit", err)
}

// Audit appends a row in maitred's own name.
func (t *targetTx) Audit(ctx context.Context, place chat.Place, verb, subject, outcome, detail string) error {
	return appendAudit(ctx, t.tx, commands.AuditRow{
		Person: chat.Person{Chat: "maitred", ID: "maitred", Name: "maitred", Who: "maitred", Automaton: true},
		Place:  place, Verb: verb, Subject: subject, Outcome: outcome, Detail: detail,
	})
}

const auditInsert = "at, who, app, word, verb, subject, outcome, line, detail, person, place"

// auditArgs are the values of auditInsert. The app of a subject "#214" is not
// known yet; see aboutOperation.
func auditArgs(a commands.AuditRow) ([]any, error) {
	if a.At.IsZero() {
		a.At = time.Now()
	}
	person, err1 := text(a.Person)
	place, err2 := text(a.Place)
	app, _, _ := strings.Cut(a.Subject, "/") // "ocpizza/production" is about ocpizza
	if strings.HasPrefix(app, "#") {
		app = ""
	}
	word, _, _ := strings.Cut(a.Verb, " ")
	return []any{ms(a.At), clean(a.Person.Label()), clean(app), clean(word), clean(a.Verb), clean(a.Subject), clean(a.Outcome),
		clean(shorten(a.Line, longestLine)), clean(shorten(a.Detail, longestLine)), person, place}, errors.Join(err1, err2)
}

// aboutOperation is the operation whose app the subject "#214" is about, else 0.
func aboutOperation(subject string) int64 {
	number, _ := strings.CutPrefix(subject, "#")
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil || number == subject {
		return 0
	}
	return id
}

// appendAudit appends a row; it is linked into the chain afterwards.
func appendAudit(ctx context.Context, tx *sql.Tx, a commands.AuditRow) error {
	args, err := auditArgs(a)
	if err != nil {
		return err
	}
	if id := aboutOperation(a.Subject); id != 0 {
		app, _, err := one(ctx, tx, func(r scanner) (app string, err error) { return app, r.Scan(&app) }, "SELECT app FROM operations WHERE id = $1", id)
		if err != nil {
			return err
		}
		args[2] = app
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO audit ("+auditInsert+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", args...)
	return err
}

// shorten keeps the first n characters of s.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// Audit lists rows, newest first. Verb narrows to a whole-word prefix: "backup"
// finds "backup capture".
func (s *Store) Audit(ctx context.Context, f commands.AuditFilter) ([]commands.AuditRow, error) {
	w := where{}
	w.equal("who", f.Who)
	w.equal("app", f.App)
	w.equal("outcome", f.Outcome)
	if word, rest, _ := strings.Cut(f.Verb, " "); word != "" {
		w.equal("word", word)
		if rest != "" {
			exact := w.arg(clean(f.Verb))
			w.terms = append(w.terms, "(verb = "+exact+" OR SUBSTR(verb, 1, LENGTH("+exact+") + 1) = "+exact+" || ' ')")
		}
	}
	if !f.Since.IsZero() {
		first, ok, err := one(ctx, s.read(), func(r scanner) (seq int64, err error) { return seq, r.Scan(&seq) },
			"SELECT seq FROM audit WHERE at >= $1 ORDER BY at LIMIT 1", ms(f.Since))
		if err != nil || !ok {
			return nil, s.fail("store.audit", err)
		}
		w.add("at >= ?", ms(f.Since))
		w.add("seq >= ?", first-outOfOrder) // where to stop looking
	}
	if f.Before > 0 {
		w.add("seq < ?", f.Before)
	}
	query := "SELECT " + auditColumns + " FROM audit" + w.String() + " ORDER BY seq DESC LIMIT " + w.arg(limit(f.Limit))
	all, err := rows(ctx, s.read(), query, w.args, auditRow)
	return all, s.fail("store.audit", err)
}

// outOfOrder is by how many rows the order of numbers may differ from that of
// times, since several write at once.
const outOfOrder = 10_000
