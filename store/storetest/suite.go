package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
)

// Run proves every promise that a store makes to the other rooms. Fresh is a
// new place for each proof.
func Run(t *testing.T, fresh func(t testing.TB) Place) {
	for _, proof := range []struct {
		claim string
		prove func(t *testing.T, p Place)
	}{
		{"an operation comes back as it was stored", operationRoundTrip},
		{"the same key is one operation", operationKey},
		{"a save of an older version is refused", operationVersion},
		{"the database refuses exactly the changes of state that the table forbids", operationLife},
		{"a random walk through the life stores what the table allows", operationWalk},
		{"two exclusive operations never hold one target", operationExclusive},
		{"a failed update leaves nothing behind", operationRollback},
		{"updates of one target exclude each other", operationUpdates},
		{"lists are filtered, newest first, and paged", operationLists},
		{"live operations stand in their line", operationLine},
		{"pruning takes an operation with all that hangs on it", operationPrune},
		{"steps come back in order, doing before undoing", stepOrder},
		{"a stale fence writes no step", stepFence},
		{"steps and updates of one operation do not disturb each other", stepsAndUpdates},
		{"a person decides once, under all identities", decisionOnce},
		{"events are kept in order and found one by one", eventOrder},
		{"a lock stands against others until it expires", lockStands},
		{"a freeze is replaced and removed", freezeReplaced},
		{"a replica lives by its lease and is taken over once", replicaLease},
		{"a boot that was replaced cannot come back", replicaZombie},
		{"a replica that was taken over is forgotten after a month", replicaForgotten},
		{"what is heard twice is one row", inboundOnce},
		{"what is heard can hold any bytes", inboundBytes},
		{"an answer ends a row once, with its audit", inboundAnswered},
		{"a restart takes up what was left, once", inboundAbandoned},
		{"an answer that was not told is taken up with its words", inboundTold},
		{"a dead replica's rows are taken up by another", inboundLease},
		{"an operation takes over the outcome and the secrets of what was heard", inboundOutcome},
		{"a secret is wiped when its line started nothing", secretOfNothing},
		{"a card is due until the chat shows its version", outboxFollows},
		{"a thread waits for its root", outboxThread},
		{"requests follow the operation that they ask for", outboxRequests},
		{"two dispatchers never have the same row", outboxClaims},
		{"what a killed dispatcher had in hand is free for its successor", outboxAfterKill},
		{"a row that was dropped takes its thread with it", outboxDropped},
		{"a row given back waits for its time", outboxLater},
		{"a thread tells what is meant in it", outboxSubjects},
		{"whatever happens, in the end the chat shows what is stored", outboxWalk},
		{"schedules are kept, and each tick is said once", scheduleKept},
		{"the audit is filtered, newest first, and paged", auditLists},
		{"the audit can only be appended to", auditAppendOnly},
		{"the chain proves the audit, and names the row that was changed", auditChain},
		{"pruning keeps the rest of the chain proven", auditPruned},
		{"old inbound rows go, young and unfinished ones stay", retention},
		{"keeping house links the audit and ends politely", housekeeping},
		{"everything is there after a restart", restart},
	} {
		t.Run(proof.claim, func(t *testing.T) {
			t.Parallel() // they mostly wait for the disk, each for its own store
			proof.prove(t, fresh(t))
		})
	}
}

var (
	ctx    = context.Background()
	pizza  = platform.Target{App: "ocpizza", Environment: "production"}
	ann    = chat.Person{Chat: "webchat", ID: "U1", Name: "Ann", Who: "ann"}
	bob    = chat.Person{Chat: "webchat", ID: "U2", Name: "Bob", Who: "bob"}
	square = chat.Place{Chat: "webchat", Channel: "deploys"}
	noon   = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
)

// must stops the test at an error that should not be.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// got is the value of a call that must succeed.
func got[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		must(t, err)
		return v
	}
}

// same compares two values deeply.
func same(t testing.TB, what string, is, want any) {
	t.Helper()
	if !reflect.DeepEqual(is, want) {
		a, _ := json.MarshalIndent(is, "", "  ")
		b, _ := json.MarshalIndent(want, "", "  ")
		t.Fatalf("%s is\n%s\nwant\n%s", what, a, b)
	}
}

// wants stops the test unless err is of the given kind and has a sentence.
func wants(t testing.TB, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("error is %v, want a fault of kind %s", err, kind)
	}
	if fault.Of(err).Say == "" {
		t.Fatalf("the fault %v says nothing", err)
	}
}

// is stops the test unless err is the given condition.
func is(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
}

// deploy is an operation that was not stored yet.
func deploy(key string, state platform.State) platform.Operation {
	return platform.Operation{
		Key: key, Kind: platform.Deploy, Target: pizza, State: state,
		Args:      json.RawMessage(`{"some":"thing"}`),
		Source:    &platform.Source{Repository: "/srv/ocpizza.git", Ref: "v1.1.0", SHA: "abc", Version: "v1.1.0"},
		Plan:      platform.Plan{Steps: []platform.Step{{Name: "build", Action: "build"}, {Name: "switch", Action: "switch", Undo: "unswitch"}}},
		Requester: ann, Place: square, Created: noon,
	}
}

// insert stores op.
func insert(t testing.TB, s *store.Store, op platform.Operation) platform.Operation {
	t.Helper()
	must(t, s.Update(ctx, op.Target, func(tx engine.Tx) error { return tx.Insert(ctx, &op, "") }))
	return op
}

// move saves the operation in another state, as the engine would.
func move(s *store.Store, id int64, to platform.State) error {
	return s.Update(ctx, pizza, func(tx engine.Tx) error {
		op, err := tx.Operation(ctx, id)
		if err != nil {
			return err
		}
		if op.State = to; to.Ended() {
			op.Ended = noon
		}
		return tx.Save(ctx, &op)
	})
}

// along are the states from queued on that lead to another.
func walk(t testing.TB, s *store.Store, id int64, states ...platform.State) {
	t.Helper()
	for _, state := range states {
		must(t, move(s, id, state))
	}
}

// force runs a statement that no method of the store would run.
func force(s *store.Store, statement string) error {
	if db := s.SQLite(); db != nil {
		_, err := db.ExecContext(ctx, statement)
		return err
	}
	_, err := s.Pool().Exec(ctx, statement)
	return err
}

// count runs a query for one number.
func count(t testing.TB, s *store.Store, query string) (n int) {
	t.Helper()
	if db := s.SQLite(); db != nil {
		must(t, db.QueryRowContext(ctx, query).Scan(&n))
	} else {
		must(t, s.Pool().QueryRow(ctx, query).Scan(&n))
	}
	return n
}

// until polls a fact until it holds.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func numbered(word string, n int) string { return fmt.Sprintf("%s-%d", word, n) }
