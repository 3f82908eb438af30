package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"maitred/fault"
)

const (
	fileName = "maitred.db"
	lockName = "maitred.lock"

	// smallFile is up to where a file is read whole when it is opened, to find
	// damage before anything builds on it. Bigger ones would delay the start;
	// there damage is found when it is read.
	smallFile = 8 << 20
)

// openSQLite opens the file in the directory, alone.
func (s *Store) openSQLite(ctx context.Context) error {
	s.dialect = sqliteDialect()
	dir := s.opts.Dir
	if dir == "" {
		return fault.New(fault.Invalid, "store.open", "Set data_dir in maitred.yml.", "The store has no directory.")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(dir, err)
	}
	var err error
	if s.locked, err = lockDir(dir); err != nil {
		return err
	}
	file := filepath.Join(dir, fileName)
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return unwritable(dir, err)
	}
	info, err := f.Stat()
	f.Close()
	if err != nil {
		return err
	}
	// One connection writes, ours and the engine's: several would wait for each
	// other in the busy handler, which sleeps.
	if s.db, err = openPrepared(dsn(file, "rwc", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)", "journal_size_limit(67108864)") + "&_txlock=immediate"); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	if s.reads, err = openPrepared(dsn(file, "ro", "query_only(1)")); err != nil {
		return err
	}
	s.reads.SetMaxOpenConns(4)
	s.reads.SetMaxIdleConns(4)
	if err := s.db.PingContext(ctx); err != nil {
		return err
	}
	if info.Size() > 0 && info.Size() <= smallFile {
		return s.check(ctx, s.db)
	}
	return nil
}

// openReadOnly opens the file for reads alone, beside whoever writes it.
func (s *Store) openReadOnly(ctx context.Context) error {
	s.dialect = sqliteDialect()
	file := s.where()
	if _, err := os.Stat(file); err != nil {
		return noStore(s.opts.Dir, err)
	}
	var err error
	// Not mode=ro: without the help files of a running maitred SQLite has to make
	// them, and removes them again.
	if s.reads, err = openPrepared(dsn(file, "rw", "query_only(1)")); err != nil {
		return err
	}
	return s.reads.PingContext(ctx)
}

func sqliteDialect() dialect {
	return dialect{tokens: strings.NewReplacer("@now", "CAST(unixepoch('subsec') * 1000 AS INTEGER)", "@lock", "", "@skip", "",
		"@each", "(SELECT value FROM json_each($1))")}
}

// noStore words a directory without a store.
func noStore(dir string, err error) error {
	return &fault.Error{
		Kind: fault.Missing, Op: "store.open", Say: fmt.Sprintf("There is no store in %s.", dir),
		Hint: "Name the data_dir of maitred.yml.", Err: err,
	}
}

// check reads the whole file for damage.
func (s *Store) check(ctx context.Context, db querier) error {
	var word string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&word); err != nil {
		return err
	}
	if word != "ok" {
		return &fault.Error{
			Kind: fault.Invalid, Op: "store.check",
			Say:  fmt.Sprintf("The store file %s is damaged.", s.where()),
			Hint: s.restore(), Err: errors.New(word),
		}
	}
	return nil
}

// dsn is the name of a file for the driver, with the settings of every
// connection.
func dsn(file, mode string, pragmas ...string) string {
	q := url.Values{"mode": {mode}, "_pragma": append([]string{"busy_timeout(10000)"}, pragmas...)}
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + q.Encode()
}

// lockFile is held as long as the store is open; the kernel gives it back when
// the process is gone, however it went.
type lockFile struct{ file *os.File }

// Lock takes dir for this maitred as opening a store in it does, for files that
// lie there beside a store. Faults: Busy (another maitred uses it), Invalid.
func Lock(dir string) (release func(), err error) {
	l, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	return l.release, nil
}

// lockDir makes sure that one maitred uses dir.
func lockDir(dir string) (*lockFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, unwritable(dir, err)
	}
	for deadline := time.Now().Add(lockGrace); ; time.Sleep(5 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		pid, _ := os.ReadFile(f.Name())
		if dead(string(pid)) && time.Now().Before(deadline) {
			continue
		}
		f.Close()
		return nil, &fault.Error{
			Kind: fault.Busy, Op: "store.open",
			Say:  fmt.Sprintf("Another maitred (pid %s) already uses %s.", orUnknown(string(pid)), dir),
			Hint: "Stop that one, or give this one a directory of its own.",
			Err:  err,
		}
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, fmt.Sprintf("%d\n", os.Getpid()))); err != nil {
		f.Close()
		return nil, unwritable(dir, err)
	}
	return &lockFile{f}, nil
}

// lockGrace is how long a lock may outlive its process: what a maitred was just
// starting when it was killed holds the lock until it becomes another program.
const lockGrace = 5 * time.Second

func dead(pid string) bool {
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	return err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH)
}

func (l *lockFile) release() { l.file.Close() }

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

func orUnknown(pid string) string {
	if pid = strings.TrimSpace(pid); pid == "" {
		return "unknown"
	}
	return pid
}

// unwritable words a directory that cannot be used.
func unwritable(dir string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return err // fail has the words
	}
	return &fault.Error{
		Kind: fault.Invalid, Op: "store.open",
		Say:  fmt.Sprintf("maitred cannot keep its store in %s: %v.", dir, errors.Unwrap(err)),
		Hint: "Make it a directory that belongs to the user who runs maitred.",
		Err:  err,
	}
}
