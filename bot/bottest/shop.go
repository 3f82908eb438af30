package bottest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"maitred/bot"
	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/platform/platformtest"
)

// Shop is what the house looks after: ocpizza with production and staging on a
// platform that can do everything, and blog on one that can only deploy. The
// channel deploys is ocpizza's production.
type Shop struct {
	Fake *platformtest.Fake
	Bare *platformtest.Fake
	More []string // further apps, with production alone, on the fake

	deploys chat.Place // the channel deploys, as the chat knows it

	mu   sync.Mutex
	refs map[string]string // ref → commit
}

func newShop() *Shop {
	return &Shop{
		Fake: platformtest.New(platformtest.Options{Ways: map[string]platformtest.Way{"run": platformtest.Once}}), Bare: platformtest.New(platformtest.Options{Name: "plain"}),
		deploys: chat.Place{Chat: "room", Channel: "deploys"},
		refs:    map[string]string{"main": "ccc0000", "v1.0.0": "aaa1000", "v1.1.0": "bbb1100", "v1.2.0": "ddd1200", "feature/crust": "eee1300"},
	}
}

var (
	_ commands.Apps    = (*Shop)(nil)
	_ commands.Sources = (*Shop)(nil)
)

// Apps are ocpizza and blog.
func (s *Shop) Apps() []commands.App {
	apps := []commands.App{
		{Name: "ocpizza", Help: "A small pizzeria on the web.", Environments: []string{"production", "staging"},
			Providers: map[string]string{"production": "fake", "staging": "fake"}, Repository: "https://git.example/ocpizza", Channel: "deploys"},
		{Name: "blog", Help: "What we think.", Environments: []string{"production"}, Providers: map[string]string{"production": "plain"}},
	}
	for _, name := range s.More {
		apps = append(apps, commands.App{Name: name, Environments: []string{"production"}, Providers: map[string]string{"production": "fake"}})
	}
	return apps
}

// Provider is the platform of a target.
func (s *Shop) Provider(t platform.Target) (platform.Provider, error) {
	switch t.App {
	case "ocpizza":
		return s.Fake, nil
	case "blog":
		return s.Bare.Bare(), nil
	}
	if slices.Contains(s.More, t.App) {
		return s.Fake, nil
	}
	return nil, fault.New(fault.Missing, "shop.provider", "/apps", "There is no app called %s.", t.App)
}

// Channel is ocpizza's production for deploys.
func (s *Shop) Channel(p chat.Place) platform.Target {
	if p.Channel == s.deploys.Channel {
		return platform.Target{App: "ocpizza", Environment: "production"}
	}
	return platform.Target{}
}

// Home is the channel deploys.
func (s *Shop) Home(platform.Target) chat.Place { return s.deploys }

// Move lets a ref name another commit.
func (s *Shop) Move(ref, sha string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs[ref] = sha
}

// Resolve knows the refs of the shop.
func (s *Shop) Resolve(_ context.Context, t platform.Target, ref string) (platform.Source, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := ref
	if named == "" {
		named = "main"
	}
	sha, ok := s.refs[named]
	if !ok {
		return platform.Source{}, fault.New(fault.Missing, "shop.resolve", "/deploy "+t.App+"@v1.1.0", "%s has no branch, tag or commit called %s.", t.App, named)
	}
	version := sha
	if strings.HasPrefix(named, "v") {
		version = named
	}
	return platform.Source{Repository: "https://git.example/" + t.App, Ref: named, SHA: sha, Version: version}, nil
}

// Refs are the names of the shop's refs.
func (s *Shop) Refs(context.Context, platform.Target) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var refs []string
	for ref := range s.refs {
		refs = append(refs, ref)
	}
	slices.Sort(refs)
	slices.Reverse(refs)
	return refs, nil
}

// Between is one commit.
func (s *Shop) Between(_ context.Context, _ platform.Target, from, to string, _ int) ([]platform.Commit, error) {
	if from == to {
		return nil, nil
	}
	return []platform.Commit{{SHA: to, Author: "Ann", Subject: "Bake the crust longer"}}, nil
}

// staff are the people of conversations: ann and bob develop, lea and lou lead,
// olga is on call, vic looks, ci is a service, cat may develop the blog alone.
// zoe is a stranger and gus a guest.
func staff(inChat func(name string) string, chatName string) bot.Rules {
	rules := bot.Rules{
		People: map[string]bot.Member{}, Services: map[string]bot.Service{},
		Roles: map[string]bot.Role{
			"viewer": {May: []string{"apps", "status", "ps", "releases", "queue", "operation"}},
			"developer": {May: []string{"deploy", "update", "rollback", "run", "logs", "audit", "cancel", "lock", "unlock", "maintenance",
				"start", "stop", "restart", "scale", "config", "backup"}},
			"blogger":    {May: []string{"deploy", "freeze"}, Apps: []string{"blog"}},
			"oncall":     {May: []string{"rollback", "logs", "cancel", "settle", "restart", "start", "stop", "maintenance"}},
			"lead":       {May: []string{"approve", "reject", "settle", "freeze", "unfreeze", "deploy", "cancel", "rollback", "audit"}},
			"breakglass": {May: []string{"breakglass"}},
		},
	}
	for name, roles := range map[string][]string{
		"ann": {"viewer", "developer"}, "bob": {"viewer", "developer"}, "lea": {"viewer", "lead"}, "lou": {"viewer", "lead"},
		"olga": {"viewer", "oncall", "breakglass"}, "vic": {"viewer"}, "cat": {"viewer", "blogger"},
	} {
		rules.People[name] = bot.Member{Roles: roles, Chats: map[string]string{chatName: inChat(name)}}
	}
	rules.People["gus"] = bot.Member{Roles: []string{"viewer"}, Chats: map[string]string{chatName: inChat("gus")}}
	rules.Services["ci"] = bot.Service{Roles: []string{"viewer", "developer", "lead"}, Chats: map[string]string{chatName: inChat("ci")}}
	return rules
}

// agreements are the rules of the house: production needs a lead.
func agreements() engine.Rules {
	return engine.Rules{Approvals: []engine.ApprovalRule{{
		Verbs: []string{"deploy", "rollback", "update", "backup restore", "run"}, Environments: []string{"production"},
		Apps: []string{"ocpizza"}, Roles: []string{"lead"}, Unless: []string{"lead"},
	}}}
}

// fakeLine is a line "fake: step=verify version=v1.2.0 fail=It never got healthy."
func fakeLine(line string) (platformtest.Script, error) {
	var s platformtest.Script
	for line != "" {
		word, rest, _ := strings.Cut(line, " ")
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "step":
			s.Step = strings.ReplaceAll(value, "_", " ")
		case "version":
			s.Version = value
		case "fail":
			s.Fail, rest = strings.TrimPrefix(line, "fail="), ""
		case "hang":
			s.Hang = true
		case "lose":
			s.Lose = true
		case "once":
			s.Times = 1
		default:
			return s, fmt.Errorf("the fake does not understand %q", word)
		}
		line = strings.TrimSpace(rest)
	}
	return s, nil
}
