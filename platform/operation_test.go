package platform

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/states.md anew")

var kinds = []Kind{Deploy, Rollback, Update, Restore, Capture, Maintain, Start, Stop, Restart, Scale, RunCommand, SetConfig, UnsetConfig}

func TestConflictsAreMutual(t *testing.T) {
	for _, k := range kinds {
		for _, l := range kinds {
			if k.Conflicts(l) != l.Conflicts(k) {
				t.Errorf("%s conflicts with %s: %v, the other way round: %v", k, l, k.Conflicts(l), l.Conflicts(k))
			}
			if k.Exclusive() && l.Exclusive() && !k.Conflicts(l) {
				t.Errorf("%s and %s are exclusive and do not conflict", k, l)
			}
		}
	}
}

func TestConflicts(t *testing.T) {
	tests := map[string]struct {
		a, b Kind
		want bool
	}{
		"two deploys":                             {Deploy, Deploy, true},
		"a deploy and a restart":                  {Deploy, Restart, true},
		"a deploy and the maintenance page":       {Deploy, Maintain, false},
		"a deploy and a backup":                   {Deploy, Capture, false},
		"an update owns the maintenance page":     {Update, Maintain, true},
		"a restore and a backup":                  {Restore, Capture, true},
		"a restore and a command":                 {Restore, RunCommand, true},
		"two commands":                            {RunCommand, RunCommand, false},
		"a variable and a restart":                {SetConfig, Restart, true},
		"the maintenance page on and off at once": {Maintain, Maintain, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tt.a.Conflicts(tt.b); got != tt.want {
				t.Errorf("%s and %s conflict: %v, want %v", tt.a, tt.b, got, tt.want)
			}
		})
	}
}

func TestEveryStateIsReachedAndLeadsToAnEnd(t *testing.T) {
	if len(States) != len(next) {
		t.Fatalf("States has %d states, the table %d", len(States), len(next))
	}
	reached := map[State]bool{Waiting: true, Queued: true} // where a life begins
	for range States {
		for s := range reached {
			for _, n := range next[s] {
				reached[n] = true
			}
		}
	}
	for _, s := range States {
		if !reached[s] {
			t.Errorf("nothing leads to %s", s)
		}
		if !s.Ended() && !leadsToAnEnd(s, map[State]bool{}) {
			t.Errorf("%s leads to no end", s)
		}
		if s.Ended() && s.Holds() {
			t.Errorf("%s has ended and holds its target", s)
		}
	}
}

func leadsToAnEnd(s State, seen map[State]bool) bool {
	if s.Ended() {
		return true
	}
	if seen[s] {
		return false
	}
	seen[s] = true
	return slices.ContainsFunc(next[s], func(n State) bool { return leadsToAnEnd(n, seen) })
}

// The drawing is made from the table, so that it cannot lie.
func TestDrawingShowsTheTable(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# The life of an operation

This page is written from the table in ` + "`platform/operation.go`" + ` (` + "`go test ./platform -update`" + `).
The same table is the check in the engine and the constraint in the database.

` + "```mermaid\nstateDiagram-v2\n")
	b.WriteString("    [*] --> waiting: approval needed\n    [*] --> queued: no approval needed\n")
	for _, s := range States {
		for _, n := range next[s] {
			fmt.Fprintf(&b, "    %s --> %s\n", s, n)
		}
		if s.Ended() {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	b.WriteString("```\n\n| state | may become | holds its target |\n|---|---|---|\n")
	for _, s := range States {
		var to []string
		for _, n := range next[s] {
			to = append(to, string(n))
		}
		if s.Ended() {
			to = []string{"nothing: it has ended"}
		}
		holds := "no"
		if s.Holds() {
			holds = "yes"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s, strings.Join(to, ", "), holds)
	}
	b.WriteString("\n## What may run at once on one target\n\nExclusive operations never run beside each other. Beyond that:\n\n| operation | exclusive | not beside |\n|---|---|---|\n")
	for _, k := range kinds {
		exclusive := "no"
		if k.Exclusive() {
			exclusive = "yes"
		}
		var not []string
		for _, l := range kinds {
			if k.Conflicts(l) {
				not = append(not, string(l))
			}
		}
		if not == nil {
			not = []string{"(anything may)"}
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", k, exclusive, strings.Join(not, ", "))
	}
	const file = "../docs/states.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is not what the table says; run go test ./platform -update", file)
	}
}
