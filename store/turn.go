package store

import (
	"context"
	"database/sql"
	"sync"
	"time"
)

// turn decides who writes next on the one connection of SQLite. What was heard
// goes first, because somebody waits for its acknowledgement; after three such
// turns in a row another writer that waits gets one.
type turn struct {
	mu      sync.Mutex
	taken   bool
	inARow  int // urgent turns while others waited
	urgent  []chan struct{}
	patient []chan struct{}
}

const urgentInARow = 3

// take waits for a turn.
func (t *turn) take(ctx context.Context, urgent bool) error {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	if urgent {
		t.urgent = append(t.urgent, mine)
	} else {
		t.patient = append(t.patient, mine)
	}
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	if !t.forget(mine) {
		t.give() // it came in the same moment
	}
	return context.Cause(ctx)
}

// give hands the turn on.
func (t *turn) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := &t.urgent
	if len(t.urgent) == 0 || (len(t.patient) > 0 && t.inARow >= urgentInARow) {
		line = &t.patient
	}
	if len(*line) == 0 {
		t.taken, t.inARow = false, 0
		return
	}
	if line == &t.urgent && len(t.patient) > 0 {
		t.inARow++
	} else {
		t.inARow = 0
	}
	next := (*line)[0]
	*line = (*line)[1:]
	close(next)
}

// forget leaves the line, and reports whether it was still in it.
func (t *turn) forget(mine chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, line := range []*[]chan struct{}{&t.urgent, &t.patient} {
		for i, c := range *line {
			if c == mine {
				*line = append((*line)[:i:i], (*line)[i+1:]...)
				return true
			}
		}
	}
	return false
}

// write runs fn in a transaction and commits when it returns nil. On PostgreSQL
// fn is run again after a serialization failure or a deadlock, so it must change
// nothing but through tx.
func (s *Store) write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if s.dialect.postgres {
		return s.persist(ctx, fn)
	}
	if err := s.turn.take(ctx, false); err != nil {
		return err
	}
	defer s.turn.give()
	return s.once(ctx, fn)
}

// once is one transaction, tried once.
func (s *Store) once(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// group collects small writes of several callers into one commit, so that they
// share one fsync. Whoever comes first while nobody leads becomes the leader;
// those who come while the leader waits for the turn go along with him.
type group struct {
	mu      sync.Mutex
	led     bool
	waiting []*errand
	pipe    *pipe // of PostgreSQL
}

// errand is one caller's write in a group.
type errand struct {
	fn   func(ctx context.Context, tx *sql.Tx) error
	err  error
	done chan struct{}
}

// patience bounds how long a commit of a group may take.
const patience = 15 * time.Second

// together runs fn in a transaction that it may share with others. It returns
// when the transaction is committed; fn may be run twice.
func (s *Store) together(ctx context.Context, g *group, fn func(ctx context.Context, tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.dialect.postgres {
		return s.persist(ctx, func(tx *sql.Tx) error { return fn(ctx, tx) })
	}
	e := &errand{fn: fn, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, e)
	lead := !g.led
	g.led = true
	g.mu.Unlock()
	if lead {
		s.lead(context.WithoutCancel(ctx), g)
	}
	<-e.done // never shorter: whether it was stored must be known
	return e.err
}

// lead commits everything that waits in g.
func (s *Store) lead(ctx context.Context, g *group) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	refused := s.turn.take(ctx, g == &s.heard)
	g.mu.Lock()
	all := g.waiting
	g.waiting, g.led = nil, false
	g.mu.Unlock()
	if refused == nil {
		defer s.turn.give()
		s.commit(ctx, all)
	}
	for _, e := range all {
		if refused != nil {
			e.err = refused
		}
		close(e.done)
	}
}

// commit runs all in one transaction; when one of them fails, each in its own,
// so that nobody suffers for another.
func (s *Store) commit(ctx context.Context, all []*errand) {
	err := s.once(ctx, func(tx *sql.Tx) error {
		for _, e := range all {
			if err := e.fn(ctx, tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil || len(all) == 1 {
		all[0].err = err
		return
	}
	for _, e := range all {
		e.err = s.once(ctx, func(tx *sql.Tx) error { return e.fn(ctx, tx) })
	}
}
