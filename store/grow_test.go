package store_test

import (
	"fmt"
	"testing"

	"maitred/store"
)

// grow fills a store with what years would leave in it. It goes around the
// methods, which would take as long as years feel; the rows are theirs.
func grow(b *testing.B, s *store.Store, operations, audit int) {
	b.Helper()
	series := "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
	kind := `CASE i %% 4 WHEN 0 THEN 'deploy' WHEN 1 THEN 'capture' WHEN 2 THEN 'maintenance' ELSE 'restart' END`
	app := `CASE i %% 3 WHEN 0 THEN 'blog' ELSE 'ocpizza' END`
	for _, statement := range []string{
		fmt.Sprintf(`INSERT INTO operations (request_key, kind, exclusive, app, environment, state, live, requester, fence, version, queued, ended, body) `+series+
			`SELECT 'grown-' || i, `+kind+`, 0, `+app+`, 'production', CASE i %% 5 WHEN 0 THEN 'failed' ELSE 'succeeded' END, 0,
			CASE i %% 2 WHEN 0 THEN 'ann' ELSE 'bob' END, 1, 9, i, i,
			'{"kind":"deploy","target":{"app":"ocpizza","environment":"production"},"plan":{"steps":[{"name":"build","action":"build"},{"name":"switch","action":"switch"}]},"place":{"chat":"webchat"}}' FROM n`, operations),
		fmt.Sprintf(`INSERT INTO outbox (kind, subject, parent_kind, parent, chat, channel, thread, wanted, shown, since, message, message_chat, message_channel) `+series+
			`SELECT 'operation', i, '', 0, 'webchat', 'deploys', '', 9, 9, i, 'm' || i, 'webchat', 'deploys' FROM n`, operations),
		fmt.Sprintf(`INSERT INTO inbound (inbound_key, heard, done, owner, boot, lease_until, operation, started, body, said, told) `+series+
			`SELECT 'grown-' || i, i, 1, 'one', 'b', 0, i, 1, '{}', '[]', 1 FROM n`, operations),
		fmt.Sprintf(`INSERT INTO audit (at, who, app, word, verb, subject, outcome, line, detail, person, place) `+series+
			`SELECT %d - (%d - CAST(i AS BIGINT)) * 1000, CASE i %% 7 WHEN 0 THEN 'bob' ELSE 'ann' END, `+app+`, CASE i %% 4 WHEN 0 THEN 'backup' ELSE 'status' END, CASE i %% 4 WHEN 0 THEN 'backup list' ELSE 'status' END,
			'ocpizza/production', CASE i %% 100 WHEN 0 THEN 'refused' ELSE 'ok' END, '/status ocpizza', '', '{"chat":"webchat","id":"U1","who":"ann"}', '{"chat":"webchat","channel":"deploys"}' FROM n`,
			audit, grownUntil.UnixMilli(), audit),
	} {
		var err error
		if db := s.SQLite(); db != nil {
			_, err = db.ExecContext(ctx, statement)
		} else {
			_, err = s.Pool().Exec(ctx, statement)
		}
		must(b, err)
	}
	if s.SQLite() != nil {
		_, err := s.SQLite().ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
		must(b, err)
		return
	}
	for _, statement := range []string{"VACUUM ANALYZE", "CHECKPOINT"} {
		_, err := s.Pool().Exec(ctx, statement)
		must(b, err)
	}
}
