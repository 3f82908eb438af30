package store

import (
	"context"
	"database/sql"
	"sync"

	"github.com/jackc/pgx/v5"
)

// pipe sends single statements of several callers to PostgreSQL together: one
// journey and one commit for all that came while the last ones were under way.
// Its connections are its own, so that an acknowledgement never waits behind
// work for one.
type pipe struct {
	mu      sync.Mutex
	led     bool
	waiting []*parcel
	slots   chan struct{} // as many as may be under way
}

// parcel is one caller's statement in a pipe.
type parcel struct {
	query   string
	args    []any
	changed int64
	err     error
	done    chan struct{}
}

const underway = 2

func newPipe() *pipe { return &pipe{slots: make(chan struct{}, underway)} }

// statement runs one statement, in a transaction that it may share with others,
// and reports how many rows it changed. It returns when that is committed.
func (s *Store) statement(ctx context.Context, g *group, query string, args ...any) (changed int64, err error) {
	if !s.dialect.postgres {
		err = s.together(ctx, g, func(ctx context.Context, tx *sql.Tx) (err error) {
			changed, err = affected(tx.ExecContext(ctx, query, args...))
			return err
		})
		return changed, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	one := &parcel{query: query, args: args, done: make(chan struct{})}
	p := g.pipe
	p.mu.Lock()
	p.waiting = append(p.waiting, one)
	lead := !p.led
	p.led = true
	p.mu.Unlock()
	if lead {
		s.send(context.WithoutCancel(ctx), p)
	}
	<-one.done // never shorter: whether it was stored must be known
	return one.changed, one.err
}

// send sends all that waits in p once there is room.
func (s *Store) send(ctx context.Context, p *pipe) {
	p.slots <- struct{}{}
	defer func() { <-p.slots }()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p.mu.Lock()
	all := p.waiting
	p.waiting, p.led = nil, false
	p.mu.Unlock()
	s.batch(ctx, all)
	for _, one := range all {
		close(one.done)
	}
}

// batch runs all in one transaction, which a batch without a BEGIN is; when one
// of them fails, each in its own, so that nobody suffers for another.
func (s *Store) batch(ctx context.Context, all []*parcel) {
	b := &pgx.Batch{}
	for _, one := range all {
		b.Queue(one.query, one.args...)
	}
	results := s.express.SendBatch(ctx, b)
	var failed error
	for _, one := range all {
		tag, err := results.Exec()
		if err != nil {
			failed = err
			break
		}
		one.changed = tag.RowsAffected()
	}
	if err := results.Close(); failed == nil {
		failed = err
	}
	if failed == nil {
		return
	}
	for _, one := range all {
		one.err = again(ctx, func() error {
			tag, err := s.express.Exec(ctx, one.query, one.args...)
			one.changed = tag.RowsAffected()
			return err
		})
	}
}
