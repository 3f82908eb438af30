package commands

import (
	"os"
	"strings"
	"testing"
)

func TestReferencePageIsTheGrammar(t *testing.T) {
	page, err := os.ReadFile("../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Reference() {
		t.Error("docs/commands.md is not what the grammar says: run go generate ./commands")
	}
}

func TestEveryCommandIsDeclaredWhole(t *testing.T) {
	h := newHouse(t)
	seen := map[string]bool{}
	for _, v := range Verbs() {
		if v.Help == "" || v.Role == "" || v.Group == "" || v.Example == "" {
			t.Errorf("%s lacks help, role, group or example: %+v", v.Path, v)
		}
		if !strings.HasSuffix(v.Help, ".") {
			t.Errorf("the help of %s is not a sentence: %q", v.Path, v.Help)
		}
		for _, p := range append(v.Args, v.Flags...) {
			if p.Help == "" {
				t.Errorf("%s of %s has no help", p.Name, v.Path)
			}
		}
		if o, err := h.registry.Parse(v.Example); err != nil || o.Verb != v.Path {
			t.Errorf("the example of %s is not understood: %v", v.Path, err)
		}
		seen[v.Path] = true
	}
	for _, want := range []string{"help", "whoami", "apps", "status", "deploy", "rollback", "releases", "approve", "reject", "cancel",
		"settle", "breakglass", "queue", "lock", "unlock", "freeze", "unfreeze", "maintenance on", "maintenance off", "maintenance status",
		"start", "stop", "restart", "ps", "scale", "run", "logs", "config list", "config set", "config unset", "backup capture", "backup list",
		"backup info", "backup cancel", "backup restore", "backup schedule", "backup unschedule", "backup schedules", "update", "operation", "audit"} {
		if !seen[want] {
			t.Errorf("there is no /%s", want)
		}
	}
}
