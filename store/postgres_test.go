package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
	"maitred/store/storetest"
)

func TestDatabaseThatCannotBeReached(t *testing.T) {
	_, err := store.Open(ctx, store.Options{URL: "postgres://maitred:hunter22@127.0.0.1:1/maitred"})
	wants(t, err, fault.Unreachable, "127.0.0.1:1/maitred", "cannot be reached")
	_, err = store.Open(ctx, store.Options{URL: "postgres://maitred:hunter22@[::1"})
	wants(t, err, fault.Invalid, "postgres://USER@HOST")
	if strings.Contains(err.Error(), "hunter22") {
		t.Errorf("the password is in %q", err)
	}
	gone := storetest.Postgres(t) + "_that_is_not_there"
	_, err = store.Open(ctx, store.Options{URL: gone})
	wants(t, err, fault.Unreachable, "_that_is_not_there")
}

func TestBackupOfPostgres(t *testing.T) {
	err := store.Backup(ctx, store.Options{URL: "postgres://mai:hunter22@db.example:5433/tred"}, "/var/backups/my file")
	wants(t, err, fault.Unsupported, "pg_dump --format=custom --file='/var/backups/my file' --host=db.example --port=5433 --username=mai tred")
	if strings.Contains(err.Error()+fault.Of(err).Hint, "hunter22") {
		t.Error("the password is shown")
	}
}

// TestReplicasStartTogether opens an empty database from many at once: the
// tables are made once.
func TestReplicasStartTogether(t *testing.T) {
	p := storetest.PostgreSQL(t)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			s, err := store.Open(ctx, p.Options)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Ready(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestFrozenReplica freezes one in the middle of its transaction: others get
// the target after a while, and the frozen one finds that its work is void.
func TestFrozenReplica(t *testing.T) {
	p := storetest.PostgreSQL(t)
	p.Options.URL += "?idle_in_transaction_session_timeout=300"
	frozen, other := p.Open(t), p.Open(t)
	pizza := platform.Target{App: "ocpizza", Environment: "production"}
	insert := func(s *store.Store, key string) error {
		return s.Update(ctx, pizza, func(tx engine.Tx) error {
			op := platform.Operation{Key: key, Kind: platform.Capture, State: platform.Queued, Target: pizza}
			return tx.Insert(ctx, &op, "")
		})
	}
	must(t, insert(frozen, "first"))
	inside, thawed := make(chan bool), make(chan bool)
	result := make(chan error)
	go func() {
		result <- frozen.Update(ctx, pizza, func(tx engine.Tx) error {
			op := platform.Operation{Key: "frozen", Kind: platform.Capture, State: platform.Queued, Target: pizza}
			if err := tx.Insert(ctx, &op, ""); err != nil {
				return err
			}
			close(inside)
			<-thawed
			return nil
		})
	}()
	<-inside
	begun := time.Now()
	must(t, insert(other, "second"))
	t.Logf("the other had the target after %s", time.Since(begun).Round(time.Millisecond))
	close(thawed)
	if err := <-result; err == nil {
		t.Error("the frozen transaction was committed")
	}
	if _, err := other.ByKey(ctx, "frozen"); !fault.Is(err, fault.Missing) {
		t.Errorf("of the frozen transaction is left: %v", err)
	}
}

// TestSurvivorsShareWhatWasLeft lets two replicas take up a dead one's rows at
// once: each row goes to one of them.
func TestSurvivorsShareWhatWasLeft(t *testing.T) {
	p := storetest.PostgreSQL(t)
	dead := p.Open(t)
	const rows = 60
	for i := range rows {
		_, err := dead.Hear(ctx, chat.Inbound{Key: fmt.Sprint(i)}, nil, "dead", time.Millisecond)
		must(t, err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	taken := map[string]int{}
	for _, name := range []string{"two", "three"} {
		s := p.Open(t)
		all.Go(func() {
			for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
				some, err := s.Abandoned(ctx, name, time.Hour, 7)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, h := range some {
					taken[h.In.Key]++
				}
				done := len(taken) == rows
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	all.Wait()
	for key, n := range taken {
		if n != 1 {
			t.Errorf("row %s was taken up %d times", key, n)
		}
	}
	if len(taken) != rows {
		t.Errorf("%d rows were taken up, want %d", len(taken), rows)
	}
}

// TestDatabaseGoesAndComesBack cuts every connection: what fails says so, and
// the store works again without being opened again.
func TestDatabaseGoesAndComesBack(t *testing.T) {
	p := storetest.PostgreSQL(t)
	s, other := p.Open(t), p.Open(t)
	for range 5 {
		must(t, s.Ready(ctx))
		_, err := other.Pool().Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
		must(t, err)
		key := fmt.Sprint(time.Now().UnixNano())
		comesBack(t, func() error {
			_, err := s.Hear(ctx, chat.Inbound{Key: key}, nil, "one", time.Minute)
			return err
		})
		comesBack(t, func() error {
			_, err := s.Heard(ctx, key)
			return err
		})
	}
}

// comesBack tries until the database is there again.
func comesBack(t *testing.T, try func() error) {
	t.Helper()
	for range 30 {
		err := try()
		if err == nil {
			return
		}
		wants(t, err, fault.Unreachable, "cannot be reached")
	}
	t.Fatal("it did not come back")
}
