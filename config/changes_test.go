package config

import (
	"strings"
	"testing"
)

func TestChangesAreNamed(t *testing.T) {
	was, err := Parse("maitred.yml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, with, changed, fixed string }{
		"nothing":        {"", "", "", ""},
		"a comment":      {"data_dir: data", "data_dir: data # here", "", ""},
		"a person":       {"name: Ann", "name: Anne", "people.ann", ""},
		"a new person":   {"  bob: {", "  eve: {roles: [lead]}\n  bob: {", "people.eve (new)", ""},
		"one less":       {"  bob: {", "  rob: {", "people.bob (gone) people.rob (new)", ""},
		"another order":  {"  developer: {may: [deploy, backup]}\n  lead: {may: [\"*\"]}", "  lead: {may: [\"*\"]}\n  developer: {may: [deploy, backup]}", "roles (order)", ""},
		"an app":         {"deadline: 10s", "deadline: 20s", "apps.ocpizza", ""},
		"the approvals":  {"expires: 1h", "expires: 2h", "approvals", ""},
		"the data":       {"data_dir: data", "data_dir: /elsewhere", "", "data_dir keys"},
		"data and more":  {"retention: {operations: 30d}", "retention: {operations: 31d}\nlisten: 127.0.0.1:8090", "", "listen retention"},
		"another window": {"[mon, fri]", "[mon]", "windows", ""},
	} {
		t.Run(name, func(t *testing.T) {
			is, err := Parse("maitred.yml", []byte(strings.Replace(good, c.old, c.with, 1)))
			if err != nil {
				t.Fatal(err)
			}
			changed, fixed := was.Changes(is)
			if got := strings.Join(changed, " "); got != c.changed {
				t.Errorf("changed: %q; want %q", got, c.changed)
			}
			if got := strings.Join(fixed, " "); got != c.fixed {
				t.Errorf("after a restart: %q; want %q", got, c.fixed)
			}
		})
	}
}
