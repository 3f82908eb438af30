package bot

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
)

var production = commands.Target{App: "ocpizza", Environment: "production"}

func rules() Rules {
	hash := sha256.Sum256([]byte("the token of ci"))
	return Rules{
		People: map[string]Member{
			"ann": {Name: "Ann", Roles: []string{"developer"}, Zone: "Europe/Paris", Chats: map[string]string{"slack": "T1/U1", "webchat": "ann"}},
			"bob": {Roles: []string{"developer"}, Chats: map[string]string{"webchat": "bob"}},
			"lea": {Roles: []string{"lead"}, Chats: map[string]string{"slack": "T1/U3", "webchat": "lea"}},
			"sam": {Roles: []string{"stager"}, Chats: map[string]string{"webchat": "sam"}},
			"eve": {Chats: map[string]string{"slack": "T1/U9"}},
		},
		Services: map[string]Service{"ci": {Roles: []string{"developer", "lead"}, TokenSHA256: hex.EncodeToString(hash[:])}},
		Roles: map[string]Role{
			"developer": {May: []string{"deploy", "backup", "config list"}},
			"lead":      {May: []string{"*"}, Groups: map[string][]string{"slack": {"S-leads"}}},
			"stager":    {May: []string{"deploy", "freeze"}, Apps: []string{"ocpizza"}, Environments: []string{"staging"}},
			"unused":    {May: []string{"scale"}},
		},
	}
}

