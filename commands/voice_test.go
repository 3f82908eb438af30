package commands

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/notifications"
	"maitred/platform"
	"maitred/platform/engine"
)

// deployment is operation #3: v1.1.0 over v1.0.0, asked for by ann.
func deployment(state platform.State) platform.Operation {
	return platform.Operation{
		ID: 3, Kind: platform.Deploy, Target: production, State: state, Version: 7, Previous: "r1",
		Source: &platform.Source{Ref: "v1.1.0", Version: "v1.1.0", SHA: strings.Repeat("ab", 20)}, Requester: ann,
		Place:    chat.Place{Chat: "webchat", Channel: "deploys"},
		Plan:     platform.Plan{Steps: []platform.Step{{Name: "build"}, {Name: "switch"}, {Name: "verify"}}},
		Approval: &platform.Approval{Needed: 1, Roles: []string{"lead"}, Deadline: noon.Add(time.Hour)},
		Created:  noon, Started: noon.Add(time.Minute), Ended: time.Time{},
	}
}

func (h *house) render(kind string, id int64) chat.Card {
	h.t.Helper()
	card, version, err := NewVoice(h.Services).Render(h.t.Context(), notifications.Subject{Kind: kind, ID: id})
	if err != nil || version != 7 {
		h.t.Fatalf("%s %d: version %d, %v", kind, id, version, err)
	}
	return card
}

func lines(card chat.Card) string {
	var out []string
	for _, b := range card.Buttons {
		out = append(out, b.Line)
	}
	return strings.Join(out, ", ")
}

func value(card chat.Card, label string) string {
	for _, f := range card.Fields {
		if f.Label == label {
			return f.Value
		}
	}
	return ""
}

func TestTheCardOfAnOperationFollowsIt(t *testing.T) {
	tests := map[string]struct {
		change  func(op *platform.Operation)
		state   platform.State
		text    string
		colour  chat.State
		word    string
		buttons string
	}{
		"waiting": {nil, platform.Waiting, "Deploy #3 of ocpizza waits for the approval of lead.", chat.Waiting, "waits for approval", "/approve 3, /reject 3, /cancel 3"},
		"two needed": {func(op *platform.Operation) { op.Approval.Needed, op.Approval.Roles = 2, []string{"lead", "oncall"} }, platform.Waiting,
			"Deploy #3 of ocpizza waits for 2 approvals of lead or oncall.", chat.Waiting, "waits for approval", "/approve 3, /reject 3, /cancel 3"},
		"queued":  {nil, platform.Queued, "Deploy #3 of ocpizza is queued.", chat.Waiting, "queued", "/cancel 3"},
		"in line": {func(op *platform.Operation) { op.Behind = 2 }, platform.Queued, "Deploy #3 of ocpizza is queued behind #2.", chat.Waiting, "queued", "/cancel 3"},
		"running": {nil, platform.Running, "Deploy #3 of ocpizza is running: switch (2 of 3).", chat.Working, "running", "/cancel 3"},
		"cancelling": {func(op *platform.Operation) { op.Cancel = &platform.Cancellation{Person: bob} }, platform.Running,
			"Deploy #3 of ocpizza is being cancelled by bob.", chat.Warning, "cancelling", ""},
		"undoing": {nil, platform.Undoing, "Deploy #3 of ocpizza is being taken back.", chat.Warning, "taking back", ""},
		"unknown": {nil, platform.Unknown, "Deploy #3 of ocpizza needs a person: nobody knows whether a step happened.", chat.Unsure, "needs a person",
			"/settle 3 done, /settle 3 not-done, /settle 3 give-up"},
		"done": {func(op *platform.Operation) { op.Release = "r2" }, platform.Succeeded, "Deploy #3 of ocpizza is done: v1.1.0 is live.", chat.Good, "done", "/rollback ocpizza to r1 if r2"},
		"failed": {func(op *platform.Operation) { op.Reason, op.Undone = "step:verify", true }, platform.Failed,
			"Deploy #3 of ocpizza failed at verify and was taken back.", chat.Bad, "failed, taken back", ""},
		"half undone": {func(op *platform.Operation) { op.Reason = "step:verify" }, platform.Failed, "Deploy #3 of ocpizza failed at verify.", chat.Bad, "failed", ""},
		"rejected":    {func(op *platform.Operation) { op.Reason = "rejected" }, platform.Cancelled, "Deploy #3 of ocpizza was rejected.", chat.Warning, "rejected", ""},
		"expired": {func(op *platform.Operation) { op.Reason = "expired" }, platform.Cancelled,
			"Deploy #3 of ocpizza expired: nobody approved it in time.", chat.Warning, "expired", "/deploy ocpizza@v1.1.0 to production"},
		"a gate": {func(op *platform.Operation) { op.Reason = "gate:lock" }, platform.Cancelled,
			"Deploy #3 of ocpizza was refused by the gate lock.", chat.Warning, "refused", "/deploy ocpizza@v1.1.0 to production"},
		"cancelled": {func(op *platform.Operation) { op.Reason, op.Undone = "by:bob", true }, platform.Cancelled,
			"Deploy #3 of ocpizza was cancelled by bob and was taken back.", chat.Warning, "cancelled", ""},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			op := deployment(want.state)
			if want.change != nil {
				want.change(&op)
			}
			h.desk.operations = []platform.Operation{op}
			h.desk.steps = []platform.StepRecord{
				{Operation: 3, Index: 0, Name: "build", State: chat.StepDone, Result: platform.Result{Say: "12 files"}, Started: noon, Ended: noon.Add(3 * time.Second)},
				{Operation: 3, Index: 1, Name: "switch", State: chat.StepRunning, Started: noon},
			}
			card := h.render(notifications.OperationSubject, 3)
			if card.Text != want.text || card.State != want.colour || card.Word != want.word || lines(card) != want.buttons {
				t.Errorf("\n got %q %s %q %q\nwant %q %s %q %q", card.Text, card.State, card.Word, lines(card), want.text, want.colour, want.word, want.buttons)
			}
			if card.Title != "Deploy ocpizza v1.1.0 to production" || value(card, "Requested by") != "ann" || value(card, "Commit") != "abababa (v1.1.0)" {
				t.Errorf("it is called %q, %+v", card.Title, card.Fields)
			}
			if s := card.Steps; len(s) != 3 || s[0].Say != "12 files" || s[0].Took != 3*time.Second || s[1].State != chat.StepRunning {
				t.Errorf("its steps are %+v", s)
			}
			for _, b := range card.Buttons {
				if _, err := h.registry.Parse(b.Line); err != nil {
					t.Errorf("the button %q types %q: %v", b.Label, b.Line, err)
				}
			}
			if len(card.Mention) > 0 {
				t.Error("a card that is edited mentions somebody")
			}
		})
	}
}

