package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"maitred/commands"
)

const scheduleColumns = "id, line, app, environment, cron, zone, person, place, created, last"

func schedule(r scanner) (c commands.Schedule, err error) {
	var person, place string
	var created, last int64
	if err := r.Scan(&c.ID, &c.Line, &c.Target.App, &c.Target.Environment, &c.Cron, &c.Zone, &person, &place, &created, &last); err != nil {
		return c, err
	}
	c.Created, c.Last = fromMs(created), fromMs(last)
	return c, errors.Join(json.Unmarshal([]byte(person), &c.Person), json.Unmarshal([]byte(place), &c.Place))
}

// Schedules are the lines that clocks say, oldest first.
func (s *Store) Schedules(ctx context.Context) ([]commands.Schedule, error) {
	all, err := rows(ctx, s.read(), "SELECT "+scheduleColumns+" FROM schedules ORDER BY id", nil, schedule)
	return all, s.fail("store.schedules", err)
}

// AddSchedule stores c as new and returns it with its number.
func (s *Store) AddSchedule(ctx context.Context, c commands.Schedule) (commands.Schedule, error) {
	person, err1 := text(c.Person)
	place, err2 := text(c.Place)
	if err := errors.Join(err1, err2); err != nil {
		return c, s.fail("store.add-schedule", err)
	}
	if c.Created.IsZero() {
		c.Created = time.Now()
	}
	err := s.write(ctx, func(tx *sql.Tx) (err error) {
		c, err = schedule(tx.QueryRowContext(ctx, `INSERT INTO schedules (line, app, environment, cron, zone, person, place, created, last)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING `+scheduleColumns,
			clean(c.Line), c.Target.App, c.Target.Environment, clean(c.Cron), c.Zone, person, place, ms(c.Created), ms(c.Last)))
		return err
	})
	return c, s.fail("store.add-schedule", err)
}

// RemoveSchedule removes a schedule and returns what it was. Faults: Missing.
func (s *Store) RemoveSchedule(ctx context.Context, id int64) (c commands.Schedule, err error) {
	err = s.write(ctx, func(tx *sql.Tx) (err error) {
		c, err = schedule(tx.QueryRowContext(ctx, "DELETE FROM schedules WHERE id = $1 RETURNING "+scheduleColumns, id))
		if errors.Is(err, sql.ErrNoRows) {
			return missing("store.remove-schedule", "/backup schedules", "There is no schedule %d.", id)
		}
		return err
	})
	return c, s.fail("store.remove-schedule", err)
}

// Ticked stores that the line of a schedule was said for the tick at t, and
// reports whether this is news: of several who say so, one is told yes.
func (s *Store) Ticked(ctx context.Context, id int64, t time.Time) (bool, error) {
	return s.remove(ctx, "store.ticked", "UPDATE schedules SET last = $1 WHERE id = $2 AND last < $1", ms(t), id)
}
