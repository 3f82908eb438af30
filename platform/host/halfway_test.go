package host

import (
	"testing"
	"time"
)

// TestAStartLeavesAnAppThatIsHeldAlone starts maitred again after a kill in the
// middle of a restore: an app that is started then would write into the file
// that the restore is about to replace.
func TestAStartLeavesAnAppThatIsHeldAlone(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	s.post("margherita")
	s.must(s.PlanCapture(t.Context(), pizza, ""))
	s.post("funghi")
	list, err := s.Backups(t.Context(), pizza)
	if err != nil {
		t.Fatal(err)
	}
	for _, killed := range []string{"safety backup", "swap", "start"} {
		y := s.begin(s.PlanRestore(t.Context(), pizza, list[0], ""))
		if _, err := y.until(t.Context(), killed); err != nil {
			t.Fatal(err)
		}
		if err := s.holdRequests(-time.Minute); err != nil { // the machine was off for a while
			t.Fatal(err)
		}
		s.Provider = s.open()
		if err := s.EnsureRunning(t.Context(), pizza); err != nil {
			t.Fatal(err)
		}
		if s.runs("blue", "") || s.runs("green", "") {
			t.Fatalf("the app was started before %q of a restore", killed)
		}
		if _, err := y.until(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if _, notes := s.visit("/notes"); notes != "margherita" {
			t.Fatalf("after the restore the notes are %q", notes)
		}
		s.post("funghi")
	}
}

// TestADrainThatWasCutShortEnds is killed between the note that the old process
// leaves and the signal.
func TestADrainThatWasCutShortEnds(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	y := s.begin(s.PlanDeploy(t.Context(), pizza, s.source("v1.1.0")))
	if _, err := y.until(t.Context(), "drain"); err != nil {
		t.Fatal(err)
	}
	old, _ := s.tenant("blue")
	old.Leaving = true
	if err := s.setTenant(old); err != nil {
		t.Fatal(err)
	}
	s.Provider = s.open()
	if _, err := y.until(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if s.job(old).alive() {
		t.Error("the old release runs for ever")
	}
}