func policy(t *testing.T) *Policy {
	t.Helper()
	p, err := NewPolicy(rules())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func in(p *Policy, chatName, id string) chat.Person {
	return p.Know(chat.Person{Chat: chatName, ID: id, Who: "forged"})
}

func TestMay(t *testing.T) {
	p := policy(t)
	staging := commands.Target{App: "ocpizza", Environment: "staging"}
	tests := map[string]struct {
		who    chat.Person
		verb   string
		target commands.Target
		want   string // of the refusal; empty when allowed
	}{
		"a right":                         {who: in(p, "webchat", "ann"), verb: "deploy", target: production},
		"a right from another chat":       {who: in(p, "slack", "T1/U1"), verb: "deploy", target: production},
		"a word prefix":                   {who: in(p, "webchat", "ann"), verb: "backup capture", target: production},
		"no part of a word":               {who: in(p, "webchat", "ann"), verb: "backups", want: "Using /backups needs the role lead, which lea has."},
		"a path is not its prefix":        {who: in(p, "webchat", "ann"), verb: "config set", target: production, want: "Setting variables of ocpizza in production needs the role lead, which lea has."},
		"every right":                     {who: in(p, "webchat", "lea"), verb: "settle", target: production},
		"who may is named":                {who: in(p, "webchat", "sam"), verb: "deploy", target: production, want: "Deploying ocpizza to production needs the role developer or lead, which ann, bob and lea have."},
		"within the limits":               {who: in(p, "webchat", "sam"), verb: "deploy", target: staging},
		"anywhere is somewhere":           {who: in(p, "webchat", "sam"), verb: "deploy"},
		"all environments is not one":     {who: in(p, "webchat", "sam"), verb: "freeze", target: commands.Target{App: "ocpizza"}, want: "Freezing ocpizza everywhere needs the role lead, which lea has."},
		"another app":                     {who: in(p, "webchat", "sam"), verb: "deploy", target: commands.Target{App: "blog", Environment: "staging"}, want: "needs the role"},
		"a stranger":                      {who: in(p, "webchat", "mallory"), verb: "status", want: "I do not know you here"},
		"a stranger who says he is ann":   {who: in(p, "webchat", "Ann"), verb: "deploy", want: "I do not know you here"},
		"an id of another chat":           {who: in(p, "discord", "ann"), verb: "deploy", want: "I do not know you here"},
		"a guest under a known id":        {who: func() chat.Person { g := in(p, "webchat", "ann"); g.Guest = true; return g }(), verb: "status", want: "guest"},
		"a trusted group":                 {who: p.Know(chat.Person{Chat: "slack", ID: "T1/U9", Groups: []string{"S-leads"}}), verb: "approve", target: production},
		"another group":                   {who: p.Know(chat.Person{Chat: "slack", ID: "T1/U9", Groups: []string{"S-all"}}), verb: "approve", target: production, want: "needs the role lead"},
		"a trusted group of another chat": {who: p.Know(chat.Person{Chat: "webchat", ID: "bob", Groups: []string{"S-leads"}}), verb: "approve", target: production, want: "needs the role lead"},
		"a stranger in a trusted group":   {who: p.Know(chat.Person{Chat: "slack", ID: "T9/U9", Groups: []string{"S-leads"}}), verb: "approve", target: production, want: "I do not know you here"},
		"a service":                       {who: in(p, "api", "ci"), verb: "deploy", target: production},
		"a service never approves":        {who: in(p, "api", "ci"), verb: "approve", target: production, want: "A service cannot approve"},
		"a service never breaks glass":    {who: in(p, "api", "ci"), verb: "breakglass", target: production, want: "A service cannot breakglass"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := p.May(test.who, test.verb, test.target)
			if test.want == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			if !fault.Is(err, fault.Forbidden) || !strings.Contains(fault.Of(err).Say, test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestEverythingAtOnceNeedsARoleWithoutLimits(t *testing.T) {
	p := policy(t)
	if err := p.Everywhere(in(p, "webchat", "sam"), "freeze"); !fault.Is(err, fault.Forbidden) {
		t.Errorf("whoever may freeze one app's staging may freeze everything: %v", err)
	}
	if err := p.Everywhere(in(p, "webchat", "lea"), "freeze"); err != nil {
		t.Errorf("a lead may not: %v", err)
	}
}

func TestNobodyIsLetInByAnEmptyPolicy(t *testing.T) {
	p := new(Policy)
	who := p.Know(chat.Person{Chat: "webchat", ID: "ann", Who: "ann"})
	if err := p.May(who, "status", commands.Target{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("got %v", err)
	}
	if _, ok := p.Owner(""); ok {
		t.Error("the empty token belongs to somebody")
	}
}

func TestKnowFillsInWhoIsConfigured(t *testing.T) {
	p := policy(t)
	ann := in(p, "slack", "T1/U1")
	if ann.Who != "ann" || ann.Zone != "Europe/Paris" || ann.Name != "Ann" || ann.Automaton {
		t.Errorf("got %+v", ann)
	}
	if !ann.Same(in(p, "webchat", "ann")) {
		t.Error("two identities of ann are two people")
	}
	if ci := in(p, "api", "ci"); ci.Who != "ci" || !ci.Automaton {
		t.Errorf("got %+v", ci)
	}
	if got := in(p, "webchat", "nobody"); got.Who != "" {
		t.Errorf("a forged Who counts: %+v", got)
	}
}

func TestHoldersAreKnownInTheChat(t *testing.T) {
	p := policy(t)
	got := p.Holders("slack", "developer", "lead")
	if len(got) != 3 || got[0].Who != "ann" || got[0].ID != "T1/U1" || got[1].Who != "lea" || got[2].ID != "S-leads" || got[2].Who != "" {
		t.Errorf("got %+v", got) // bob is not in Slack, and ci is no human; behind the people stands the group that gives the role
	}
	if got := p.Holders("", "developer"); len(got) != 2 {
		t.Errorf("by name alone: %+v", got)
	}
}

func TestATokenBelongsToOne(t *testing.T) {
	p := policy(t)
	hash := sha256.Sum256([]byte("the token of ci"))
	if who, ok := p.Owner(hex.EncodeToString(hash[:])); !ok || who.Who != "ci" || !who.Automaton {
		t.Errorf("got %+v, %v", who, ok)
	}
	if who, ok := p.Owner("0000"); ok {
		t.Errorf("a wrong token belongs to %+v", who)
	}
}

func TestRulesThatMakeNoSenseChangeNothing(t *testing.T) {
	tests := map[string]func(*Rules){
		"one id for two":             func(r *Rules) { r.People["bob"] = Member{Chats: map[string]string{"webchat": "ann"}} },
		"a role that does not exist": func(r *Rules) { r.People["bob"] = Member{Roles: []string{"boss"}} },
		"a person and a service":     func(r *Rules) { r.Services["ann"] = Service{} },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			p := policy(t)
			r := rules()
			spoil(&r)
			if err := p.SetRules(r); err == nil {
				t.Fatal("they were taken")
			}
			if err := p.May(in(p, "webchat", "bob"), "deploy", production); err != nil {
				t.Errorf("the old rules are gone: %v", err)
			}
		})
	}
}

func TestAReloadTakesRightsAway(t *testing.T) {
	p := policy(t)
	r := rules()
	delete(r.People, "bob")
	if err := p.SetRules(r); err != nil {
		t.Fatal(err)
	}
	if err := p.May(in(p, "webchat", "bob"), "deploy", production); !fault.Is(err, fault.Forbidden) {
		t.Errorf("got %v", err)
	}
}
