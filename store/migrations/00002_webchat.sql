-- +goose Up
-- The messages of the chat page. Their ids and changes are counted in one row,
-- so that changes become visible in the order of their numbers.

CREATE TABLE webchat_counter (
	one INTEGER PRIMARY KEY CHECK (one = 1),
	n   BIGINT NOT NULL
);
INSERT INTO webchat_counter (one, n) VALUES (1, 0);

CREATE TABLE webchat_messages (
	id       BIGINT PRIMARY KEY,
	seq      BIGINT NOT NULL,
	post_key TEXT NOT NULL UNIQUE,
	channel  TEXT NOT NULL,
	thread   BIGINT NOT NULL,
	author   TEXT NOT NULL,
	viewer   TEXT NOT NULL,
	mentions TEXT NOT NULL,
	body     TEXT NOT NULL,
	card     TEXT NOT NULL,
	form     TEXT NOT NULL,
	file     TEXT NOT NULL,
	lost     SMALLINT NOT NULL,
	at       BIGINT NOT NULL,
	edited   BIGINT NOT NULL
);
CREATE INDEX webchat_messages_place ON webchat_messages (channel, thread, id);
CREATE INDEX webchat_messages_thread ON webchat_messages (thread, id);
CREATE INDEX webchat_messages_seq ON webchat_messages (seq);

CREATE TABLE webchat_files (
	message BIGINT PRIMARY KEY,
	data    {{bytes}} NOT NULL
);

-- How far a persona has seen a channel (thread 0) or a thread.
CREATE TABLE webchat_seen (
	viewer  TEXT NOT NULL,
	channel TEXT NOT NULL,
	thread  BIGINT NOT NULL,
	message BIGINT NOT NULL,
	PRIMARY KEY (viewer, channel, thread)
);
