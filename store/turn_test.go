package store

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// inLine says how many wait for a turn.
func (t *turn) inLine() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.urgent) + len(t.patient)
}

func TestUrgentGoesFirstButNotForEver(t *testing.T) {
	var turns turn
	ctx := context.Background()
	if err := turns.take(ctx, false); err != nil {
		t.Fatal(err)
	}
	order := make(chan string, 20)
	line := 0
	join := func(name string, urgent bool) {
		go func() {
			if err := turns.take(ctx, urgent); err != nil {
				t.Error(err)
			}
			order <- name
			turns.give()
		}()
		line++
		for turns.inLine() < line {
			time.Sleep(time.Millisecond)
		}
	}
	join("p", false)
	join("p", false)
	for range 5 {
		join("u", true)
	}
	turns.give()
	var got []string
	for range 7 {
		got = append(got, <-order)
	}
	if want := []string{"u", "u", "u", "p", "u", "u", "p"}; !slices.Equal(got, want) {
		t.Errorf("the order is %v, want %v", got, want)
	}
}

func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	var turns turn
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(turns.take(ctx, false))
	for range 200 { // the turn and the end of patience race
		impatient, cancel := context.WithCancel(ctx)
		gone := make(chan error)
		go func() { gone <- turns.take(impatient, true) }()
		for turns.inLine() < 1 {
			time.Sleep(10 * time.Microsecond)
		}
		go cancel()
		turns.give()
		if err := <-gone; err == nil {
			turns.give()
		} else if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		must(turns.take(ctx, false))
	}
	turns.give()
	must(turns.take(ctx, true))
}
