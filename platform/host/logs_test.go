package host

import (
	"os"
	"strings"
	"testing"
	"time"

	"maitred/platform"
)

// Two slots print at the same time; what they printed is told in the order in
// which it happened.
func TestLogsAreInTheOrderOfTime(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.deploy("v1.1.0")
	write := func(slot, text string) {
		if err := os.WriteFile(s.path("shared", "log", slot+".log"), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write(slots[0], "2026-01-01T10:00:01Z one\n  of two lines\n2026-01-01T10:00:04Z four\n")
	write(slots[1], "booting\n2026-01-01T10:00:02Z two\n2026-01-01T10:00:03Z three\n")
	for want, q := range map[string]platform.LogQuery{
		"one|  of two lines|booting|two|three|four": {},
		"three|four": {Lines: 2},
		"two":        {Grep: "tw", Since: time.Date(2026, 1, 1, 10, 0, 2, 0, time.UTC), Lines: 1},
	} {
		lines, err := s.Logs(t.Context(), pizza, q)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, l.Text)
		}
		if strings.Join(got, "|") != want {
			t.Errorf("got %q, want %q", strings.Join(got, "|"), want)
		}
	}
}

// A release that was gone back to is live since then, by whoever went back; the
// time at which it was live first stays on record.
func TestAReleaseIsLiveSinceTheRollback(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.deploy("v1.1.0")
	first, err := s.entry("r1")
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	if _, err := s.begin(s.PlanRollback(t.Context(), pizza, first.Release)).until(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	now, err := s.Status(t.Context(), pizza)
	if err != nil {
		t.Fatal(err)
	}
	if at, by := now.Release.Since(); now.Release.ID != "r1" || at.Before(before) || by == "" || !now.Release.At.Equal(first.At) {
		t.Errorf("%s is live since %s by %q, made %s", now.Release.ID, at, by, now.Release.At)
	}
}
