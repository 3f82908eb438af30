package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"
)

const (
	linksAtOnce = 100              // rows linked in one transaction, few so that nobody waits for long
	chainLease  = 10 * time.Second // of the one who links
)

// AuditReport is what VerifyAudit found.
type AuditReport struct {
	Linked   int64     // rows in the chain that were checked
	Unlinked int64     // rows that are too new to be in it
	From, To time.Time // of the rows in the chain
	Bad      int64     // number of the first row that does not fit; zero when all is well
	Why      string    // a sentence about it; empty when all is well
}

// Good reports whether the audit is whole and unchanged.
func (r AuditReport) Good() bool { return r.Why == "" }

// auditLink is what is linked: every column of a row, as stored.
type auditLink struct {
	seq, at  int64
	columns  [10]string // who app word verb subject outcome line detail person place
	position sql.NullInt64
	link     sql.NullString
}

const linkColumns = "seq, at, who, app, word, verb, subject, outcome, line, detail, person, place, position, link"

func linkOf(r scanner) (l auditLink, err error) {
	c := &l.columns
	return l, r.Scan(&l.seq, &l.at, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7], &c[8], &c[9], &l.position, &l.link)
}

// mac is the link of a row at a position, after the link before it. Every part
// goes in with its length, so that no two rows read the same.
func (s *Store) mac(parts ...string) string {
	h := hmac.New(sha256.New, s.opts.AuditKey)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s,", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (s *Store) link(before string, position int64, l auditLink) string {
	parts := []string{before, strconv.FormatInt(position, 10), strconv.FormatInt(l.seq, 10), strconv.FormatInt(l.at, 10)}
	return s.mac(append(parts, l.columns[:]...)...)
}

// vouch seals an end of the chain, so that cutting rows off is seen.
func (s *Store) vouch(end string, position int64, link string) string {
	return s.mac(end, strconv.FormatInt(position, 10), link)
}

// Chain links the rows of the audit that are not linked yet, and reports how
// many there were. One replica does it at a time; to the others there is
// nothing to do.
func (s *Store) Chain(ctx context.Context) (int, error) {
	total := 0
	for {
		n, err := s.chainSome(ctx)
		total += n
		if err != nil || n < linksAtOnce {
			return total, s.fail("store.chain", err)
		}
	}
}

func (s *Store) chainSome(ctx context.Context) (int, error) {
	var some bool
	if err := s.read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM audit WHERE position IS NULL)").Scan(&some); err != nil || !some {
		return 0, err
	}
	count := 0
	err := s.write(ctx, func(tx *sql.Tx) error {
		count = 0
		var head int64
		var link, seal string
		err := tx.QueryRowContext(ctx, s.sql(`UPDATE audit_chain SET owner = $1, lease_until = @now + $2
			WHERE owner = $1 OR lease_until < @now RETURNING head, head_link, head_seal`), s.boot, chainLease.Milliseconds()).Scan(&head, &link, &seal)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // somebody else links
		}
		if err != nil {
			return err
		}
		if head > 0 && seal != s.vouch("head", head, link) {
			return errors.New("the end of the audit's chain was changed, or the key is another one")
		}
		waiting, err := rows(ctx, tx, "SELECT "+linkColumns+" FROM audit WHERE position IS NULL ORDER BY seq LIMIT $1", []any{linksAtOnce}, linkOf)
		if err != nil {
			return err
		}
		set, err := tx.PrepareContext(ctx, "UPDATE audit SET position = $1, link = $2 WHERE seq = $3")
		if err != nil {
			return err
		}
		defer set.Close()
		for _, l := range waiting {
			head++
			link = s.link(link, head, l)
			if _, err := set.ExecContext(ctx, head, link, l.seq); err != nil {
				return err
			}
		}
		count = len(waiting)
		_, err = tx.ExecContext(ctx, "UPDATE audit_chain SET head = $1, head_link = $2, head_seal = $3", head, link, s.vouch("head", head, link))
		return err
	})
	return count, err
}

// chainEnds are where the chain begins and ends.
type chainEnds struct {
	base, head                             int64
	baseLink, baseSeal, headLink, headSeal string
}

func endsOf(r scanner) (e chainEnds, err error) {
	return e, r.Scan(&e.base, &e.baseLink, &e.baseSeal, &e.head, &e.headLink, &e.headSeal)
}

const chainEndsQuery = "SELECT base, base_link, base_seal, head, head_link, head_seal FROM audit_chain"

// VerifyAudit walks the chain from its beginning and says the first row that
// was changed, is missing or was put in. An error means that it could not look.
func (s *Store) VerifyAudit(ctx context.Context) (AuditReport, error) {
	var report AuditReport
	ends, found, err := one(ctx, s.read(), endsOf, chainEndsQuery)
	if err != nil {
		return report, s.fail("store.verify-audit", err)
	}
	switch {
	case !found:
		report.Why = "The record of where the chain begins and ends is gone."
		return report, nil
	case ends.base > 0 && ends.baseSeal != s.vouch("base", ends.base, ends.baseLink):
		report.Why = "The beginning of the chain was changed, or the key is another one."
		return report, nil
	case ends.head > 0 && ends.headSeal != s.vouch("head", ends.head, ends.headLink):
		report.Why = "The end of the chain was changed, or the key is another one."
		return report, nil
	}
	if err := s.walk(ctx, ends, &report); err != nil {
		return report, s.fail("store.verify-audit", err)
	}
	err = s.read().QueryRowContext(ctx, "SELECT COUNT(*) FROM audit WHERE position IS NULL").Scan(&report.Unlinked)
	return report, s.fail("store.verify-audit", err)
}

// walk checks the rows between the ends, in pages so that the audit may be long.
func (s *Store) walk(ctx context.Context, ends chainEnds, report *AuditReport) error {
	const page = 5000
	position, link := ends.base, ends.baseLink
	for position < ends.head {
		some, err := rows(ctx, s.read(), "SELECT "+linkColumns+" FROM audit WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3",
			[]any{position, ends.head, page}, linkOf)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			report.Why = fmt.Sprintf("%d rows are missing at the end of the chain.", ends.head-position)
			return nil
		}
		for _, l := range some {
			position++
			if l.position.Int64 != position {
				report.Bad, report.Why = l.seq, fmt.Sprintf("Before row %d, %d rows of the chain are missing.", l.seq, l.position.Int64-position)
				return nil
			}
			if link = s.link(link, position, l); !hmac.Equal([]byte(link), []byte(l.link.String)) {
				report.Bad, report.Why = l.seq, fmt.Sprintf("Row %d was changed, or the row before it.", l.seq)
				return nil
			}
			at := fromMs(l.at)
			if report.From.IsZero() || at.Before(report.From) {
				report.From = at
			}
			if at.After(report.To) {
				report.To = at
			}
			report.Linked++
		}
	}
	if link != ends.headLink {
		report.Why = "The chain does not end where its record says."
	}
	return nil
}
