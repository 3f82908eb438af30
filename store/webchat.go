package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"maitred/bot/webchat"
)

var _ webchat.Store = (*Store)(nil)

// AddMessage stores m and touches the message that its thread hangs on.
func (s *Store) AddMessage(ctx context.Context, m webchat.Message, file []byte) (stored webchat.Message, known bool, err error) {
	card, form, err := messageParts(m)
	if err != nil {
		return m, false, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		stored, err = scanMessage(tx.QueryRowContext(ctx, messageColumns+"WHERE post_key = $1", m.Key))
		known = err == nil
		if known || !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		stored = m
		if stored.ID, err = count(ctx, tx); err != nil {
			return err
		}
		stored.Seq = stored.ID
		if m.Thread != 0 {
			if err := touchRoot(ctx, tx, m.Channel, m.Thread); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO webchat_messages
			(id, seq, post_key, channel, thread, author, viewer, mentions, body, card, form, file, lost, at, edited)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
			stored.ID, stored.Seq, m.Key, m.Channel, m.Thread, m.Author, m.Viewer, joinMentions(m.Mentions),
			clean(m.Text), card, form, clean(m.File), flag(m.Lost), ms(m.At), ms(m.Edited))
		if err == nil && m.File != "" {
			_, err = tx.ExecContext(ctx, "INSERT INTO webchat_files (message, data) VALUES ($1, $2)", stored.ID, notNil(file))
		}
		return err
	})
	return stored, known, s.fail("store.webchat.add", err)
}

// ChangeMessage stores what can change of m.
func (s *Store) ChangeMessage(ctx context.Context, m webchat.Message) (webchat.Message, error) {
	card, form, err := messageParts(m)
	if err != nil {
		return m, err
	}
	err = s.write(ctx, func(tx *sql.Tx) error {
		seq, err := count(ctx, tx)
		if err != nil {
			return err
		}
		n, err := affected(tx.ExecContext(ctx, `UPDATE webchat_messages
			SET seq = $1, card = $2, form = $3, mentions = $4, lost = $5, edited = $6 WHERE id = $7`,
			seq, card, form, joinMentions(m.Mentions), flag(m.Lost), ms(m.Edited), m.ID))
		if err != nil {
			return err
		}
		if n == 0 {
			return noMessage(m.ID)
		}
		m, err = scanMessage(tx.QueryRowContext(ctx, messageColumns+"WHERE id = $1", m.ID))
		return err
	})
	return m, s.fail("store.webchat.change", err)
}

// Message reads one message.
func (s *Store) Message(ctx context.Context, id int64) (webchat.Message, error) {
	m, err := scanMessage(s.read().QueryRowContext(ctx, messageColumns+"WHERE id = $1", id))
	if errors.Is(err, sql.ErrNoRows) {
		err = noMessage(id)
	}
	return m, s.fail("store.webchat.message", err)
}

// MessageFile reads the data of a message's file.
func (s *Store) MessageFile(ctx context.Context, id int64) (data []byte, err error) {
	err = s.read().QueryRowContext(ctx, "SELECT data FROM webchat_files WHERE message = $1", id).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		err = missing("store.webchat.file", "", "No file hangs on message %d.", id)
	}
	return data, s.fail("store.webchat.file", err)
}

// Messages are the newest messages of a channel or thread, oldest first.
func (s *Store) Messages(ctx context.Context, channel string, thread int64, viewer string, before int64, limit int) ([]webchat.Message, error) {
	if before == 0 {
		before = 1<<63 - 1
	}
	found, err := rows(ctx, s.read(), messageColumns+`WHERE channel = $1 AND thread = $2 AND viewer IN ('', $3) AND id < $4
		ORDER BY id DESC LIMIT $5`, []any{channel, thread, viewer, before, limit}, scanMessage)
	slices.Reverse(found)
	return found, s.fail("store.webchat.messages", err)
}

// MessagesSince are the messages changed after seq.
func (s *Store) MessagesSince(ctx context.Context, seq int64, viewer string, limit int) ([]webchat.Message, error) {
	found, err := rows(ctx, s.read(), messageColumns+"WHERE seq > $1 AND viewer IN ('', $2) ORDER BY seq LIMIT $3",
		[]any{seq, viewer, limit}, scanMessage)
	return found, s.fail("store.webchat.since", err)
}

// LastChange is the highest Seq there is.
func (s *Store) LastChange(ctx context.Context) (n int64, err error) {
	err = s.read().QueryRowContext(ctx, "SELECT n FROM webchat_counter").Scan(&n)
	return n, s.fail("store.webchat.last", err)
}

// Threads tells what hangs on each of the roots.
func (s *Store) Threads(ctx context.Context, roots []int64, viewer string) (map[int64]webchat.Thread, error) {
	all := map[int64]webchat.Thread{}
	if len(roots) == 0 {
		return all, nil
	}
	args := []any{viewer}
	var marks []string
	for i, id := range roots {
		args = append(args, id)
		marks = append(marks, fmt.Sprintf("$%d", i+2))
	}
	// COALESCE goes around the whole comparison's other side: a thread that was
	// never opened has no row in webchat_seen.
	_, err := rows(ctx, s.read(), `SELECT m.thread, COUNT(*), MAX(m.at),
			SUM(CASE WHEN m.id > COALESCE(v.message, 0) AND m.author <> $1 THEN 1 ELSE 0 END),
			SUM(CASE WHEN m.id > COALESCE(v.message, 0) AND `+mentioning+` THEN 1 ELSE 0 END)
		FROM webchat_messages m
		LEFT JOIN webchat_seen v ON v.viewer = $1 AND v.channel = m.channel AND v.thread = m.thread
		WHERE m.thread IN (`+strings.Join(marks, ", ")+`) AND m.viewer IN ('', $1)
		GROUP BY m.thread`, args, func(r scanner) (struct{}, error) {
		var root, last, mentions int64
		var t webchat.Thread
		err := r.Scan(&root, &t.Replies, &last, &t.New, &mentions)
		t.Last, t.Mentioned = fromMs(last), mentions > 0
		all[root] = t
		return struct{}{}, err
	})
	return all, s.fail("store.webchat.threads", err)
}

