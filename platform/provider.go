package platform

import (
	"context"
	"time"
)

// Provider is what every platform does. Everything else is a capability; see
// Need. A Provider is safe for concurrent use. Its methods read or plan; only an
// Action that the engine runs changes anything.
type Provider interface {
	// Kind is "heroku", "host", "s3": the word used in config and messages.
	Kind() string
	// Status says what runs on t now. An app that was never deployed is no
	// error: it has no release. Faults: Missing (no such target), Unreachable.
	Status(ctx context.Context, t Target) (Status, error)
	// PlanDeploy says how src would go live on t, and changes nothing. Faults:
	// Invalid (it cannot be deployed, and why), Missing, Unreachable.
	PlanDeploy(ctx context.Context, t Target, src Source) (Plan, error)
	// Actions are the verbs that this provider's plans use. A verb is never
	// renamed while an operation that uses it can be alive.
	Actions() map[string]Action
}

// Status is what runs on a target.
type Status struct {
	Release     *Release     // nil before the first deploy
	Running     bool         // at least one process serves
	Healthy     bool         // it answers, with the release that it should be
	Evidence    string       // what was seen: "GET /healthz answered 200 in 3 ms"
	Processes   []Process    //
	Maintenance *Maintenance // nil when the platform has none
	URL         string       // where people find it
	Notes       []string     // drift, disk nearly full, …
}

// Release is one version of an app that is or was live, or failed to be.
type Release struct {
	ID        string       `json:"id"` // "r12", "v412": unique on its target, grows
	Ref       string       `json:"ref,omitempty"`
	SHA       string       `json:"sha,omitempty"`
	Version   string       `json:"version,omitempty"` // the tag or short SHA: what the app itself shows
	By        string       `json:"by,omitempty"`
	At        time.Time    `json:"at"`
	State     ReleaseState `json:"state"`
	Operation int64        `json:"operation,omitempty"`
	Note      string       `json:"note,omitempty"` // "rollback to r3", "config DATABASE_URL set"
	Again     time.Time    `json:"again,omitzero"` // when it was gone back to; zero when it was not
	AgainBy   string       `json:"again_by,omitempty"`
}

// Since is when, and by whom, r was made live last.
func (r Release) Since() (at time.Time, by string) {
	if r.Again.IsZero() {
		return r.At, r.By
	}
	return r.Again, r.AgainBy
}

// ReleaseState is the life of a release on its target.
type ReleaseState string

const (
	ReleasePrepared   ReleaseState = "prepared"   // built, not live
	ReleaseLive       ReleaseState = "live"       // the one that serves
	ReleaseSuperseded ReleaseState = "superseded" // was live and can be gone back to
	ReleaseFailed     ReleaseState = "failed"     // never got healthy, or was taken back
	ReleasePruned     ReleaseState = "pruned"     // its files are gone
)

// Process is one process, dyno or slot of an app.
type Process struct {
	Name    string // "web.blue", "web.1"
	Type    string // "web"
	State   string // "up", "starting", "stopped", "crashed"
	PID     int    // zero where it means nothing
	Since   time.Time
	Release string
	Command string // redacted by whoever shows it
}

// Maintenance is whether visitors see the maintenance page.
type Maintenance struct {
	On    bool      `json:"on"`
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
	Since time.Time `json:"since,omitzero"`
}