func TestStepsThatWereTakenBackAreShownSo(t *testing.T) {
	lines := stepLines(deployment(platform.Failed), []platform.StepRecord{
		{Index: 0, State: chat.StepDone}, {Index: 0, Undo: true, State: chat.StepDone},
		{Index: 1, State: chat.StepFailed, Error: "It never answered."}, {Index: 1, Undo: true, State: chat.StepFailed, Error: "Still not."},
		{Index: 9, State: chat.StepDone},
	})
	ended := deployment(platform.Cancelled)
	ended.Cancel, ended.Reason = &platform.Cancellation{Person: bob}, "by:bob"
	if l := stepLines(ended, []platform.StepRecord{{Index: 1, State: chat.StepFailed}})[1]; l.State != chat.StepFailed || l.Called() != "stopped" {
		t.Errorf("a step that a person stopped is called %q, %q", l.State, l.Called())
	}
	ended.Reason = "step:switch" // it failed by itself, before the cancel reached it
	if l := stepLines(ended, []platform.StepRecord{{Index: 1, State: chat.StepFailed}})[1]; l.Called() != "failed" {
		t.Errorf("a step that failed is called %q", l.Called())
	}
	if lines[0].State != chat.StepUndone || lines[1].State != chat.StepFailed || !strings.Contains(lines[1].Say, "could not be taken back: Still not.") || lines[2].State != chat.StepSkipped {
		t.Errorf("shown as %+v", lines)
	}
}

