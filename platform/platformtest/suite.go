package platformtest

import (
	"testing"

	"maitred/platform"
)

// Subject is a provider that is to pass the suite.
type Subject struct {
	// Open makes a fresh world in which nothing was ever deployed. What it
	// started is stopped by t.Cleanup.
	Open func(t *testing.T) Stage
}

// Stage is one provider in one world, and the eyes of a visitor on it.
type Stage struct {
	Provider platform.Provider
	// Reopen is the provider after a restart of maitred: the same world, and
	// nothing remembered in memory. Nil is the same Provider.
	Reopen func() platform.Provider
	Target platform.Target

	First, Second platform.Source // get healthy
	Broken        platform.Source // never gets healthy; its step fails in a few seconds

	// Answer is the version that a visitor sees, "" when nobody answers.
	Answer func() string
	// Write and Read use the app's database, for an Archivist.
	Write func(data string)
	Read  func() string
	// Starts counts how often work was begun for a Run.Key. Nil where nobody counts.
	Starts func(key string) int

	Echo    []string // for a Runner: a command that prints EchoSays and exits 0
	Says    string
	Exit3   []string // for a Runner: a command that exits with 3
	Long    []string // for a Runner: a command that runs for a minute unless it is stopped
	Printed string   // for a LogReader: part of a line that the app prints at a deploy
	// Procfile is set when sources have one that names the process type web.
	Procfile bool
}

// Run proves that a provider does what package platform promises of it,
// capability by capability, with an interpreter of plans of its own.
func Run(t *testing.T, s Subject) {
	t.Helper()
	proofs := []struct {
		claim string
		prove func(t *testing.T, p *player)
	}{
		{"an app that was never deployed has no release", proveBlank},
		{"planning changes nothing", provePlanning},
		{"every step of a plan has an action of one kind", proveActions},
		{"a deploy goes live and the next one supersedes it", proveDeploy},
		{"doing a step again leaves the same world", proveAgain},
		{"started work is found after a crash and not started twice", proveFind},
		{"a polite stop leaves started work running", proveStopping},
		{"undo of every prefix brings the previous release back", provePrefixes},
		{"a cancelled step ends soon and leaves nothing", proveCancel},
		{"a broken release never answers", proveBroken},
		{"reading during a deploy is safe", proveReading},
		{"a capability that is missing is told in a sentence", proveMissing},
		{"history is newest first and can be cut", proveHistory},
		{"rollback goes back, and its undo forward", proveRollback},
		{"rollback refuses what cannot be gone back to", proveRollbackRefusals},
		{"maintenance goes on and off", proveMaintenance},
		{"a backup holds what was there", proveBackup},
		{"the undo of a capture puts the backup back", proveUndoCapture},
		{"stop silences and start revives", proveStopStart},
		{"restart answers afterwards with the same release", proveRestart},
		{"scale changes the number of processes", proveScale},
		{"run tells output and exit code", proveRun},
		{"a cancelled run is stopped", proveRunCancel},
		{"config shows names and never values", proveConfig},
		{"logs are there, cut and searched", proveLogs},
		{"a source is inspected before it is deployed", proveInspect},
	}
	for _, proof := range proofs {
		t.Run(proof.claim, func(t *testing.T) { proof.prove(t, newPlayer(t, s.Open(t))) })
	}
}

// able returns the capability C of the provider, or ends the proof: there is
// nothing to prove of a provider without it.
func able[C any](t *testing.T, p *player) C {
	t.Helper()
	c, ok := p.provider().(C)
	if !ok {
		t.SkipNow() // proveMissing proves how the lack is told
	}
	return c
}
