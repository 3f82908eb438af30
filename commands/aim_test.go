package commands

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

func TestWhatIsLeftOutIsTheChannelsOrTheOnlyOneOrAsked(t *testing.T) {
	staging, menu := platform.Target{App: "menu", Environment: "staging"}, platform.Target{App: "menu", Environment: "production"}
	tests := map[string]struct {
		line, channel string
		one           bool
		target        platform.Target
		say, hint     string
	}{
		"the only app":                 {line: "/restart", one: true, target: production},
		"the channel's app":            {line: "/restart", channel: "ocpizza", target: production},
		"a process in its channel":     {line: "/restart web", channel: "ocpizza", target: production},
		"another app in a channel":     {line: "/restart menu in production", channel: "ocpizza", target: menu},
		"the channel's environment":    {line: "/restart", channel: "menu-staging", target: staging},
		"it is not another app's":      {line: "/restart ocpizza", channel: "menu-staging", target: production},
		"not the channel's":            {line: "/restart to production", channel: "menu-staging", target: menu},
		"a question":                   {line: "/restart", say: "Which app: ocpizza or menu?", hint: "/restart ocpizza\n/restart menu"},
		"a question keeps the words":   {line: "/restart web in staging", say: "Which app", hint: "/restart ocpizza web to staging\n/restart menu web to staging"},
		"which environment":            {line: "/restart menu", say: "Which environment of menu: staging or production?", hint: "/restart menu to staging\n/restart menu to production"},
		"an unknown environment":       {line: "/restart menu to stagging", say: "menu has no environment called “stagging”. Did you mean staging?", hint: "/restart menu to staging"},
		"an environment of another":    {line: "/restart ocpizza to staging", say: "ocpizza has no environment called “staging”. It has production.", hint: "/restart ocpizza to production"},
		"an environment in capitals":   {line: "/restart ocpizza to PRODUCTION", target: production},
		"everything where none is":     {line: "/status", target: platform.Target{}},
		"everything is not elsewhere":  {line: "/status", channel: "ocpizza", target: production},
		"all environments for freezes": {line: "/freeze menu the sale", target: platform.Target{App: "menu"}},
		"a ref with a question":        {line: "/deploy v1.1.0", say: "Which app", hint: "/deploy ocpizza v1.1.0\n/deploy menu v1.1.0"},
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			if !want.one {
				h.two()
			}
			c := h.call()
			c.Place.Channel = want.channel
			o, err := h.registry.Parse(want.line)
			if err != nil {
				t.Fatal(err)
			}
			target, err := h.registry.Aim(t.Context(), c, o)
			if want.say != "" {
				if f := fault.Of(err); f == nil || !strings.HasPrefix(f.Say, want.say) || f.Hint != want.hint {
					t.Fatalf("got %v, %+v", target, f)
				}
				return
			}
			if err != nil || target != want.target {
				t.Errorf("aimed at %v, %v", target, err)
			}
		})
	}
}

func TestADecisionIsAimedAtItsOperationsTarget(t *testing.T) {
	h := newHouse(t).two()
	h.desk.operations = []platform.Operation{{ID: 4, Target: production, State: platform.Waiting}}
	for line, subject := range map[string]int64{"/approve 4": 0, "/approve": 4, "approve": 4, "/cancel": 4, "/operation": 4} {
		o, err := h.registry.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		c := h.call()
		c.Subject = subject
		if target, err := h.registry.Aim(t.Context(), c, o); err != nil || target != production {
			t.Errorf("%s: %v %v", line, target, err)
		}
	}
}

func TestWhatIsSaidAgainAfterACrash(t *testing.T) {
	h := newHouse(t)
	for line, repeatable := range map[string]bool{
		"/status": true, "/deploy": true, "/run ocpizza ls": true, "/logs": true, "/config set ocpizza A": true,
		"/approve 1": false, "/lock ocpizza why": false, "/freeze ocpizza why": false, "/backup schedule @daily": false, "/cancel 3": false,
	} {
		o, err := h.registry.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if o.Repeatable() != repeatable {
			t.Errorf("%s: repeatable is %v", line, o.Repeatable())
		}
	}
}

// Every verb either reads, or submits, or changes something once.
func TestWhatVerbsDo(t *testing.T) {
	reads := []string{"help", "whoami", "apps", "status", "ps", "logs", "audit", "releases", "queue", "operation",
		"maintenance status", "config list", "backup list", "backup info", "backup schedules"}
	submits := []string{"deploy", "update", "rollback", "backup capture", "backup restore", "maintenance on", "maintenance off",
		"start", "stop", "restart", "scale", "run", "config set", "config unset"}
	once := []string{"approve", "reject", "cancel", "settle", "breakglass", "lock", "unlock", "freeze", "unfreeze",
		"backup cancel", "backup schedule", "backup unschedule"}
	for _, l := range leaves() {
		o := Order{Verb: l.Path, Command: reflect.New(l.kind).Interface().(Command)}
		got := []bool{o.Reads(), o.Submits(), !o.Repeatable()}
		want := []bool{slices.Contains(reads, l.Path), slices.Contains(submits, l.Path), slices.Contains(once, l.Path)}
		if !slices.Equal(got, want) {
			t.Errorf("%s: reads, submits, once are %v, want %v", l.Path, got, want)
		}
		if !want[0] && !want[1] && !want[2] {
			t.Errorf("%s is in none of the lists", l.Path)
		}
	}
}