// MarkSeen notes how far the viewer has seen.
func (s *Store) MarkSeen(ctx context.Context, viewer, channel string, thread, message int64) error {
	return s.fail("store.webchat.seen", s.write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO webchat_seen (viewer, channel, thread, message) VALUES ($1, $2, $3, $4)
			ON CONFLICT (viewer, channel, thread) DO UPDATE SET message = excluded.message
			WHERE webchat_seen.message < excluded.message`, viewer, channel, thread, message)
		return err
	}))
}

// MarkAllSeen notes that the viewer has seen all there is.
func (s *Store) MarkAllSeen(ctx context.Context, viewer string) error {
	return s.fail("store.webchat.seen", s.write(ctx, func(tx *sql.Tx) error {
		// WHERE true keeps SQLite from reading ON as a join's.
		_, err := tx.ExecContext(ctx, `INSERT INTO webchat_seen (viewer, channel, thread, message)
			SELECT CAST($1 AS TEXT), channel, thread, MAX(id) FROM webchat_messages WHERE true GROUP BY channel, thread
			ON CONFLICT (viewer, channel, thread) DO UPDATE SET message = excluded.message
			WHERE webchat_seen.message < excluded.message`, viewer)
		return err
	}))
}

// Unread counts by channel what the viewer has not seen.
func (s *Store) Unread(ctx context.Context, viewer string) (map[string]webchat.Unread, error) {
	all := map[string]webchat.Unread{}
	_, err := rows(ctx, s.read(), `SELECT m.channel,
			SUM(CASE WHEN m.thread = 0 THEN 1 ELSE 0 END),
			SUM(CASE WHEN `+mentioning+` THEN 1 ELSE 0 END)
		FROM webchat_messages m
		LEFT JOIN webchat_seen v ON v.viewer = $1 AND v.channel = m.channel AND v.thread = m.thread
		WHERE m.id > COALESCE(v.message, 0) AND m.author <> $1 AND m.viewer IN ('', $1)
		GROUP BY m.channel`, []any{viewer}, func(r scanner) (struct{}, error) {
		var channel string
		var u webchat.Unread
		err := r.Scan(&channel, &u.Messages, &u.Mentions)
		all[channel] = u
		return struct{}{}, err
	})
	return all, s.fail("store.webchat.unread", err)
}

// mentioning is true for a message m that mentions $1 or everybody: mentions
// are kept as ",dev,lead,".
const mentioning = `(m.mentions LIKE '%,' || $1 || ',%' OR m.mentions LIKE '%,*,%')`

const messageColumns = `SELECT id, seq, post_key, channel, thread, author, viewer, mentions, body, card, form, file, lost, at, edited
	FROM webchat_messages `

func scanMessage(r scanner) (m webchat.Message, err error) {
	var mentions, card, form string
	var lost, at, edited int64
	if err := r.Scan(&m.ID, &m.Seq, &m.Key, &m.Channel, &m.Thread, &m.Author, &m.Viewer, &mentions, &m.Text, &card, &form, &m.File, &lost, &at, &edited); err != nil {
		return m, err
	}
	m.Mentions = strings.FieldsFunc(mentions, func(r rune) bool { return r == ',' })
	m.Lost, m.At, m.Edited = lost != 0, fromMs(at), fromMs(edited)
	if card != "" {
		err = json.Unmarshal([]byte(card), &m.Card)
	}
	if form != "" && err == nil {
		err = json.Unmarshal([]byte(form), &m.Form)
	}
	return m, err
}

// count draws the next number. The row stays locked until the commit, so that a
// reader who has seen a number has seen all before it.
func count(ctx context.Context, tx *sql.Tx) (n int64, err error) {
	err = tx.QueryRowContext(ctx, "UPDATE webchat_counter SET n = n + 1 RETURNING n").Scan(&n)
	return n, err
}

// touchRoot counts as a change of the message that a reply hangs on, because it
// shows how many there are.
func touchRoot(ctx context.Context, tx *sql.Tx, channel string, root int64) error {
	seq, err := count(ctx, tx)
	if err != nil {
		return err
	}
	n, err := affected(tx.ExecContext(ctx, "UPDATE webchat_messages SET seq = $1 WHERE id = $2 AND channel = $3 AND thread = 0", seq, root, channel))
	if err == nil && n == 0 {
		err = noMessage(root)
	}
	return err
}

func messageParts(m webchat.Message) (card, form string, err error) {
	if m.Card != nil {
		if card, err = text(m.Card); err != nil {
			return "", "", err
		}
	}
	if m.Form != nil {
		form, err = text(m.Form)
	}
	return clean(card), clean(form), err
}

func joinMentions(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return "," + strings.Join(ids, ",") + ","
}

func notNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

func noMessage(id int64) error {
	return missing("store.webchat", "", "The chat page has no message %d.", id)
}