func TestEveryKindHasItsWords(t *testing.T) {
	tests := map[platform.Kind]struct {
		args  any
		title string
		noun  string
	}{
		platform.Rollback:    {engine.RollbackArgs{To: "r1"}, "Roll back ocpizza to r1 on production", "Rollback #3 of ocpizza"},
		platform.Update:      {nil, "Update ocpizza v1.1.0 to production", "Update #3 of ocpizza"},
		platform.Restore:     {engine.BackupArgs{Backup: "b1", Database: "main"}, "Restore backup b1 into main of ocpizza on production", "Restore #3 of ocpizza"},
		platform.Capture:     {engine.BackupArgs{}, "Back up ocpizza on production", "Backup #3 of ocpizza"},
		platform.Maintain:    {engine.MaintenanceArgs{On: true}, "Maintenance on: ocpizza/production", "Maintenance on #3 of ocpizza"},
		platform.Start:       {engine.ProcessArgs{}, "Start ocpizza on production", "Start #3 of ocpizza"},
		platform.Stop:        {engine.ProcessArgs{}, "Stop ocpizza on production", "Stop #3 of ocpizza"},
		platform.Restart:     {engine.ProcessArgs{Process: "web"}, "Restart ocpizza web on production", "Restart #3 of ocpizza"},
		platform.Scale:       {engine.ScaleArgs{To: []platform.Quantity{{Process: "web", Count: 2, Size: "s"}}}, "Scale ocpizza to web=2:s on production", "Scaling #3 of ocpizza"},
		platform.RunCommand:  {engine.RunArgs{Command: []string{"ls", "-l"}}, "Run “ls -l” in ocpizza on production", "Command #3 of ocpizza"},
		platform.SetConfig:   {engine.ConfigArgs{Name: "KEY", Handle: "h"}, "Set KEY of ocpizza on production", "Setting of KEY #3 of ocpizza"},
		platform.UnsetConfig: {engine.ConfigArgs{Name: "KEY"}, "Unset KEY of ocpizza on production", "Unsetting of KEY #3 of ocpizza"},
	}
	v := newHouse(t).voice()
	for kind, want := range tests {
		op := deployment(platform.Queued)
		op.Kind = kind
		if want.args != nil {
			op.Args, _ = json.Marshal(want.args)
		}
		if title(op) != want.title || v.noun(op) != want.noun {
			t.Errorf("%s: %q, %q", kind, title(op), v.noun(op))
		}
	}
}

func TestTheExitCodeOfACommandIsTold(t *testing.T) {
	h := newHouse(t)
	op := deployment(platform.Succeeded)
	op.Kind, op.Source, op.Args = platform.RunCommand, nil, json.RawMessage(`{"command":["false"]}`)
	code := 1
	h.desk.operations, h.desk.steps = []platform.Operation{op}, []platform.StepRecord{{Result: platform.Result{Exit: &code}, State: chat.StepDone}}
	if card := h.render(notifications.OperationSubject, 3); card.Text != "Command #3 of ocpizza is done with exit code 1." || card.State != chat.Warning {
		t.Errorf("%q %s", card.Text, card.State)
	}
}

