package engine

import (
	"context"
	"strings"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

var (
	ann  = chat.Person{Chat: "slack", ID: "U1", Who: "ann"}
	bob  = chat.Person{Chat: "slack", ID: "U2", Who: "bob"}
	shop = platform.Target{App: "ocpizza", Environment: "production"}
	noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) // a Friday
)

func TestLockKeepsOthersOut(t *testing.T) {
	lock := Lock{Target: shop, Person: ann, Why: "migrating", Expires: noon.Add(time.Hour)}
	whole := lock
	whole.Target.Environment = ""
	tests := map[string]struct {
		lock Lock
		op   platform.Operation
		open bool
	}{
		"somebody else is kept out":       {lock, platform.Operation{Kind: platform.Deploy, Target: shop, Requester: bob}, false},
		"also from a restart":             {lock, platform.Operation{Kind: platform.Restart, Target: shop, Requester: bob}, false},
		"the holder passes":               {lock, platform.Operation{Kind: platform.Deploy, Target: shop, Requester: ann}, true},
		"the holder passes in every chat": {lock, platform.Operation{Kind: platform.Deploy, Target: shop, Requester: chat.Person{Chat: "discord", ID: "9", Who: "ann"}}, true},
		"a backup passes":                 {lock, platform.Operation{Kind: platform.Capture, Target: shop, Requester: bob}, true},
		"another environment is open":     {lock, platform.Operation{Kind: platform.Deploy, Target: platform.Target{App: "ocpizza", Environment: "staging"}, Requester: bob}, true},
		"a lock of the app is everywhere": {whole, platform.Operation{Kind: platform.Deploy, Target: platform.Target{App: "ocpizza", Environment: "staging"}, Requester: bob}, false},
		"another app is open":             {whole, platform.Operation{Kind: platform.Deploy, Target: platform.Target{App: "shop"}, Requester: bob}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := locked(test.op, []Lock{test.lock})
			if v.Open != test.open {
				t.Fatalf("open is %v: %+v", v.Open, v)
			}
			if !v.Open && (!strings.Contains(v.Evidence, "ann") || !strings.Contains(v.Evidence, "migrating") || v.Opens == "") {
				t.Errorf("the refusal says too little: %+v", v)
			}
		})
	}
}

func TestFreezeHoldsDeploysBack(t *testing.T) {
	one, all := Freeze{App: "ocpizza", Person: ann, Why: "the fair"}, Freeze{Person: ann, Why: "the fair"}
	tests := map[string]struct {
		freeze Freeze
		kind   platform.Kind
		app    string
		open   bool
		warns  bool
	}{
		"a deploy":                   {one, platform.Deploy, "ocpizza", false, false},
		"an update":                  {one, platform.Update, "ocpizza", false, false},
		"a restore":                  {one, platform.Restore, "ocpizza", false, false},
		"a rollback passes, warned":  {one, platform.Rollback, "ocpizza", true, true},
		"maintenance passes":         {one, platform.Maintain, "ocpizza", true, false},
		"another app passes":         {one, platform.Deploy, "shop", true, false},
		"a freeze of all holds them": {all, platform.Deploy, "shop", false, false},
	}
	thaws := map[string]string{"": "/unfreeze --all", one.App: "/unfreeze " + one.App}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := frozen(platform.Operation{Kind: test.kind, Target: platform.Target{App: test.app}}, []Freeze{test.freeze})
			if v.Open != test.open || (len(v.Warnings) > 0) != test.warns {
				t.Fatalf("%+v", v)
			}
			if !v.Open && (!strings.Contains(v.Evidence, "the fair") || v.Opens != thaws[test.freeze.App]) {
				t.Errorf("the refusal says too little: %+v", v)
			}
		})
	}
}

