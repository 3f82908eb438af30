-- +goose Up
-- One text for SQLite and PostgreSQL. Times are Unix milliseconds, 0 is "not
-- yet"; JSON is TEXT and is only ever read by Go; what a query filters by is a
-- column of its own. The actions in double braces are the few places where the
-- two differ.

CREATE TABLE targets (
	app         TEXT NOT NULL,
	environment TEXT NOT NULL,
	PRIMARY KEY (app, environment)
);

-- The life of an operation, filled from the table in package platform each time
-- the store is opened.
CREATE TABLE transitions (
	was     TEXT NOT NULL,
	becomes TEXT NOT NULL,
	PRIMARY KEY (was, becomes)
);

CREATE TABLE operations (
	id          {{id}},
	request_key TEXT NOT NULL UNIQUE,
	kind        TEXT NOT NULL,
	exclusive   SMALLINT NOT NULL CHECK (exclusive IN (0, 1)),
	app         TEXT NOT NULL,
	environment TEXT NOT NULL,
	state       TEXT NOT NULL CHECK (state IN ('waiting', 'queued', 'running', 'undoing', 'unknown', 'succeeded', 'failed', 'cancelled')),
	live        SMALLINT NOT NULL CHECK ((live = 0) = (state IN ('succeeded', 'failed', 'cancelled'))),
	requester   TEXT NOT NULL,
	fence       BIGINT NOT NULL,
	version     BIGINT NOT NULL,
	queued      BIGINT NOT NULL,
	ended       BIGINT NOT NULL,
	body        TEXT NOT NULL
);
CREATE UNIQUE INDEX operations_one_exclusive ON operations (app, environment)
	WHERE exclusive = 1 AND state IN ('running', 'undoing', 'unknown');
CREATE INDEX operations_live ON operations (live, id);
CREATE INDEX operations_line ON operations (app, environment, live);
CREATE INDEX operations_target ON operations (app, environment, id);
CREATE INDEX operations_target_kind ON operations (app, environment, kind, id);
CREATE INDEX operations_requester ON operations (requester, id);
CREATE INDEX operations_state ON operations (state, id);
CREATE INDEX operations_ended ON operations (ended) WHERE live = 0;

{{if sqlite}}
CREATE TRIGGER operations_life BEFORE UPDATE OF state ON operations
WHEN OLD.state <> NEW.state
	AND NOT EXISTS (SELECT 1 FROM transitions WHERE was = OLD.state AND becomes = NEW.state)
BEGIN
	SELECT RAISE(ABORT, 'the life of an operation does not allow this change of state');
END;
{{else}}
CREATE FUNCTION operations_life() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF OLD.state <> NEW.state
		AND NOT EXISTS (SELECT 1 FROM transitions WHERE was = OLD.state AND becomes = NEW.state) THEN
		RAISE EXCEPTION 'the life of an operation does not allow this change of state';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER operations_life BEFORE UPDATE OF state ON operations
	FOR EACH ROW EXECUTE FUNCTION operations_life();
{{end}}

CREATE TABLE steps (
	operation BIGINT NOT NULL,
	undo      SMALLINT NOT NULL CHECK (undo IN (0, 1)),
	idx       INTEGER NOT NULL,
	body      TEXT NOT NULL,
	PRIMARY KEY (operation, undo, idx)
);

CREATE TABLE events (
	id        {{id}},
	operation BIGINT NOT NULL,
	kind      TEXT NOT NULL,
	body      TEXT NOT NULL
);
CREATE INDEX events_operation ON events (operation, id);

CREATE TABLE decisions (
	id        {{id}},
	operation BIGINT NOT NULL,
	person    TEXT NOT NULL,
	body      TEXT NOT NULL,
	UNIQUE (operation, person)
);

CREATE TABLE locks (
	app         TEXT NOT NULL,
	environment TEXT NOT NULL,
	person      TEXT NOT NULL,
	expires     BIGINT NOT NULL,
	body        TEXT NOT NULL,
	PRIMARY KEY (app, environment)
);

CREATE TABLE freezes (
	app  TEXT PRIMARY KEY,
	body TEXT NOT NULL
);

CREATE TABLE replicas (
	id          TEXT PRIMARY KEY,
	boot        TEXT NOT NULL,
	prior       TEXT NOT NULL,
	taken_by    TEXT NOT NULL,
	lease_until BIGINT NOT NULL
);

CREATE TABLE inbound (
	inbound_key TEXT PRIMARY KEY,
	heard       BIGINT NOT NULL,
	done        SMALLINT NOT NULL CHECK (done IN (0, 1)),
	owner       TEXT NOT NULL,
	boot        TEXT NOT NULL,
	lease_until BIGINT NOT NULL,
	operation   BIGINT NOT NULL,
	started     SMALLINT NOT NULL,
	body        TEXT NOT NULL,
	said        TEXT NOT NULL
);
CREATE INDEX inbound_unfinished ON inbound (heard) WHERE done = 0;
CREATE INDEX inbound_done ON inbound (heard) WHERE done = 1;

CREATE TABLE secrets (
	handle    TEXT PRIMARY KEY,
	inbound   TEXT NOT NULL,
	operation BIGINT NOT NULL,
	sealed    {{bytes}} NOT NULL
);
CREATE INDEX secrets_inbound ON secrets (inbound);
CREATE INDEX secrets_operation ON secrets (operation);

