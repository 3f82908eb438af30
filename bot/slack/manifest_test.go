package slack

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"maitred/bot/slack/slacktest"
	"maitred/commands"
)

func verbs() []Verb {
	var all []Verb
	for _, v := range commands.Verbs() {
		all = append(all, Verb{Path: v.Path, Usage: v.Usage, Help: v.Help})
	}
	return all
}

// headWords are the first words of all commands.
func headWords() []string {
	var words []string
	for _, v := range verbs() {
		if word := first(v.Path); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

func TestSlackTakesTheManifest(t *testing.T) {
	var possible []string
	for _, word := range headWords() {
		if say, _ := CommandProblem(word, headWords()); say == "" {
			possible = append(possible, word)
		}
	}
	tests := map[string]ManifestOptions{
		"socket":            {Verbs: verbs()},
		"http":              {Mode: HTTP, URL: "https://maitred.example.org/", Verbs: verbs()},
		"no more commands":  {Commands: []string{}, Verbs: verbs()},
		"all that can be":   {Commands: possible, Verbs: verbs()},
		"under other names": {Name: "maitred staging", Verbs: verbs()},
	}
	for name, o := range tests {
		t.Run(name, func(t *testing.T) {
			text, err := Manifest(o)
			if err != nil {
				t.Fatal(err)
			}
			if err := slacktest.CheckManifest(text); err != nil {
				t.Errorf("Slack refuses it: %v\n%s", err, text)
			}
			if o.Mode == HTTP && strings.Count(string(text), `"https://maitred.example.org/slack/"`) != 3+1+len(DefaultCommands) {
				t.Errorf("an address is missing:\n%s", text)
			}
		})
	}
}

func TestTheManifestAsksForWhatIsUsed(t *testing.T) {
	text, err := Manifest(ManifestOptions{Verbs: verbs()})
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if m.Settings.Events.URL != "" || !m.Settings.Socket || !m.Features.Home.Home || !m.Features.Home.Messages || m.Features.Home.ReadOnly {
		t.Errorf("got %+v", m)
	}
	for _, c := range m.Features.Commands {
		if c.Description == "" || size(c.Description) > mostDescription || size(c.Usage) > mostUsage {
			t.Errorf("%+v", c)
		}
	}
}

func TestNamesThatSlackKeepsAreRefused(t *testing.T) {
	for _, name := range slacktest.Reserved() {
		name = strings.TrimPrefix(name, "/")
		if say, _ := CommandProblem(name, append(headWords(), name)); !strings.Contains(say, "Slack keeps") {
			t.Errorf("/%s: %q", name, say)
		}
		text, err := Manifest(ManifestOptions{Commands: []string{name}})
		if err != nil || slacktest.CheckManifest(text) == nil {
			t.Errorf("Slack would take /%s, %v", name, err)
		}
	}
}