func TestDeployWindow(t *testing.T) {
	var mon, fri Weekday
	if err := mon.UnmarshalText([]byte("mon")); err != nil {
		t.Fatal(err)
	}
	if err := fri.UnmarshalText([]byte("Friday")); err != nil {
		t.Fatal(err)
	}
	var from, to Clock
	if err := from.UnmarshalText([]byte("09:00")); err != nil {
		t.Fatal(err)
	}
	if err := to.UnmarshalText([]byte("17:00")); err != nil {
		t.Fatal(err)
	}
	w := DeployWindow{Environments: []string{"production"}, Days: []Weekday{mon, fri}, From: from, To: to, Zone: "Europe/Paris"}
	tests := map[string]struct {
		at   time.Time
		kind platform.Kind
		open bool
		says string
	}{
		"friday noon":                  {noon, platform.Deploy, true, ""},
		"friday 08:30 UTC is in Paris": {noon.Add(-3*time.Hour - 30*time.Minute), platform.Deploy, true, ""},
		"friday 07:30 UTC is too soon": {noon.Add(-4*time.Hour - 30*time.Minute), platform.Deploy, false, "Fri 20 Nov 09:00"},
		"the end is outside":           {noon.Add(4 * time.Hour), platform.Deploy, false, "Mon 23 Nov 09:00"},
		"saturday":                     {noon.Add(24 * time.Hour), platform.Deploy, false, "Mon 23 Nov 09:00"},
		"a rollback passes":            {noon.Add(24 * time.Hour), platform.Rollback, true, ""},
		"a restart is no deploy":       {noon.Add(24 * time.Hour), platform.Restart, true, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			g := windowGate{[]DeployWindow{w}, func() time.Time { return test.at }}
			v, err := g.Check(context.Background(), platform.Operation{Kind: test.kind, Target: shop})
			if err != nil || v.Open != test.open || !strings.Contains(v.Opens, test.says) {
				t.Errorf("%+v %v", v, err)
			}
			elsewhere, err := g.Check(context.Background(), platform.Operation{Kind: test.kind, Target: platform.Target{App: "ocpizza", Environment: "staging"}})
			if err != nil || !elsewhere.Open {
				t.Errorf("a target without a window: %+v %v", elsewhere, err)
			}
		})
	}
	if _, err := (windowGate{[]DeployWindow{{Zone: "Nowhere/Land"}}, time.Now}).Check(context.Background(), platform.Operation{Kind: platform.Deploy}); err == nil {
		t.Error("a window in no time zone can tell")
	}
}

func TestOwnAppIsNeverATarget(t *testing.T) {
	g := ownGate{[]platform.Target{{App: "maitred"}, {App: "tools", Environment: "production"}}}
	for target, open := range map[platform.Target]bool{
		{App: "maitred", Environment: "staging"}:  false,
		{App: "tools", Environment: "production"}: false,
		{App: "tools", Environment: "staging"}:    true,
		shop:                                      true,
	} {
		if v, err := g.Check(context.Background(), platform.Operation{Target: target}); err != nil || v.Open != open {
			t.Errorf("%s: %+v %v", target, v, err)
		}
	}
}

func TestApprovalRules(t *testing.T) {
	g := approvalsGate{[]ApprovalRule{
		{Verbs: []string{"backup"}, Roles: []string{"dba"}},
		{Verbs: []string{"deploy", "rollback"}, Environments: []string{"production"}, Roles: []string{"lead"}, Count: 2, Unless: []string{"lead"}},
		{Verbs: []string{"*"}, Apps: []string{"vault"}, Roles: []string{"security"}},
	}, roles{"ann": {"developer"}, "bob": {"lead"}}}
	tests := map[string]struct {
		op    platform.Operation
		needs int
		of    string
	}{
		"a deploy to production":   {platform.Operation{Kind: platform.Deploy, Target: shop, Requester: ann}, 2, "lead"},
		"by a lead":                {platform.Operation{Kind: platform.Deploy, Target: shop, Requester: bob}, 0, ""},
		"to staging":               {platform.Operation{Kind: platform.Deploy, Target: platform.Target{App: "ocpizza", Environment: "staging"}, Requester: ann}, 0, ""},
		"a word covers its verbs":  {platform.Operation{Kind: platform.Restore, Target: shop, Requester: ann}, 1, "dba"},
		"an app under all":         {platform.Operation{Kind: platform.Scale, Target: platform.Target{App: "vault"}, Requester: bob}, 1, "security"},
		"what no rule is about":    {platform.Operation{Kind: platform.Scale, Target: shop, Requester: ann}, 0, ""},
		"the first rule is enough": {platform.Operation{Kind: platform.Capture, Target: platform.Target{App: "vault"}, Requester: ann}, 1, "dba"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := g.Check(context.Background(), test.op)
			if err != nil || !v.Open {
				t.Fatalf("%+v %v", v, err)
			}
			if got := v.Approval; (got == nil) != (test.needs == 0) || got != nil && (got.Count != test.needs || got.Roles[0] != test.of) {
				t.Errorf("needs %+v", got)
			}
		})
	}
}

// roles is a policy of nothing but roles.
type roles map[string][]string

func (r roles) May(chat.Person, string, platform.Target) error { return nil }
func (r roles) Roles(who chat.Person) []string                 { return r[who.Who] }
func (r roles) Holders(string, ...string) []chat.Person        { return nil }

