package main

import (
	"strings"
	"testing"

	"go.uber.org/zap/zaptest"

	"maitred/config"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/source"
)

func TestAReloadKeepsWhatWorkIsUnderWayOn(t *testing.T) {
	const text = `data_dir: DIR/data
people: {ann: {roles: [all]}}
roles: {all: {may: ["*"]}}
apps:
  shop:
    repository: /srv/git/shop
    environments:
      production: {provider: host, host: {dir: DIR/app, trusted: true, listen: "127.0.0.1:1"}}
`
	dir := t.TempDir()
	parse := func(text string) *config.Config {
		c, err := config.Parse("maitred.yml", []byte(strings.ReplaceAll(text, "DIR", dir)))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	k := &catalogue{mirrors: source.New(dir, nil), log: zaptest.NewLogger(t)}
	if err := k.set(parse(text)); err != nil {
		t.Fatal(err)
	}
	production := platform.Target{App: "shop", Environment: "production"}
	live := []platform.Operation{{ID: 214, Target: production}}
	same, err := k.edition(parse(text + "own: {apps: [shop]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := same.keeps(live); err != nil {
		t.Errorf("nothing is gone: %v", err)
	}
	if is, _ := k.Provider(production); same.providers[production].provider != is {
		t.Error("a platform whose settings did not change is another one after a reload")
	}
	renamed, err := k.edition(parse(strings.Replace(text, "production:", "staging:", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := renamed.keeps(live); !fault.Is(err, fault.Busy) || !strings.Contains(fault.Of(err).Say, "#214") {
		t.Errorf("a target with work under way may not go: %v", err)
	}
	if err := renamed.keeps(nil); err != nil {
		t.Errorf("a target without work may go: %v", err)
	}
}
