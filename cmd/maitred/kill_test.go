package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"maitred/platform"
)

// TestKillMaitred kills the whole program with kill -9 at random moments, most of
// them in the middle of an operation on a real app, and then counts: every line
// that was answered is there once, every operation ends, no finished step runs
// again, what needs its target alone has it alone, and approvals and schedules
// survive. MAITRED_SOAK=1 makes it ten times as long.
func TestKillMaitred(t *testing.T) {
	if testing.Short() {
		t.Skip("whole processes; not with -short")
	}
	kills, least := 10, 20
	if os.Getenv("MAITRED_SOAK") == "1" {
		kills, least = 100, 200
	}
	d := newDemo(t)
	k := newKiller(d, kills > 10)
	k.atBirth()
	d.start()
	k.schedule()
	for len(k.deaths) < kills {
		k.round()
	}
	for k.begun < least { // duplicates and refusals begin nothing
		k.tend(1)
		k.order()
	}
	k.settleDown()
	c := k.count()
	fmt.Println(c)
	if c.operations < least {
		t.Errorf("only %d operations", c.operations)
	}
	if c.during < kills/4 {
		t.Errorf("only %d of %d kills hit an operation", c.during, kills)
	}
}

// killer gives orders to a demo, and kills it.
type killer struct {
	*running
	book
	menu []dish

	deaths    []time.Time
	during    int // deaths while an operation was running
	pending   int // approvals that a death found waiting, summed
	cancelled int // wishes to cancel
	settled   int // unknown operations that a person settled
	kept      map[mark]trace
}

func newKiller(d *running, soak bool) *killer {
	return &killer{running: d, book: newBook(d), menu: menu(d.dir, soak), kept: map[mark]trace{}}
}

// atBirth kills the very first start of the demo, somewhere on its way to its
// first release.
func (k *killer) atBirth() {
	k.t.Helper()
	path, err := binary()
	if err != nil {
		k.t.Fatal(err)
	}
	k.process = exec.Command(path, "demo", "--listen", k.listen, "--app-listen", k.app, "--dir", k.dir)
	if err := k.process.Start(); err != nil {
		k.t.Fatal(err)
	}
	time.Sleep(rand.N(800 * time.Millisecond))
	k.kill()
	k.deaths = append(k.deaths, time.Now())
}

// schedule has a capture every minute, which must be there after all deaths.
func (k *killer) schedule() {
	k.t.Helper()
	if a := k.must("lead", `/backup schedule ocpizza * * * * *`); a.refused() {
		k.t.Fatalf("the schedule was refused: %+v", a)
	}
}

// round gives orders, kills maitred while one of them is carried out, and starts
// it again.
func (k *killer) round() {
	k.t.Helper()
	k.tend(0.6)
	k.order()
	if list := k.alive(); len(list) > 0 && rand.N(8) == 0 {
		k.cancelled++
		k.must("lead", fmt.Sprintf("/cancel %d", list[rand.N(len(list))].ID)) // refused when it has just ended
	}
	late := k.whisper(k.pick()) // the answer may never come
	if rand.N(4) == 0 {
		k.reach()
	} else {
		time.Sleep(rand.N(400 * time.Millisecond)) // the moment is what is random
	}
	k.kill()
	k.deaths = append(k.deaths, time.Now())
	<-late
	k.snapshot()
	k.printed = &printed{} // of the next life
	k.start()
	k.repeat()
}

// order says a line from the menu, which is answered.
func (k *killer) order() {
	k.t.Helper()
	d := k.pick()
	k.must(d.as, d.line)
}

func (k *killer) pick() dish { return k.menu[rand.N(len(k.menu))].fresh() }

// reach waits until a step of an operation that is alive begins, for a second at
// most.
func (k *killer) reach() {
	seen := map[string]bool{}
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, o := range k.alive() {
			for _, s := range o.Steps {
				if name := fmt.Sprintf("%d/%s", o.ID, s.Name); s.State == "running" && !seen[name] {
					if seen[name] = true; len(seen) > 1 {
						return // one that has just begun
					}
				}
			}
		}
	}
}

// tend has the lead decide some of what waits, settles what is unknown, and
// waits until the line is short.
func (k *killer) tend(share float64) {
	k.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		busy := 0
		for _, o := range k.alive() {
			switch o.State {
			case platform.Waiting:
				if rand.Float64() < share {
					k.decide(o.ID)
				}
			case platform.Unknown:
				k.settled++
				k.must("lead", fmt.Sprintf("/settle %d not-done the test looked", o.ID))
			default:
				busy++
			}
		}
		if busy < 4 {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("%d operations are still live\n%s", busy, k.told())
		}
	}
}

// decide approves, and now and then rejects.
func (k *killer) decide(id int64) {
	k.t.Helper()
	approve, line := true, fmt.Sprintf("/approve %d", id)
	if rand.N(8) == 0 {
		approve, line = false, fmt.Sprintf("/reject %d not today", id)
	}
	if a := k.must("lead", line); a.refused() {
		k.t.Errorf("lead: %s: %+v", line, a.Said)
	}
	k.decided[id] = approve
}

// settleDown waits until everything has ended, the maintenance page last.
func (k *killer) settleDown() {
	k.t.Helper()
	k.must("lead", "/maintenance off ocpizza")
	for deadline := time.Now().Add(3 * time.Minute); len(k.alive()) > 0; time.Sleep(50 * time.Millisecond) {
		k.tend(1)
		if time.Now().After(deadline) {
			k.t.Fatalf("still live: %+v\n%s", k.alive(), k.told())
		}
	}
	k.repeatAll()
}