func TestValuesAreTakenOutOfLines(t *testing.T) {
	tests := map[string]string{
		"/config set ocpizza SECRET_KEY":                       "/config set ocpizza SECRET_KEY",
		"/config set SECRET_KEY to production":                 "/config set SECRET_KEY to production",
		"/config set ocpizza SECRET_KEY --to=production":       "/config set ocpizza SECRET_KEY --to=production",
		"/config set ocpizza SECRET_KEY=hunter2":               "/config set ocpizza SECRET_KEY=[redacted]",
		"/config set SECRET_KEY=hunter2 --to production":       "/config set SECRET_KEY=[redacted]",
		"/config set SECRET_KEY hunter2":                       "/config set SECRET_KEY [redacted]",
		"/config set secret_key hunter2":                       "/config set secret_key [redacted]",
		"/config set ocpizza SECRET_KEY hunter2":               "/config set ocpizza SECRET_KEY [redacted]",
		"/config set SECRET_KEY to hunter2":                    "/config set SECRET_KEY [redacted]",
		"/config set SECRET_KEY 'hunter2 and more":             "/config set SECRET_KEY [redacted]",
		"  maitred config   set ocpizza A=\"hunter2 x\"":       "  maitred config   set ocpizza A=[redacted]",
		"@maitred: /config set A=hunter2\nB=hunter2":           "@maitred: /config set A=[redacted]",
		"/confg set SECRET=hunter2":                            "/confg set SECRET=[redacted]",
		"/config SECRET=hunter2 x":                             "/config SECRET=[redacted]",
		"/set ocpizza SECRET = hunter2":                        "/set ocpizza SECRET = [redacted]",
		"/run ocpizza DEBUG=1 python manage.py check --deploy": "/run ocpizza DEBUG=1 python manage.py check --deploy",
		"/scal ocpizza web=2":                                  "/scal ocpizza web=2",
		"/rn ocpizza DEBUG=1 ls":                               "/rn ocpizza DEBUG=1 ls",
		"/scale ocpizza web=2":                                 "/scale ocpizza web=2",
		"/deploy ocpizza":                                      "/deploy ocpizza",
		"/config list ocpizza":                                 "/config list ocpizza",
	}
	h := newHouse(t)
	for line, want := range tests {
		if got := sensitive(line, names{}); got != want {
			t.Errorf("%q is kept as %q, want %q", line, got, want)
		}
		if sensitive(want, names{}) != want {
			t.Errorf("%q changes when it is cleaned again: %q", want, sensitive(want, names{}))
		}
		if _, err := h.registry.Parse(line); strings.Contains(want, redacted) && strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%q: the fault repeats the value: %v", line, err)
		}
	}
	if got := h.two().registry.Sensitive("/config set menu http_proxy"); got != "/config set menu http_proxy" {
		t.Errorf("with the apps known it is kept as %q", got)
	}
}

func FuzzSensitive(f *testing.F) {
	f.Add("/config set ", "SECRET_KEY=")
	f.Add("maitred config set ocpizza ", "A ")
	f.Fuzz(func(t *testing.T, before, name string) {
		const canary = "hunter2-canary"
		line := "/config set " + before + " SECRET_KEY=" + name + canary
		if got := sensitive(line, names{}); strings.Contains(got, canary) {
			t.Fatalf("%q is kept as %q", line, got)
		}
	})
}

func TestValuesTypedInALineAreRefused(t *testing.T) {
	h := newHouse(t)
	for _, line := range []string{"/config set A=hunter2", "/config set ocpizza SECRET hunter2", "/config set SECRET hunter2", "/config set SECRET to hunter2", "/config set SECRET [redacted]"} {
		f := h.refused(line)
		if !strings.Contains(f.Say, "it has leaked") || f.Hint != "/config set APP NAME" || strings.Contains(f.Say, "hunter2") {
			t.Errorf("%s: %q %q", line, f.Say, f.Hint)
		}
	}
}

