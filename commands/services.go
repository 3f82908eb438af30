package commands

import (
	"context"
	"time"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

// Target is the app and environment that a right is asked for: an alias, so that
// those who only ask need not know platforms.
type Target = platform.Target

// Call is who asks, from where, under which key.
type Call struct {
	Person  chat.Person // Who is set
	Place   chat.Place
	Key     string            // of the inbound row; an operation submitted under it is found again
	Fields  map[string]string // of a form; secrets are handles
	Source  chat.Source
	Now     time.Time
	Subject int64 // the operation whose thread this was said in; zero elsewhere
}

// Answer is what a command says back. An answer with an Operation has no card of
// its own: the operation's message is the answer.
type Answer struct {
	Card      chat.Card
	Private   bool       // to the asker alone
	Operation int64      // that this line started, decided, settled or cancelled
	Duplicate bool       // Operation is the same work, which was live already
	Started   bool       // the line started Operation (and did not only find or change it)
	Form      *chat.Form // ask for values first
}

// Services is what commands may use, and nothing more.
type Services struct {
	Apps       Apps
	Policy     Policy
	Operations Operations
	Sources    Sources
	Schedules  Schedules
	Audit      AuditReader
}

// Apps knows the configured targets. Its answers are those of the configuration
// in force now; a reload changes them.
type Apps interface {
	// Apps are the configured apps by name, in the order of the file.
	Apps() []App
	// Provider is the platform behind t. Faults: Missing.
	Provider(t platform.Target) (platform.Provider, error)
	// Channel is what a channel is for: its app and environment, both may be
	// empty.
	Channel(p chat.Place) platform.Target
	// Home is the place where messages about t go when nobody asked in a
	// channel; the zero Place when none is configured.
	Home(t platform.Target) chat.Place
}

// App is one configured app.
type App struct {
	Name         string
	Help         string            // one line about it
	Environments []string          // in the order of the file
	Providers    map[string]string // environment → kind of platform
	Repository   string
	Channel      string
}

// Policy knows who people are and what they may do. It fails closed.
type Policy interface {
	// May is nil, or a fault of kind Forbidden that names the roles and people
	// who may. Verb is the command's path ("backup capture"); a zero target
	// means anywhere.
	May(who chat.Person, verb string, t platform.Target) error
	// Roles are the role names that who holds.
	Roles(who chat.Person) []string
	// Holders are the configured people who hold any of roles, each as known in
	// the chat named, for mentions; people unknown there are left out.
	Holders(inChat string, roles ...string) []chat.Person
}

// Operations is the engine as commands see it.
type Operations interface {
	// Submit passes the gates and commits the operation, its plan, its first
	// event, its card and its place in the line together. The same Request.Key
	// twice is one operation. Faults: Refused (a gate), Busy (the same work is
	// live; Live says which), Invalid, Missing, Unsupported.
	Submit(ctx context.Context, r engine.Request) (platform.Operation, error)
	// Decide is one person's word; the Nth approval or the first reject decides.
	// Faults: Forbidden (who may), Refused (decided already: by whom, when), Missing.
	Decide(ctx context.Context, id int64, d platform.Decision) (platform.Operation, error)
	// BreakGlass lets a waiting operation go without its approvals.
	BreakGlass(ctx context.Context, id int64, by chat.Person, why string) (platform.Operation, error)
	Settle(ctx context.Context, id int64, s platform.Settlement) (platform.Operation, error)
	Cancel(ctx context.Context, id int64, by chat.Person) (platform.Operation, error)

	Operation(ctx context.Context, id int64) (platform.Operation, error)
	List(ctx context.Context, f engine.Filter) ([]platform.Operation, error)
	Live(ctx context.Context) ([]platform.Operation, error)
	Steps(ctx context.Context, id int64) ([]platform.StepRecord, error)
	Decisions(ctx context.Context, id int64) ([]platform.Decision, error)
	Events(ctx context.Context, id int64) ([]engine.Event, error)
	Event(ctx context.Context, event int64) (engine.Event, error)

	Lock(ctx context.Context, l engine.Lock) error // Busy when somebody else holds it
	Unlock(ctx context.Context, t platform.Target, by chat.Person) (engine.Lock, error)
	Locks(ctx context.Context) ([]engine.Lock, error)
	Freeze(ctx context.Context, f engine.Freeze) error
	Unfreeze(ctx context.Context, app string, by chat.Person) (engine.Freeze, error)
	Freezes(ctx context.Context) ([]engine.Freeze, error)
}

// Sources turns what people call a version into a commit.
type Sources interface {
	// Resolve finds ref ("" is the default branch) in t's repository. Faults:
	// Missing (with the nearest refs in Hint), Invalid (it begins with "-", or
	// names a branch and a tag), Unreachable.
	Resolve(ctx context.Context, t platform.Target, ref string) (platform.Source, error)
	// Refs are the branch and tag names, newest first, for completion; from the
	// mirror as it is, without a fetch.
	Refs(ctx context.Context, t platform.Target) ([]string, error)
	// Between are the commits in to that are not in from, newest first.
	Between(ctx context.Context, t platform.Target, from, to string, limit int) ([]platform.Commit, error)
}

// Schedule is a line that a clock says in somebody's name.
type Schedule struct {
	ID      int64
	Line    string // "/backup capture ocpizza to production"
	Target  platform.Target
	Cron    string // five fields, or @daily …
	Zone    string // IANA name
	Person  chat.Person
	Place   chat.Place
	Created time.Time
	Last    time.Time // the tick that was said last; zero before the first
}

// Schedules keeps lines that clocks say. Package store implements it; package
// bot/schedule says them.
type Schedules interface {
	Schedules(ctx context.Context) ([]Schedule, error)
	AddSchedule(ctx context.Context, s Schedule) (Schedule, error)
	RemoveSchedule(ctx context.Context, id int64) (Schedule, error) // Missing
}

// Command is anything that can be said. A command either answers, or submits an
// operation whose card is the answer.
type Command interface {
	Run(ctx context.Context, c Call, s Services) (Answer, error)
}

// AuditRow is one thing that somebody did, or was refused.
type AuditRow struct {
	Seq     int64       `json:"seq"`
	At      time.Time   `json:"at"`
	Person  chat.Person `json:"person"`
	Place   chat.Place  `json:"place"`
	Verb    string      `json:"verb"`    // "deploy", "approve"; "" for what could not be parsed
	Subject string      `json:"subject"` // "ocpizza/production", "#214"
	Line    string      `json:"line"`    // as said, redacted, at most 2,000 characters
	Outcome string      `json:"outcome"` // "ok", "refused", "failed", "expired" …
	Detail  string      `json:"detail"`
}

// AuditFilter narrows what /audit shows. Zero fields do not narrow.
type AuditFilter struct {
	Who     string
	Verb    string
	App     string
	Outcome string
	Since   time.Time
	Before  int64 // seq below, for paging
	Limit   int   // 20 when zero
}

// AuditReader reads the audit.
type AuditReader interface {
	Audit(ctx context.Context, f AuditFilter) ([]AuditRow, error) // newest first
}
