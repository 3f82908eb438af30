package platform

import (
	"context"
	"fmt"
	"time"

	"maitred/fault"
)

// Need returns p's capability C, or a fault of kind Unsupported worded for the
// chat: "The s3 platform cannot show a maintenance page."
func Need[C any](p Provider, to string) (C, error) {
	c, ok := p.(C)
	if !ok {
		var none C
		return none, &fault.Error{
			Kind: fault.Unsupported, Op: "platform.need",
			Say:  fmt.Sprintf("The %s platform cannot %s.", p.Kind(), to),
			Hint: "/help",
		}
	}
	return c, nil
}

// The capabilities. Each does one job; it plans or reads, and changes nothing.
type (
	// Maintainer can show visitors a page in place of the app.
	Maintainer interface {
		PlanMaintenance(ctx context.Context, t Target, on bool, why string) (Plan, error)
		Maintenance(ctx context.Context, t Target) (Maintenance, error)
	}

	// Historian knows the releases of a target, newest first. Limit 0 is all.
	Historian interface {
		Releases(ctx context.Context, t Target, limit int) ([]Release, error)
	}

	// Rollbacker can go back to an earlier release. PlanRollback warns in the
	// plan when the database is ahead of the release. Faults: Missing (no such
	// release), Refused (never live, pruned, or live already).
	Rollbacker interface {
		Historian
		PlanRollback(ctx context.Context, t Target, to Release) (Plan, error)
	}

	// Archivist makes and restores backups of a target's database.
	Archivist interface {
		PlanCapture(ctx context.Context, t Target, database string) (Plan, error)
		// PlanRestore takes a safety backup, restores b into a scratch copy,
		// checks it, and swaps.
		PlanRestore(ctx context.Context, t Target, b Backup, database string) (Plan, error)
		// UndoCapture is the action that, as the undo of a capture's last step,
		// puts that backup back: what /update uses when it fails.
		UndoCapture() string
		// Backups are newest first.
		Backups(ctx context.Context, t Target) ([]Backup, error)
	}

	// Starter can stop a target and start it again.
	Starter interface {
		PlanStart(ctx context.Context, t Target, process string) (Plan, error)
		PlanStop(ctx context.Context, t Target, process string) (Plan, error)
	}

	// Restarter can restart a target, or one process of it.
	Restarter interface {
		PlanRestart(ctx context.Context, t Target, process string) (Plan, error)
	}

	// Scaler can change the number and size of processes.
	Scaler interface {
		PlanScale(ctx context.Context, t Target, to []Quantity) (Plan, error)
	}

	// Runner can run a one-off command in the release that is live.
	Runner interface {
		PlanRun(ctx context.Context, t Target, command []string) (Plan, error)
	}

	// LogReader can read what an app printed, oldest first.
	LogReader interface {
		Logs(ctx context.Context, t Target, q LogQuery) ([]LogLine, error)
	}

	// Configurer can change the environment of an app. Names are listed; a
	// value is written through a handle and never read back.
	Configurer interface {
		Variables(ctx context.Context, t Target) ([]Variable, error)
		PlanSet(ctx context.Context, t Target, name, handle string) (Plan, error)
		PlanUnset(ctx context.Context, t Target, name string) (Plan, error)
	}

	// Discreet knows the secret values of a target, so that the redactor can
	// take them out of what is shown. When it fails, output is withheld.
	Discreet interface {
		SecretValues(ctx context.Context, t Target) ([]string, error)
	}

	// Inspector can look at a source before it is deployed: which process types
	// its Procfile names, and which variables it says it must have.
	Inspector interface {
		Inspect(ctx context.Context, t Target, src Source) (Inspection, error)
	}
)

// Backup is one stored copy of a database.
type Backup struct {
	ID       string    `json:"id"` // "b3"
	Database string    `json:"database,omitempty"`
	At       time.Time `json:"at"`
	By       string    `json:"by,omitempty"`
	Size     int64     `json:"size"`             // bytes
	SHA256   string    `json:"sha256,omitempty"` // of the stored file, lower-case hex
	Grade    string    `json:"grade"`            // "stored", "readable" (read back whole and checked), "restored" (a restore succeeded), "damaged" (kept for a look)
	Release  string    `json:"release,omitempty"`
	Why      string    `json:"why,omitempty"` // "safety backup before #14"
}

// Quantity is one part of a scale request: web=2:standard-2x.
type Quantity struct {
	Process string
	Count   int
	Delta   bool   // Count is added to what runs
	Size    string // empty leaves the size
}

// LogQuery narrows what LogReader returns.
type LogQuery struct {
	Lines   int // at most; 100 when zero
	Process string
	Grep    string // a substring
	Since   time.Time
}

// LogLine is one line that an app printed.
type LogLine struct {
	At      time.Time // zero when unknown
	Process string
	Text    string
}

// Variable is the name of a config variable; its value is never shown.
type Variable struct {
	Name     string
	Set      bool
	Required bool
	Help     string
}

// Inspection is what a source says of itself.
type Inspection struct {
	Processes map[string]string // of the Procfile: type → command; nil without a Procfile
	Missing   []string          // required variables that the target does not have
	Problems  []string          // sentences: "The Procfile names no web process."
}
