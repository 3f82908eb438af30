package commands

import (
	"encoding/json"
	"fmt"
	"strings"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

// arguments are those of any kind of operation, as far as they are told.
type arguments struct {
	engine.MaintenanceArgs
	engine.RollbackArgs
	engine.BackupArgs
	engine.ProcessArgs
	engine.ConfigArgs
	Scale   []platform.Quantity
	Command []string
}

// argumentsOf reads what an operation was asked with. What cannot be read is
// left out of the words; it still is in the row.
func argumentsOf(op platform.Operation) arguments {
	var a arguments
	var scale engine.ScaleArgs
	var run engine.RunArgs
	into := map[platform.Kind]any{
		platform.Maintain: &a.MaintenanceArgs, platform.Rollback: &a.RollbackArgs,
		platform.Restore: &a.BackupArgs, platform.Capture: &a.BackupArgs,
		platform.Start: &a.ProcessArgs, platform.Stop: &a.ProcessArgs, platform.Restart: &a.ProcessArgs,
		platform.SetConfig: &a.ConfigArgs, platform.UnsetConfig: &a.ConfigArgs,
		platform.Scale: &scale, platform.RunCommand: &run,
	}[op.Kind]
	if into != nil && len(op.Args) > 0 {
		_ = json.Unmarshal(op.Args, into)
	}
	a.Scale, a.Command = scale.To, run.Command
	return a
}

// version is what a deploy puts live, as people call it.
func version(op platform.Operation) string {
	switch {
	case op.Source == nil:
		return ""
	case op.Source.Version != "":
		return op.Source.Version
	case op.Source.Ref != "":
		return op.Source.Ref
	}
	return commit(op.Source.SHA)
}

// title says what an operation does: "Deploy ocpizza v1.1.0 to production".
func title(op platform.Operation) string {
	a, app := argumentsOf(op), op.Target.App
	switch op.Kind {
	case platform.Deploy, platform.Update:
		return fmt.Sprintf("%s %s to %s", capital(string(op.Kind)), join(app, version(op)), op.Target.Environment)
	case platform.Rollback:
		to := a.To
		if to == "" {
			to = "the release before"
		}
		return fmt.Sprintf("Roll back %s to %s on %s", app, to, op.Target.Environment)
	case platform.Restore:
		return fmt.Sprintf("Restore backup %s of %s on %s", join(a.Backup, into(a.Database)), app, op.Target.Environment)
	case platform.Capture:
		return fmt.Sprintf("Back up %s on %s", join(app, a.Database), op.Target.Environment)
	case platform.Maintain:
		return fmt.Sprintf("Maintenance %s: %s", onOff(a.On), op.Target)
	case platform.Start, platform.Stop, platform.Restart:
		return fmt.Sprintf("%s %s on %s", capital(string(op.Kind)), join(app, a.Process), op.Target.Environment)
	case platform.Scale:
		return fmt.Sprintf("Scale %s to %s on %s", app, quantities(a.Scale), op.Target.Environment)
	case platform.RunCommand:
		return fmt.Sprintf("Run “%s” in %s on %s", clip(strings.Join(a.Command, " "), 80), app, op.Target.Environment)
	case platform.SetConfig:
		return fmt.Sprintf("Set %s of %s on %s", a.Name, app, op.Target.Environment)
	case platform.UnsetConfig:
		return fmt.Sprintf("Unset %s of %s on %s", a.Name, app, op.Target.Environment)
	}
	return fmt.Sprintf("%s %s", capital(string(op.Kind)), op.Target)
}

func join(words ...string) string { return strings.Join(strings.Fields(strings.Join(words, " ")), " ") }

func into(database string) string {
	if database == "" {
		return ""
	}
	return "into " + database
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func quantities(all []platform.Quantity) string {
	var out []string
	for _, q := range all {
		text := fmt.Sprintf("%s=%d", q.Process, q.Count)
		if q.Delta {
			text = fmt.Sprintf("%s=%+d", q.Process, q.Count)
		}
		if q.Size != "" {
			text += ":" + q.Size
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

// noun begins every sentence about an operation: "Deploy #1 of ocpizza". The
// environment is there where the app has several.
func (v *Voice) noun(op platform.Operation) string {
	a := argumentsOf(op)
	what := map[platform.Kind]string{
		platform.Restore: "Restore", platform.Capture: "Backup", platform.RunCommand: "Command",
		platform.SetConfig: "Setting of " + a.Name, platform.UnsetConfig: "Unsetting of " + a.Name,
		platform.Maintain: "Maintenance " + onOff(a.On), platform.Scale: "Scaling",
	}[op.Kind]
	if what == "" {
		what = capital(string(op.Kind))
	}
	text := fmt.Sprintf("%s #%d of %s", what, op.ID, op.Target.App)
	if app, err := v.services.app(op.Target.App); err != nil || len(app.Environments) > 1 {
		text += " (" + op.Target.Environment + ")"
	}
	return text
}

// headline says where an operation is in its life, and means something alone:
// "Deploy #1 of ocpizza waits for the approval of lead". It has no full stop.
func (v *Voice) headline(op platform.Operation) string {
	noun := v.noun(op)
	switch op.State {
	case platform.Waiting:
		return noun + " waits for " + approvalOf(op)
	case platform.Queued:
		if op.Behind != 0 {
			return fmt.Sprintf("%s is queued behind #%d", noun, op.Behind)
		}
		return noun + " is queued"
	case platform.Running:
		if op.Cancel != nil {
			return fmt.Sprintf("%s is being cancelled by %s", noun, op.Cancel.Person.Label())
		}
		return noun + " is running"
	case platform.Undoing:
		return noun + " is being taken back"
	case platform.Unknown:
		return noun + " needs a person: nobody knows whether a step happened"
	case platform.Succeeded:
		return noun + " is done" + achieved(op)
	case platform.Failed:
		return noun + " failed" + at(op) + undone(op)
	}
	return noun + " " + cancelled(op)
}

func approvalOf(op platform.Operation) string {
	if op.Approval == nil {
		return "approval"
	}
	roles := list(op.Approval.Roles, "or")
	if op.Approval.Needed > 1 {
		return fmt.Sprintf("%d approvals of %s", op.Approval.Needed, roles)
	}
	return "the approval of " + roles
}

// achieved is what success brought.
func achieved(op platform.Operation) string {
	switch {
	case op.Kind == platform.Capture && op.Backup != "":
		return ": backup " + op.Backup + " is made"
	case op.Kind == platform.Restore:
		return ": backup " + argumentsOf(op).Backup + " is back"
	case op.Kind == platform.Maintain && argumentsOf(op).On:
		return ": visitors see the maintenance page"
	case op.Kind == platform.Maintain:
		return ": visitors reach the app again"
	case op.Source != nil:
		return ": " + join(version(op)) + " is live"
	case op.Kind == platform.Rollback && op.Release != "":
		return ": " + op.Release + " is live"
	}
	return ""
}

// at is the step at which an operation failed.
func at(op platform.Operation) string {
	if step, ok := strings.CutPrefix(op.Reason, "step:"); ok {
		return " at " + step
	}
	return ""
}

func undone(op platform.Operation) string {
	if op.Undone {
		return " and was taken back"
	}
	return ""
}

// cancelled says how an operation that never finished ended.
func cancelled(op platform.Operation) string {
	switch by, ok := strings.CutPrefix(op.Reason, "by:"); {
	case ok:
		return "was cancelled by " + by + undone(op)
	case op.Reason == "rejected":
		return "was rejected"
	case op.Reason == "expired":
		return "expired: nobody approved it in time"
	case op.Reason == "voided":
		return "is void: what was approved is not what would be done now"
	}
	if gate, ok := strings.CutPrefix(op.Reason, "gate:"); ok {
		return "was refused by the gate " + gate
	}
	return "was cancelled"
}

// colour is the state of the card and its word.
func colour(op platform.Operation) (chat.State, string) {
	switch op.State {
	case platform.Waiting:
		return chat.Waiting, "waits for approval"
	case platform.Queued:
		return chat.Waiting, "queued"
	case platform.Running:
		if op.Cancel != nil {
			return chat.Warning, "cancelling"
		}
		return chat.Working, "running"
	case platform.Undoing:
		return chat.Warning, "taking back"
	case platform.Unknown:
		return chat.Unsure, "needs a person"
	case platform.Succeeded:
		return chat.Good, "done"
	case platform.Failed:
		if op.Undone {
			return chat.Bad, "failed, taken back"
		}
		return chat.Bad, "failed"
	}
	word := "cancelled"
	switch {
	case op.Reason == "rejected", op.Reason == "expired":
		word = op.Reason
	case op.Reason == "voided":
		word = "void"
	case strings.HasPrefix(op.Reason, "gate:"):
		word = "refused"
	}
	return chat.Warning, word
}
