package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // lets the library take a SQLite handle
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
)

// The names under which work is stored. They are kept by hand: a new release of
// maitred must find what an older one left.
const (
	appName         = "maitred"
	interpreter     = "1" // the version of the walk itself; plans carry everything else
	workflowOperate = "operate"
	pollEvery       = 50 * time.Millisecond
)

// handed is what a workflow is given: an operation under one fence.
type handed struct {
	ID    int64 `json:"id"`
	Fence int64 `json:"fence"`
}

// workflowID names the workflow of one hand-over.
func (h handed) workflowID() string { return fmt.Sprintf("op-%d-%d", h.ID, h.Fence) }

// queue is the durable queue: the only place that knows the library. Each
// replica listens to a queue of its own name, so that work which a replica
// enqueued is begun by it or, after its death, handed over with a new fence, and
// never by a third one in between.
type queue struct {
	dbos dbos.Context
	name string
	own  *pgxpool.Pool // closed by the library
	ends *atomic.Bool  // it is being closed
}

// openQueue prepares the queue in the database of c.
func openQueue(c Config, operate func(ctx context.Context, h handed, step stepFunc) (outcome, error)) (*queue, error) {
	// These override the configuration, and a changed one would strand work.
	for _, name := range []string{"DBOS__APPVERSION", "DBOS__VMID", "DBOS__CLOUD"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, fmt.Errorf("unset %s: %w", name, err)
		}
	}
	q := &queue{name: "operations-" + c.Replica, ends: new(atomic.Bool)}
	conf := dbos.Config{
		AppName: appName, ApplicationVersion: interpreter, ExecutorID: c.Replica,
		SQLiteSystemDB: c.SQLite, Logger: slog.New(quiet{c.Log.Named("queue"), q.ends}),
		SchedulerPollingInterval: time.Hour, // no schedules of its own
	}
	if c.Pool != nil {
		// The library closes the pool that it is given, so it gets one of its own.
		own := c.Pool.Config()
		own.MaxConns, own.MinConns, own.MinIdleConns = 6, 0, 0
		pool, err := pgxpool.NewWithConfig(context.Background(), own)
		if err != nil {
			return nil, fmt.Errorf("open the queue: %w", err)
		}
		q.own, conf.SystemDBPool = pool, pool
	}
	// The context outlives every caller's: only close ends it, because the
	// library takes any other end for the wish to cancel the work for good.
	d, err := dbos.NewContext(context.Background(), conf)
	if err != nil {
		q.closeOwn()
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	q.dbos = d
	dbos.RegisterWorkflow(d, func(ctx dbos.Context, h handed) (string, error) {
		step := func(name string, fn func() (outcome, error)) (outcome, error) {
			return dbos.RunAsStep(ctx, func(context.Context) (outcome, error) {
				out, err := fn()
				if out == left {
					<-ctx.Done() // a step that its own context ended is not recorded
				}
				return out, err
			}, dbos.WithStepName(name))
		}
		out, err := operate(ctx, h, step)
		if out == left {
			<-ctx.Done() // unfinished: to return before the end would count as done
			return "", context.Cause(ctx)
		}
		return string(out), err
	}, dbos.WithWorkflowName(workflowOperate))
	if _, err := dbos.RegisterQueue(d, q.name, dbos.WithQueueBasePollingInterval(pollEvery),
		dbos.WithQueueOnConflict(dbos.QueueConflictAlwaysUpdate)); err != nil {
		return nil, errors.Join(fmt.Errorf("register the queue: %w", err), q.close())
	}
	dbos.ListenQueues(d, q.name)
	return q, nil
}

// launch begins to take work.
func (q *queue) launch() error {
	if err := dbos.Launch(q.dbos); err != nil {
		return fmt.Errorf("launch the queue: %w", err)
	}
	return nil
}

// put enqueues h in the caller's transaction.
func (q *queue) put(tx Tx, h handed) error {
	_, err := dbos.Enqueue[string](q.dbos, q.name, workflowOperate, h,
		dbos.WithEnqueueWorkflowID(h.workflowID()), dbos.WithEnqueueTransaction(tx.SQL()))
	if err != nil {
		return fmt.Errorf("enqueue %s: %w", h.workflowID(), err)
	}
	return nil
}

// drop ends the workflow of an older hand-over. The fence protects against it
// anyway; this spares the library from taking it up.
func (q *queue) drop(h handed) error { return dbos.CancelWorkflow(q.dbos, h.workflowID()) }

// prune deletes what the library keeps of workflows that ended before t, at most
// limit of them, and returns how many.
func (q *queue) prune(t time.Time, limit int) (int, error) {
	old, err := dbos.ListWorkflows(q.dbos, dbos.WithFilterCompletedBefore(t), dbos.WithFilterName(workflowOperate),
		dbos.WithFilterLimit(limit), dbos.WithFilterLoadInput(false), dbos.WithFilterLoadOutput(false))
	if err != nil || len(old) == 0 {
		return 0, err
	}
	ids := make([]string, len(old))
	for i, w := range old {
		ids[i] = w.ID
	}
	return len(ids), dbos.DeleteWorkflows(q.dbos, ids)
}

// close ends the queue and what it holds of the database.
func (q *queue) close() error {
	defer q.closeOwn()
	q.ends.Store(true)
	if err := dbos.Shutdown(q.dbos, 5*time.Second); err != nil {
		return fmt.Errorf("close the queue: %w", err)
	}
	return nil
}

func (q *queue) closeOwn() {
	if q.own != nil {
		go q.own.Close() // waits for connections; the process may be quicker
	}
}

// stepFunc checkpoints what fn returns under a name.
type stepFunc func(name string, fn func() (outcome, error)) (outcome, error)

// quiet passes the library's log on: its errors as warnings, everything else for
// those who debug. That its work is cut short when we close it is no news.
type quiet struct {
	log  *zap.Logger
	ends *atomic.Bool
}

func (q quiet) Enabled(_ context.Context, l slog.Level) bool {
	return l >= slog.LevelError || q.log.Core().Enabled(zap.DebugLevel)
}

func (q quiet) Handle(_ context.Context, r slog.Record) error {
	var fields []zap.Field
	ours := false
	r.Attrs(func(a slog.Attr) bool {
		ours = ours || q.ends.Load() && strings.Contains(a.Value.String(), context.Canceled.Error())
		fields = append(fields, zap.String(a.Key, a.Value.String()))
		return true
	})
	if r.Level >= slog.LevelError && !ours {
		q.log.Warn(r.Message, fields...)
	} else {
		q.log.Debug(r.Message, fields...)
	}
	return nil
}

func (q quiet) WithAttrs(as []slog.Attr) slog.Handler {
	log := q.log
	for _, a := range as {
		log = log.With(zap.String(a.Key, a.Value.String()))
	}
	return quiet{log, q.ends}
}

func (q quiet) WithGroup(string) slog.Handler { return q }
