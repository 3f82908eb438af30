package engine

import (
	"encoding/json"

	"maitred/chat"
	"maitred/platform"
)

// Request asks for an operation. Commands fill it; the recipe of its Kind turns
// it into a plan.
type Request struct {
	Key       string // of the inbound row (or of the caller): the same key twice is one operation
	Inbound   bool   // Key is an inbound row's, whose outcome commits together with the operation
	Kind      platform.Kind
	Target    platform.Target
	Source    *platform.Source // deploy, update: resolved
	Args      json.RawMessage  // one of the …Args types of this package
	Requester chat.Person
	Place     chat.Place // where its message goes
}

// The arguments of the kinds that need more than a target and a source. They
// are stored, shown to approvers and part of what is approved.
type (
	// RollbackArgs names the release to go back to and, for a button, the one
	// that must be live for the click to still mean what it said.
	RollbackArgs struct {
		To string `json:"to"`           // release id; empty is the last that was live before
		If string `json:"if,omitempty"` // refuse unless this release is live
	}
	// MaintenanceArgs switch the maintenance page.
	MaintenanceArgs struct {
		On  bool   `json:"on"`
		Why string `json:"why,omitempty"`
	}
	// BackupArgs name a database, and for a restore the backup.
	BackupArgs struct {
		Backup   string `json:"backup,omitempty"`
		Database string `json:"database,omitempty"`
	}
	// ProcessArgs narrow start, stop and restart to one process; empty is all.
	ProcessArgs struct {
		Process string `json:"process,omitempty"`
	}
	// ScaleArgs are what to scale to.
	ScaleArgs struct {
		To []platform.Quantity `json:"to"`
	}
	// RunArgs are a one-off command.
	RunArgs struct {
		Command []string `json:"command"`
	}
	// ConfigArgs set or unset a variable; Handle is where the sealed value is.
	ConfigArgs struct {
		Name   string `json:"name"`
		Handle string `json:"handle,omitempty"`
	}
)