func TestRefusalsNameTheGate(t *testing.T) {
	e := &Engine{Config: Config{Policy: roles{}, Now: time.Now, Gates: []Gate{broken{}},
		Store: quietStore{}, Providers: func(platform.Target) (platform.Provider, error) { return nil, nil }}}
	e.SetRules(Rules{Own: []platform.Target{{App: "maitred"}}})
	op := platform.Operation{Kind: platform.Deploy, Target: platform.Target{App: "maitred"}, Requester: ann}
	_, err := e.check(context.Background(), op)
	if f := fault.Of(err); f.Kind != fault.Refused || !strings.Contains(f.Say, "own-app") || f.Hint == "" {
		t.Errorf("%+v", f)
	}
	op.Target = shop
	_, err = e.check(context.Background(), op)
	if f := fault.Of(err); f.Kind != fault.Refused || !strings.Contains(f.Say, "weather") || !strings.Contains(f.Say, "cannot tell") {
		t.Errorf("a gate that cannot tell: %+v", f)
	}
}

// quietStore has no locks and no freezes.
type quietStore struct{ Store }

func (quietStore) Locks(context.Context) ([]Lock, error)     { return nil, nil }
func (quietStore) Freezes(context.Context) ([]Freeze, error) { return nil, nil }

// broken is a gate that cannot tell.
type broken struct{}

func (broken) Name() string { return "weather" }
func (broken) Check(context.Context, platform.Operation) (Verdict, error) {
	return Verdict{}, fault.New(fault.Unreachable, "weather", "", "The weather service does not answer.")
}

func TestDigestNamesWhatWouldBeDone(t *testing.T) {
	op := platform.Operation{Kind: platform.Deploy, Target: shop, Source: &platform.Source{Ref: "main", SHA: "abc"}, Args: []byte(`{"a":1,"b":2}`)}
	same := op
	same.ID, same.Requester, same.Args = 7, bob, []byte(`{ "b": 2, "a": 1 }`)
	if Digest(op) != Digest(same) {
		t.Error("the digest depends on more than what would be done")
	}
	for name, change := range map[string]func(*platform.Operation){
		"kind":        func(o *platform.Operation) { o.Kind = platform.Update },
		"app":         func(o *platform.Operation) { o.Target.App = "shop" },
		"environment": func(o *platform.Operation) { o.Target.Environment = "staging" },
		"commit":      func(o *platform.Operation) { o.Source = &platform.Source{Ref: "main", SHA: "abd"} },
		"arguments":   func(o *platform.Operation) { o.Args = []byte(`{"a":1,"b":3}`) },
	} {
		other := op
		change(&other)
		if Digest(op) == Digest(other) {
			t.Errorf("another %s has the same digest", name)
		}
	}
}

func TestBefore(t *testing.T) {
	at := func(s int) time.Time { return noon.Add(time.Duration(s) * time.Second) }
	running := platform.Operation{ID: 1, Kind: platform.Deploy, State: platform.Running, Queued: at(1)}
	unknown := platform.Operation{ID: 1, Kind: platform.Deploy, State: platform.Unknown, Queued: at(1)}
	second := platform.Operation{ID: 2, Kind: platform.Rollback, State: platform.Queued, Queued: at(3)}
	late := platform.Operation{ID: 3, Kind: platform.Deploy, State: platform.Queued, Queued: at(2)}
	waiting := platform.Operation{ID: 4, Kind: platform.Deploy, State: platform.Waiting}
	page := platform.Operation{ID: 5, Kind: platform.Maintain, State: platform.Running, Queued: at(4)}
	tests := map[string]struct {
		op   platform.Operation
		live []platform.Operation
		want int64
	}{
		"an empty line":                       {second, []platform.Operation{second}, 0},
		"one that runs":                       {second, []platform.Operation{running, second}, 1},
		"one that is unknown":                 {second, []platform.Operation{unknown, second}, 1},
		"approved earlier goes first":         {second, []platform.Operation{running, second, late}, 3},
		"the one in front has only the first": {late, []platform.Operation{running, second, late}, 1},
		"one that waits for approval":         {second, []platform.Operation{waiting, second}, 0},
		"what runs beside":                    {second, []platform.Operation{page, second}, 0},
		"a new one is last":                   {platform.Operation{Kind: platform.Deploy}, []platform.Operation{running, late, second}, 2},
		"pairs that conflict":                 {platform.Operation{ID: 9, Kind: platform.Maintain, Queued: at(9)}, []platform.Operation{page}, 5},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := before(test.op, test.live); got != test.want {
				t.Errorf("behind #%d, not #%d", got, test.want)
			}
		})
	}
}

func TestStepNamesAreUnique(t *testing.T) {
	got := unique([]platform.Step{{Name: "check"}, {Name: "page"}, {Name: "check"}, {Name: "check 2"}, {Name: "check"}})
	seen := map[string]bool{}
	for _, s := range got {
		if seen[s.Name] {
			t.Errorf("two steps are called %s: %v", s.Name, got)
		}
		seen[s.Name] = true
	}
	if got[0].Name != "check" || got[2].Name == "check" {
		t.Errorf("%v", got)
	}
}