func TestAnApprovalRequestIsWholeAndEndsWithTheDecision(t *testing.T) {
	h := newHouse(t)
	h.deployed("v1.0.0")
	op := deployment(platform.Waiting)
	op.Warnings = []string{"The database is ahead."}
	h.desk.operations = []platform.Operation{op}
	h.desk.events = []engine.Event{
		{ID: 1, Operation: 3, Kind: engine.ApprovalAsked, At: noon},
		{ID: 2, Operation: 3, Kind: engine.ApprovalRemind, At: noon.Add(30 * time.Minute)},
	}
	card := h.render(notifications.EventSubject, 1)
	if want := "ann asks for approval of #3: Deploy ocpizza v1.1.0 to production (abababa). It needs the approval of lead, until 13:00 UTC."; card.Text != want {
		t.Errorf("it says %q", card.Text)
	}
	if len(card.Mention) != 1 || card.Mention[0].Who != "bob" {
		t.Errorf("it mentions %+v; the requester never is", card.Mention)
	}
	if lines(card) != "/approve 3, /reject 3" || value(card, "Commit") != strings.Repeat("ab", 20)+" (v1.1.0)" || value(card, "Target") != "ocpizza/production" {
		t.Errorf("it shows %+v %q", card.Fields, lines(card))
	}
	if notes := strings.Join(card.Notes, "\n"); !strings.Contains(notes, "The database is ahead.") || !strings.Contains(notes, "New since v1.0.0 (r1):\nabababa Tips for the waiters (cleo)") {
		t.Errorf("it notes %s", notes)
	}
	if card = h.render(notifications.EventSubject, 2); !strings.HasPrefix(card.Text, "Still waiting: #3") || len(card.Mention) != 1 || len(card.Buttons) != 2 {
		t.Errorf("the reminder is %+v", card)
	}

	ends := map[string]struct {
		op       func(op *platform.Operation)
		decision []platform.Decision
		text     string
	}{
		"approved": {func(op *platform.Operation) { op.State = platform.Running }, []platform.Decision{{Person: bob, Approve: true, At: noon.Add(5 * time.Minute)}},
			"Deploy #3 of ocpizza was approved by bob at 12:05 UTC."},
		"rejected": {func(op *platform.Operation) { op.State, op.Reason = platform.Cancelled, "rejected" }, []platform.Decision{{Person: bob, Why: "the sale", At: noon}},
			"Deploy #3 of ocpizza was rejected by bob at 12:00 UTC (the sale)."},
		"glass": {func(op *platform.Operation) { op.State = platform.Queued }, []platform.Decision{{Person: bob, Approve: true, Broke: true, Why: "it burns", At: noon}},
			"Deploy #3 of ocpizza goes without approval: bob broke the glass at 12:00 UTC (it burns)."},
		"expired": {func(op *platform.Operation) { op.State, op.Reason = platform.Cancelled, "expired" }, nil,
			"Deploy #3 of ocpizza expired: nobody approved it in time."},
		"withdrawn": {func(op *platform.Operation) { op.State, op.Reason = platform.Cancelled, "by:ann" }, nil,
			"Deploy #3 of ocpizza was cancelled by ann."},
	}
	for name, end := range ends {
		decided := op
		end.op(&decided)
		h.desk.operations, h.desk.decisions = []platform.Operation{decided}, end.decision
		for id := int64(1); id <= 2; id++ {
			if card := h.render(notifications.EventSubject, id); card.Text != end.text || len(card.Buttons) > 0 || len(card.Mention) > 0 {
				t.Errorf("%s: %q %q %v", name, card.Text, lines(card), card.Mention)
			}
		}
	}
}

func TestEventsMeanSomethingAlone(t *testing.T) {
	tests := map[engine.EventKind]struct {
		say, text string
		mention   string
		state     chat.State
	}{
		engine.Decided:       {"bob approved it.", "Deploy #3 of ocpizza: Bob approved it.", "ann", chat.Neutral},
		engine.TurnCame:      {"#2 has ended; it is the turn of Deploy #3 of ocpizza.", "#2 has ended; it is the turn of Deploy #3 of ocpizza.", "ann", chat.Neutral},
		engine.Warned:        {"the disk is nearly full", "Deploy #3 of ocpizza: the disk is nearly full.", "", chat.Warning},
		engine.UndoBegan:     {"Taking back: switch.", "Deploy #3 of ocpizza: Taking back: switch.", "", chat.Warning},
		engine.CancelAsked:   {"bob asked to cancel it.", "Deploy #3 of ocpizza: Bob asked to cancel it.", "", chat.Warning},
		engine.Settled:       {"bob settled it.", "Deploy #3 of ocpizza: Bob settled it.", "", chat.Neutral},
		engine.GlassBroken:   {"bob broke the glass.", "Deploy #3 of ocpizza: Bob broke the glass.", "", chat.Warning},
		engine.BecameUnknown: {"Whether #3 switched is not known.", "Whether #3 switched is not known.", "ann bob", chat.Unsure},
	}
	for kind, want := range tests {
		h := newHouse(t)
		op := deployment(platform.Running)
		if kind == engine.BecameUnknown {
			op.State = platform.Unknown
		}
		h.desk.operations, h.desk.events = []platform.Operation{op}, []engine.Event{{ID: 1, Operation: 3, Kind: kind, Say: want.say, At: noon}}
		if strings.HasPrefix(want.say, "bob") {
			h.desk.events[0].By = &bob
		}
		card := h.render(notifications.EventSubject, 1)
		var mention []string
		for _, p := range card.Mention {
			mention = append(mention, p.Who)
		}
		if card.Text != want.text || strings.Join(mention, " ") != want.mention || card.State != want.state || card.Channel != (kind == engine.GlassBroken) {
			t.Errorf("%s: %q mentions %v, %s", kind, card.Text, mention, card.State)
		}
	}
}