CREATE TABLE outbox (
	id             {{id}},
	kind           TEXT NOT NULL,
	subject        BIGINT NOT NULL,
	parent_kind    TEXT NOT NULL,
	parent         BIGINT NOT NULL,
	chat           TEXT NOT NULL,
	channel        TEXT NOT NULL,
	thread         TEXT NOT NULL,
	wanted         BIGINT NOT NULL,
	shown          BIGINT NOT NULL DEFAULT 0,
	since          BIGINT NOT NULL,
	not_before     BIGINT NOT NULL DEFAULT 0,
	attempts       INTEGER NOT NULL DEFAULT 0,
	posting        SMALLINT NOT NULL DEFAULT 0,
	dropped        SMALLINT NOT NULL DEFAULT 0,
	why            TEXT NOT NULL DEFAULT '',
	owner          TEXT NOT NULL DEFAULT '',
	lease_until    BIGINT NOT NULL DEFAULT 0,
	message        TEXT NOT NULL DEFAULT '',
	message_chat   TEXT NOT NULL DEFAULT '',
	message_channel TEXT NOT NULL DEFAULT '',
	message_thread TEXT NOT NULL DEFAULT '',
	UNIQUE (kind, subject, chat, channel, thread)
);
CREATE INDEX outbox_due ON outbox (since, id) WHERE dropped = 0 AND wanted > shown;
CREATE INDEX outbox_message ON outbox (message_channel, message) WHERE message <> '';
CREATE INDEX outbox_thread ON outbox (message_channel, message_thread) WHERE message_thread <> '';
CREATE INDEX outbox_parent ON outbox (parent_kind, parent) WHERE parent <> 0;

CREATE TABLE schedules (
	id          {{id}},
	line        TEXT NOT NULL,
	app         TEXT NOT NULL,
	environment TEXT NOT NULL,
	cron        TEXT NOT NULL,
	zone        TEXT NOT NULL,
	person      TEXT NOT NULL,
	place       TEXT NOT NULL,
	created     BIGINT NOT NULL,
	last        BIGINT NOT NULL
);

-- Rows of the audit are appended, then linked into the chain by position; the
-- order of the chain is that of linking, because on PostgreSQL numbers are
-- handed out before commits.
CREATE TABLE audit (
	seq      {{id}},
	at       BIGINT NOT NULL,
	who      TEXT NOT NULL,
	app      TEXT NOT NULL,
	word     TEXT NOT NULL,
	verb     TEXT NOT NULL,
	subject  TEXT NOT NULL,
	outcome  TEXT NOT NULL,
	line     TEXT NOT NULL,
	detail   TEXT NOT NULL,
	person   TEXT NOT NULL,
	place    TEXT NOT NULL,
	position BIGINT,
	link     TEXT
);
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_who ON audit (who, seq);
CREATE INDEX audit_app ON audit (app, seq);
CREATE INDEX audit_word ON audit (word, seq);
CREATE INDEX audit_outcome ON audit (outcome, seq);
CREATE UNIQUE INDEX audit_position ON audit (position) WHERE position IS NOT NULL;
CREATE INDEX audit_unlinked ON audit (seq) WHERE position IS NULL;

-- The one row of the chain: where it begins after pruning, where it ends, and
-- who links now. The seals vouch for begin and end.
CREATE TABLE audit_chain (
	one         SMALLINT PRIMARY KEY CHECK (one = 1),
	base        BIGINT NOT NULL,
	base_link   TEXT NOT NULL,
	base_seal   TEXT NOT NULL,
	head        BIGINT NOT NULL,
	head_link   TEXT NOT NULL,
	head_seal   TEXT NOT NULL,
	owner       TEXT NOT NULL,
	lease_until BIGINT NOT NULL
);
INSERT INTO audit_chain VALUES (1, 0, '', '', 0, '', '', '', 0);

{{if sqlite}}
CREATE TRIGGER audit_is_appended BEFORE UPDATE ON audit
WHEN OLD.position IS NOT NULL OR NEW.seq <> OLD.seq OR NEW.at <> OLD.at OR NEW.who <> OLD.who OR NEW.app <> OLD.app
	OR NEW.word <> OLD.word OR NEW.verb <> OLD.verb OR NEW.subject <> OLD.subject OR NEW.outcome <> OLD.outcome
	OR NEW.line <> OLD.line OR NEW.detail <> OLD.detail OR NEW.person <> OLD.person OR NEW.place <> OLD.place
BEGIN
	SELECT RAISE(ABORT, 'the audit is append-only');
END;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN OLD.position IS NULL OR OLD.position > (SELECT base FROM audit_chain)
BEGIN
	SELECT RAISE(ABORT, 'the audit is append-only');
END;
{{else}}
CREATE FUNCTION audit_is_appended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		IF OLD.position IS NULL OR OLD.position > (SELECT base FROM audit_chain) THEN
			RAISE EXCEPTION 'the audit is append-only';
		END IF;
		RETURN OLD;
	END IF;
	IF OLD.position IS NOT NULL
		OR (OLD.seq, OLD.at, OLD.who, OLD.app, OLD.word, OLD.verb, OLD.subject, OLD.outcome, OLD.line, OLD.detail, OLD.person, OLD.place)
		<> (NEW.seq, NEW.at, NEW.who, NEW.app, NEW.word, NEW.verb, NEW.subject, NEW.outcome, NEW.line, NEW.detail, NEW.person, NEW.place) THEN
		RAISE EXCEPTION 'the audit is append-only';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER audit_is_appended BEFORE UPDATE OR DELETE ON audit
	FOR EACH ROW EXECUTE FUNCTION audit_is_appended();
{{end}}
