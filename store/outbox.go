package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"maitred/chat"
	"maitred/notifications"
	"maitred/platform"
	"maitred/platform/engine"
)

// due notes that a subject should be seen at a place at a version. There is one
// row for each subject and place; an older wish becomes the newer one. In the
// thread of a root that was dropped nothing is shown any more.
func due(ctx context.Context, tx *sql.Tx, d notifications.Due) error {
	if d.Place == (chat.Place{}) {
		return nil // nowhere to show it
	}
	var parent notifications.Subject
	if d.Parent != nil {
		parent = *d.Parent
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO outbox (kind, subject, parent_kind, parent, chat, channel, thread, wanted, since, dropped)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
			(SELECT COALESCE(MAX(root.dropped), 0) FROM outbox root WHERE root.kind = $3 AND root.subject = $4 AND root.chat = $5 AND root.channel = $6))
		ON CONFLICT (kind, subject, chat, channel, thread) DO UPDATE SET `+newer("excluded.wanted", "excluded.since"),
		d.Subject.Kind, d.Subject.ID, parent.Kind, parent.ID, clean(d.Place.Chat), clean(d.Place.Channel), clean(d.Place.Thread), d.Version, ms(time.Now()))
	return err
}

// newer raises what a row wants; it is due since the first wish that is not
// shown yet.
func newer(wanted, since string) string {
	return `since = CASE WHEN outbox.wanted > outbox.shown THEN outbox.since ELSE ` + since + ` END,
		wanted = CASE WHEN ` + wanted + ` > outbox.wanted THEN ` + wanted + ` ELSE outbox.wanted END`
}

// showOperation enqueues the card of op.
func showOperation(ctx context.Context, tx *sql.Tx, op *platform.Operation) error {
	return due(ctx, tx, notifications.Due{
		Subject: notifications.Subject{Kind: notifications.OperationSubject, ID: op.ID},
		Place:   op.Place, Version: op.Version,
	})
}

// showNewer lets the cards of an operation follow it to version.
func showNewer(ctx context.Context, tx *sql.Tx, operation, version int64) error {
	_, err := tx.ExecContext(ctx, "UPDATE outbox SET "+newer("$1", "$2")+" WHERE kind = $3 AND subject = $4",
		version, ms(time.Now()), notifications.OperationSubject, operation)
	return err
}

// showAgain lets the messages follow that depend on the operation's state:
// requests with buttons, which are to vanish when nothing is left to decide.
func showAgain(ctx context.Context, tx *sql.Tx, operation, version int64) error {
	_, err := tx.ExecContext(ctx, "UPDATE outbox SET "+newer("$1", "$2")+` WHERE kind = $3 AND subject IN
		(SELECT id FROM events WHERE operation = $4 AND kind IN ($5, $6, $7))`, version, ms(time.Now()), notifications.EventSubject, operation,
		string(engine.ApprovalAsked), string(engine.ApprovalRemind), string(engine.BecameUnknown))
	return err
}

const dueColumns = "id, kind, subject, parent_kind, parent, chat, channel, thread, wanted, shown, attempts, posting, message, message_chat, message_channel, message_thread, since"

// dueRow is a row and since when it is due, to sort by.
type dueRow struct {
	notifications.Due
	since int64
}

func dueOf(r scanner) (d dueRow, err error) {
	var parent notifications.Subject
	var ref chat.MessageRef
	var posting int
	if err := r.Scan(&d.ID, &d.Subject.Kind, &d.Subject.ID, &parent.Kind, &parent.ID, &d.Place.Chat, &d.Place.Channel, &d.Place.Thread,
		&d.Version, &d.Shown, &d.Attempts, &posting, &ref.ID, &ref.Place.Chat, &ref.Place.Channel, &ref.Place.Thread, &d.since); err != nil {
		return d, err
	}
	d.Posting = posting == 1
	if parent.ID != 0 {
		d.Parent = &parent
	}
	if ref.ID != "" {
		d.Message = &ref
	}
	return d, nil
}

// ready is the condition of a row that can be shown now: nobody has it, its time
// has come, and its thread has a root.
const ready = `dropped = 0 AND wanted > shown AND not_before <= @now AND lease_until < @now AND (parent = 0 OR EXISTS
	(SELECT 1 FROM outbox p WHERE p.kind = outbox.parent_kind AND p.subject = outbox.parent AND p.chat = outbox.chat AND p.channel = outbox.channel AND p.message <> ''))`

// Claim takes rows that can be shown now, for owner, until the lease ends. What
// an earlier process of the same owner had in hand when it was killed is free.
func (s *Store) Claim(ctx context.Context, owner string, lease time.Duration, most int) ([]notifications.Due, error) {
	if err := s.letGo(ctx, owner); err != nil {
		return nil, s.fail("store.claim", err)
	}
	var some bool
	if err := s.read().QueryRowContext(ctx, s.sql("SELECT EXISTS (SELECT 1 FROM outbox WHERE "+ready+")")).Scan(&some); err != nil || !some {
		return nil, s.fail("store.claim", err)
	}
	var taken []dueRow
	err := s.together(ctx, &s.others, func(ctx context.Context, tx *sql.Tx) (err error) {
		taken, err = rows(ctx, tx, s.sql(`WITH picked AS MATERIALIZED (SELECT id FROM outbox WHERE `+ready+` ORDER BY since, id LIMIT $3 @skip)
			UPDATE outbox SET owner = $1, lease_until = @now + $2
			WHERE id IN (SELECT id FROM picked) AND dropped = 0 AND lease_until < @now
			RETURNING `+dueColumns), []any{owner, lease.Milliseconds(), limit(most)}, dueOf)
		return err
	})
	if err != nil {
		return nil, s.fail("store.claim", err)
	}
	slices.SortFunc(taken, func(a, b dueRow) int {
		return cmp.Or(cmp.Compare(a.since, b.since), cmp.Compare(a.ID, b.ID))
	})
	all := make([]notifications.Due, len(taken))
	for i, d := range taken {
		all[i] = d.Due
	}
	return all, nil
}

// letGo frees, once, what was claimed for owner before this process was started.
func (s *Store) letGo(ctx context.Context, owner string) error {
	s.claims.Lock()
	defer s.claims.Unlock()
	if s.claims.owners[owner] {
		return nil
	}
	if _, err := s.statement(ctx, &s.others, `UPDATE outbox SET owner = '', lease_until = 0
		WHERE dropped = 0 AND wanted > shown AND owner = $1 AND lease_until > 0`, owner); err != nil {
		return err
	}
	s.claims.owners[owner] = true
	return nil
}

// Begin notes that a post of d starts.
func (s *Store) Begin(ctx context.Context, d notifications.Due) error {
	_, err := s.statement(ctx, &s.others, "UPDATE outbox SET posting = 1 WHERE id = $1", d.ID)
	return s.fail("store.begin", err)
}

// Shown stores what the chat shows, and gives the row back. A card that was
// rendered after the claim shows at least the version that was wanted then.
func (s *Store) Shown(ctx context.Context, d notifications.Due, version int64, ref chat.MessageRef) error {
	_, err := s.statement(ctx, &s.others, `UPDATE outbox SET shown = CASE WHEN shown > $1 THEN shown ELSE $1 END, since = $2,
			message = $3, message_chat = $4, message_channel = $5, message_thread = $6,
			posting = 0, attempts = 0, why = '', owner = '', lease_until = 0, not_before = 0 WHERE id = $7`,
		max(version, d.Version), ms(time.Now()), clean(ref.ID), clean(ref.Place.Chat), clean(ref.Place.Channel), clean(ref.Place.Thread), d.ID)
	wake(s.changed) // its thread may go on now
	return s.fail("store.shown", err)
}

// Later gives the row back to be tried again not before t.
func (s *Store) Later(ctx context.Context, d notifications.Due, t time.Time, why string) error {
	_, err := s.statement(ctx, &s.others, "UPDATE outbox SET attempts = attempts + 1, not_before = $1, why = $2, owner = '', lease_until = 0 WHERE id = $3", ms(t), clean(why), d.ID)
	return s.fail("store.later", err)
}

// Drop ends the row, and with the root of a thread the rows of its thread.
func (s *Store) Drop(ctx context.Context, d notifications.Due, why string) error {
	return s.fail("store.drop", s.together(ctx, &s.others, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE outbox SET dropped = 1, why = $1, owner = '', lease_until = 0
			WHERE id = $2 OR (parent_kind = $3 AND parent = $4 AND chat = $5 AND channel = $6 AND message = '')`,
			clean(why), d.ID, d.Subject.Kind, d.Subject.ID, d.Place.Chat, d.Place.Channel)
		return err
	}))
}