// The end of what was rejected mentions who asked; the decision, which comes at
// the same moment, does not do so as well.
func TestARejectionMentionsOnce(t *testing.T) {
	h := newHouse(t)
	op := deployment(platform.Cancelled)
	op.Reason, op.Message = "rejected", "Deploy #3 was rejected by bob: it locks orders."
	h.desk.operations = []platform.Operation{op}
	h.desk.events = []engine.Event{
		{ID: 1, Operation: 3, Kind: engine.Decided, By: &bob, Say: "bob rejected it: it locks orders."},
		{ID: 2, Operation: 3, Kind: engine.Finished, Say: op.Message},
	}
	if n := len(h.render(notifications.EventSubject, 1).Mention) + len(h.render(notifications.EventSubject, 2).Mention); n != 1 {
		t.Errorf("the requester is mentioned %d times", n)
	}
}

func TestTheOutputOfAStepGoesToTheThread(t *testing.T) {
	h := newHouse(t)
	h.desk.operations = []platform.Operation{deployment(platform.Running)}
	h.desk.steps = []platform.StepRecord{{Index: 0, Name: "build", State: chat.StepDone, Output: "compiled"}, {Index: 0, Undo: true, Name: "build", Output: "removed"}}
	h.desk.events = []engine.Event{
		{ID: 1, Operation: 3, Kind: engine.StepEnded, Step: "build", Say: "The step build is done."},
		{ID: 2, Operation: 3, Kind: engine.StepEnded, Step: "build", Undo: true, Say: "Taking back build is done."},
	}
	if card := h.render(notifications.EventSubject, 1); card.Output != "compiled" || card.Text != "Deploy #3 of ocpizza: The step build is done." {
		t.Errorf("%+v", card)
	}
	if card := h.render(notifications.EventSubject, 2); card.Output != "removed" {
		t.Errorf("%+v", card)
	}
}

func TestTheEndTellsTheRequesterEverything(t *testing.T) {
	h := newHouse(t)
	h.deployed("v1.0.0", "v1.1.0")
	plan, err := h.fake.PlanMaintenance(t.Context(), production, true, "moving")
	h.carry(plan, err)
	op := deployment(platform.Succeeded)
	op.Release, op.Ended = "r2", op.Started.Add(75*time.Second)
	h.desk.operations, h.desk.events = []platform.Operation{op}, []engine.Event{{ID: 1, Operation: 3, Kind: engine.Finished, Say: "done"}}
	card := h.render(notifications.EventSubject, 1)
	if want := "Deploy #3 of ocpizza is done: v1.1.0 is live after 1 min 15 s. It is at https://ocpizza.example."; card.Text != want {
		t.Errorf("it says %q", card.Text)
	}
	if len(card.Mention) != 1 || card.Mention[0].Who != "ann" || value(card, "Release") != "r2" || value(card, "Took") != "1 min 15 s" {
		t.Errorf("it shows %+v %+v", card.Mention, card.Fields)
	}
	if len(card.Notes) != 1 || !strings.Contains(card.Notes[0], "/maintenance off ocpizza to production") {
		t.Errorf("what still holds is not told: %v", card.Notes)
	}
	op.State, op.Reason, op.Undone = platform.Failed, "step:verify", true
	h.desk.operations = []platform.Operation{op}
	h.desk.events[0].Say = "Deploy #3 of ocpizza failed at verify; r1 is live again."
	if card = h.render(notifications.EventSubject, 1); card.Text != "Deploy #3 of ocpizza failed at verify and was taken back. v1.0.0 (r1) still serves." || card.State != chat.Bad {
		t.Errorf("%q %s", card.Text, card.State)
	}
	if !slices.Contains(card.Notes, h.desk.events[0].Say) {
		t.Errorf("how it came is not told: %v", card.Notes)
	}
}

func TestWhatIsGoneIsMissing(t *testing.T) {
	v := newHouse(t).voice()
	for _, s := range []notifications.Subject{{Kind: notifications.OperationSubject, ID: 9}, {Kind: notifications.EventSubject, ID: 9}, {Kind: "pizza", ID: 1}} {
		if _, _, err := v.Render(t.Context(), s); !fault.Is(err, fault.Missing) {
			t.Errorf("%+v: %v", s, err)
		}
	}
}