func TestCompletionFinishesWhatTheAskerMaySay(t *testing.T) {
	tests := map[string]string{
		"":                               "/help,",
		"/dep":                           "/deploy",
		"dep":                            "/deploy",
		"/backup ca":                     "/backup capture, /backup cancel",
		"/backup ":                       "/backup capture, /backup list",
		"/deploy o":                      "/deploy ocpizza",
		"/deploy ocpizza@v1.1":           "/deploy ocpizza@v1.1.0",
		"/deploy ocpizza v1.0":           "/deploy ocpizza v1.0.0",
		"/deploy ocpizza v1.1.0 t":       "/deploy ocpizza v1.1.0 to",
		"/deploy menu v1.1.0 to s":       "/deploy menu v1.1.0 to staging",
		"/deploy menu --to=":             "",
		"/deploy menu --to p":            "/deploy menu --to production",
		"/logs ocpizza --gr":             "/logs ocpizza --grep",
		"/rollback ocpizza to ":          "/rollback ocpizza to production, /rollback ocpizza to r2, /rollback ocpizza to r1",
		"/rollback ocpizza to r2 if r":   "/rollback ocpizza to r2 if r2, /rollback ocpizza to r2 if r1",
		"/approve ":                      "/approve 4",
		"/restart ocpizza w":             "/restart ocpizza web",
		"/backup info ocpizza b":         "/backup info ocpizza b2, /backup info ocpizza b1",
		"/help backup":                   "/help backup capture",
		"/scale ocpizza web=1 --to prod": "/scale ocpizza web=1 --to production",
		"/restore":                       "",
		"/stop o":                        "",
		"/audit --app o":                 "/audit --app ocpizza",
		"/lock 'half":                    "",
		"/deploy nobody@x":               "",
		"/" + strings.Repeat("x", 5000):  "",
	}
	h := newHouse(t).two()
	h.deployed("v1.0.0", "v1.1.0")
	h.captured(2)
	h.policy.forbidden = []string{"stop"}
	h.desk.operations = []platform.Operation{{ID: 3, Target: production, State: platform.Running}, {ID: 4, Target: production, State: platform.Waiting}}
	for line, want := range tests {
		var got []string
		for _, k := range h.registry.Complete(t.Context(), h.call(), line) {
			got = append(got, k.Insert)
		}
		if all := strings.Join(got, ", "); want == "" && all != "" || !strings.HasPrefix(all+" ", want) {
			t.Errorf("%.40q\n got %q\nwant %q", line, all, want)
		}
	}
	if slices.ContainsFunc(h.registry.Complete(t.Context(), h.call(), "/st"), func(k chat.Completion) bool { return k.Label == "stop" }) {
		t.Error("what is forbidden is offered")
	}
}

func TestFaultsAreWordedOnce(t *testing.T) {
	tests := map[string]struct {
		err     error
		text    string
		buttons string
		notes   int
	}{
		"a corrected line": {fault.New(fault.Missing, "x", "/status ocpizza", "There is no ocpiza."), "There is no ocpiza. /status ocpizza", "/status ocpizza", 0},
		"a usage":          {fault.New(fault.Invalid, "x", "/deploy APP[@REF] [REF] [to ENV]", "what"), "what. /deploy APP[@REF] [REF] [to ENV]", "", 0},
		"choices":          {fault.New(fault.Invalid, "x", "/restart a\n/restart b", "Which app?"), "Which app? /restart a or /restart b", "/restart a, /restart b", 0},
		"words":            {fault.New(fault.Refused, "x", "Ask bob.", "It is frozen."), "It is frozen. Ask bob.", "", 0},
		"a placeholder":    {fault.New(fault.Invalid, "x", "/breakglass 3 WHY", "Why?"), "Why? /breakglass 3 WHY", "", 0},
		"no command":       {fault.New(fault.Invalid, "x", "/usr/bin is full", "No."), "No. /usr/bin is full", "", 0},
		"a slip of ours":   {errors.New("pq: oh no"), "Something went wrong inside maitred.", "", 0},
	}
	for name, want := range tests {
		card := FaultCard(want.err, nil)
		if card.Text != want.text || lines(card) != want.buttons || len(card.Notes) != want.notes {
			t.Errorf("%s: %q %q %v", name, card.Text, lines(card), card.Notes)
		}
	}
	may := func(line string) error {
		if strings.HasPrefix(line, "/unfreeze") {
			return fault.New(fault.Forbidden, "x", "/whoami", "Only lea may.")
		}
		return nil
	}
	if card := FaultCard(fault.New(fault.Refused, "x", "/unfreeze ocpizza", "It is frozen."), may); card.Text != "It is frozen. Only lea may." || lines(card) != "" {
		t.Errorf("what may not be said is offered: %q %q", card.Text, lines(card))
	}
	if card := FaultCard(fault.New(fault.Refused, "x", "/unfreeze ocpizza\n/queue", "It is frozen."), may); card.Text != "It is frozen. /queue" || lines(card) != "/queue" {
		t.Errorf("what may be said is not all that is offered: %q %q", card.Text, lines(card))
	}
	if card := FaultCard(nil, nil); card.Text != "" {
		t.Errorf("nothing wrong is worded %q", card.Text)
	}
}