// MessageOf finds the message that shows a subject; the first one where there
// are several.
func (s *Store) MessageOf(ctx context.Context, subject notifications.Subject) (chat.MessageRef, bool, error) {
	ref, found, err := one(ctx, s.read(), func(r scanner) (m chat.MessageRef, err error) {
		return m, r.Scan(&m.ID, &m.Place.Chat, &m.Place.Channel, &m.Place.Thread)
	}, "SELECT message, message_chat, message_channel, message_thread FROM outbox WHERE kind = $1 AND subject = $2 AND message <> '' ORDER BY id LIMIT 1",
		subject.Kind, subject.ID)
	return ref, found, s.fail("store.message-of", err)
}

// SubjectOf finds what is meant in a thread: what its root shows, else the
// newest operation that is shown within it.
func (s *Store) SubjectOf(ctx context.Context, p chat.Place) (notifications.Subject, bool, error) {
	if p.Thread == "" {
		return notifications.Subject{}, false, nil
	}
	scan := func(r scanner) (n notifications.Subject, err error) { return n, r.Scan(&n.Kind, &n.ID) }
	args := []any{clean(p.Chat), clean(p.Channel), clean(p.Thread)}
	found, ok, err := one(ctx, s.read(), scan, `SELECT kind, subject FROM outbox
		WHERE message <> '' AND message_chat = $1 AND message_channel = $2 AND message = $3 ORDER BY id DESC LIMIT 1`, args...)
	if err == nil && !ok {
		found, ok, err = one(ctx, s.read(), scan, `SELECT kind, subject FROM outbox
			WHERE message_thread <> '' AND message_chat = $1 AND message_channel = $2 AND message_thread = $3 AND parent = 0 ORDER BY id DESC LIMIT 1`, args...)
	}
	return found, ok, s.fail("store.subject-of", err)
}

// Changed wakes when something may be due.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// Backlog counts the rows that are due, and how long the oldest has been. Rows
// that wait for their thread's root count with it.
func (s *Store) Backlog(ctx context.Context) (int, time.Duration, error) {
	var n int
	var oldest sql.NullInt64
	err := s.read().QueryRowContext(ctx, s.sql("SELECT COUNT(*), @now - MIN(since) FROM outbox WHERE dropped = 0 AND wanted > shown AND not_before <= @now")).Scan(&n, &oldest)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, max(0, time.Duration(oldest.Int64)*time.Millisecond), s.fail("store.backlog", err)
}
