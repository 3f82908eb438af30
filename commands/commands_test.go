package commands

import (
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
)

func TestCommandsSubmitOperations(t *testing.T) {
	tests := map[string]struct {
		kind platform.Kind
		args string
	}{
		"/deploy ocpizza@v1.1.0":        {platform.Deploy, ""},
		"/deploy":                       {platform.Deploy, ""},
		"/update ocpizza v1.1.0":        {platform.Update, ""},
		"/rollback ocpizza":             {platform.Rollback, `{"to":""}`},
		"/rollback ocpizza to r1 if r2": {platform.Rollback, `{"to":"r1","if":"r2"}`},
		"/rollback ocpizza to v1.0.0":   {platform.Rollback, `{"to":"r1"}`},
		"/maintenance on":               {platform.Maintain, `{"on":true}`},
		"/maintenance off":              {platform.Maintain, `{"on":false}`},
		"/start":                        {platform.Start, `{}`},
		"/stop ocpizza":                 {platform.Stop, `{}`},
		"/restart web":                  {platform.Restart, `{"process":"web"}`},
		"/restart WEB":                  {platform.Restart, `{"process":"web"}`},
		"/scale web=2":                  {platform.Scale, `{"to":[{"Process":"web","Count":2,"Delta":false,"Size":""}]}`},
		"/scale ocpizza web=-1:large":   {platform.Scale, `{"to":[{"Process":"web","Count":-1,"Delta":true,"Size":"large"}]}`},
		"/run ocpizza python manage.py check --deploy": {platform.RunCommand, `{"command":["python","manage.py","check","--deploy"]}`},
		"/backup capture":                  {platform.Capture, `{}`},
		"/backup capture main":             {platform.Capture, `{"database":"main"}`},
		"/backup restore":                  {platform.Restore, `{"backup":"b2"}`},
		"/backup restore b1 main":          {platform.Restore, `{"backup":"b1","database":"main"}`},
		"/config unset ocpizza SECRET_KEY": {platform.UnsetConfig, `{"name":"SECRET_KEY"}`},
	}
	for line, want := range tests {
		t.Run(line, func(t *testing.T) {
			h := newHouse(t)
			h.deployed("v1.0.0", "v1.1.0")
			h.captured(2)
			plan, err := h.fake.PlanSet(t.Context(), production, "SECRET_KEY", "handle")
			h.carry(plan, err)
			a := h.must(line)
			r := h.desk.last()
			if !a.Started || a.Operation != 1 || a.Card.Text != "" {
				t.Errorf("the answer is %+v", a)
			}
			if r.Kind != want.kind || string(r.Args) != want.args || r.Target != production || !r.Inbound || r.Key == "" || !r.Requester.Same(ann) {
				t.Errorf("asked for %+v with %s", r, r.Args)
			}
			if src := r.Source; (want.kind == platform.Deploy || want.kind == platform.Update) && (src == nil || len(src.SHA) != 40) {
				t.Errorf("the source is %+v", src)
			}
		})
	}
}

func TestOperationsAreShownInTheChannelOrAtHome(t *testing.T) {
	h := newHouse(t)
	h.must("/deploy ocpizza", on(7))
	if got := h.desk.last().Place; got != (chat.Place{Chat: "webchat", Channel: "deploys"}) {
		t.Errorf("said in a thread, shown at %+v", got)
	}
	h.must("/deploy ocpizza", func(c *Call) { c.Place = chat.Place{} })
	if got := h.desk.last().Place.Channel; got != "home" {
		t.Errorf("said nowhere, shown at %q", got)
	}
}

func TestWhatPlatformsCannotDoIsSaid(t *testing.T) {
	tests := map[string]string{
		"/scale web=2":               "The fake platform cannot scale processes.",
		"/rollback":                  "The fake platform cannot go back to an earlier release.",
		"/maintenance status":        "The fake platform cannot show a maintenance page.",
		"/logs":                      "The fake platform cannot show logs.",
		"/backup list":               "The fake platform cannot back up databases.",
		"/config set ocpizza SECRET": "The fake platform cannot keep config variables.",
		"/releases":                  "The fake platform cannot list releases.",
	}
	h := newHouse(t)
	h.apps.bare = true
	for line, want := range tests {
		if f := h.refused(line); f.Kind != fault.Unsupported || f.Say != want {
			t.Errorf("%s: %s %q", line, f.Kind, f.Say)
		}
	}
}

func TestRefusalsSayWhatToTypeInstead(t *testing.T) {
	tests := map[string]struct{ say, hint string }{
		"/deploy ocpizza@v9":            {"no branch, tag or commit “v9”.", "/deploy ocpizza@v1.2.0 to production\n/deploy ocpizza@v1.1.0 to production\n"},
		"/update v1.1.1":                {"Did you mean v1.1.0?", "/update ocpizza@v1.1.0 to production"},
		"/maintenance on spring break":  {"A reason stands behind --why.", `/maintenance on --why "spring break"`},
		"/backup schedule @dayly":       {"Did you mean @daily?", "/backup schedule APP @daily"},
		"/rollback to v9.9.9":           {"no release “v9.9.9”", "/releases ocpizza"},
		"/rollback to v1.0.1":           {"Did you mean v1.0.0?", "/releases ocpizza"},
		"/restart wbe":                  {"Did you mean web?", "/restart ocpizza web to production"},
		"/restart mailer":               {"neither an app nor a process of ocpizza/production, which has web", "/ps"},
		"/scale web":                    {"“web” does not say what to scale", "/scale"},
		"/backup restore b1":            {"Into which database?", "/backup restore ocpizza b1 main to production"},
		"/backup restore main":          {"Which backup into main?", "/backup restore ocpizza b2 main to production"},
		"/backup restore b9 main":       {"no backup “b9”. The newest are b2 and b1.", "/backup list"},
		"/backup restore b9":            {"no backup “b9”", "/backup list"},
		"/backup info b9":               {"no backup “b9”", "/backup list"},
		"/backup cancel":                {"No capture of ocpizza/production is running", "/backup list"},
		"/backup schedule at noon":      {"“at noon” is not a time that I understand", "/backup schedule APP"},
		"/backup schedule at 25:00":     {"25:00 is not a time of day", "/backup schedule APP"},
		"/backup schedule 02:00 Mars/X": {"There is no time zone “Mars/X”", "/backup schedule APP"},
		"/backup schedule 1 2 3 4 x":    {"not a cron expression", "/backup schedule APP"},
		"/backup schedule 0 0 30 2 *":   {"never comes", "/backup schedule APP"},
		"/backup unschedule 4":          {"There is no schedule 4.", "/backup schedules"},
		"/config unset SECRET":          {"SECRET is not set", "/config list"},
		"/config set 9X":                {"not a name for a variable", "/config set"},
		"/approve":                      {"Which operation? None can be meant", "/queue"},
		"/operation 99":                 {"There is no operation #99.", "/queue"},
		"/logs --lines=9000":            {"--lines is between 1 and 500.", "/logs"},
		"/audit --outcome=refusd":       {"Did you mean refused?", "/audit --outcome=refused"},
		"/audit --outcome=pizza":        {"it is one of ok, refused,", "/audit"},
		"/audit --limit=0":              {"--limit is between 1 and 100.", "/audit"},
		"/audit --app=ocpiza":           {"Did you mean ocpizza?", "/status ocpizza"},
		"/releases --limit=0":           {"--limit is between 1 and 100.", "/releases"},
		"/unlock":                       {"ocpizza/production is not locked.", ""},
		"/help deplyo":                  {"Did you mean “deploy”?", ""},
		"/settle 1 done":                {"how do you know?", "/settle 1 done WHY"},
	}
	h := newHouse(t)
	h.deployed("v1.0.0", "v1.1.0")
	h.captured(2)
	h.desk.operations = []platform.Operation{{ID: 1, Target: production, State: platform.Succeeded}}
	for line, want := range tests {
		if f := h.refused(line); !strings.Contains(f.Say, want.say) || !strings.HasPrefix(f.Hint, want.hint) {
			t.Errorf("%s\n got %q %q\nwant %q %q", line, f.Say, f.Hint, want.say, want.hint)
		}
	}
	if len(h.desk.requests) > 0 {
		t.Errorf("something was submitted: %+v", h.desk.requests)
	}
}

func TestDecisionsReachTheEngine(t *testing.T) {
	h := newHouse(t)
	h.must("/deploy ocpizza")
	h.desk.operations[0].State = platform.Waiting

	if a := h.must("/approve", on(1), by(bob)); a.Operation != 1 || a.Started {
		t.Errorf("approve answers %+v", a)
	}
	if f := h.must("/reject 1", clicked).Form; f == nil || f.Line != "/reject 1" || f.Fields[0].Name != "why" {
		t.Errorf("a click on Reject asks %+v", f)
	}
	h.must("/reject 1", filled("why", "the sale is on"), by(bob))
	h.must("/breakglass 1 the shop is down")
	h.must("/cancel #1")
	if f := h.must("/settle 1 not-done", clicked).Form; f == nil || f.Line != "/settle 1 not-done" {
		t.Errorf("a click on a verdict asks %+v", f)
	}
	h.must("/settle 1 not-done", filled("why", "I looked"))

	d := h.desk.decisions
	if len(d) != 3 || !d[0].Approve || d[0].Person.Who != "bob" || d[1].Approve || d[1].Why != "the sale is on" || !d[2].Broke || d[2].Why != "the shop is down" {
		t.Errorf("decided %+v", d)
	}
	if s := h.desk.settled; len(s) != 1 || s[0].Verdict != platform.WasNotDone || s[0].Why != "I looked" {
		t.Errorf("settled %+v", s)
	}
	if h.desk.operations[0].Cancel == nil {
		t.Error("nothing was cancelled")
	}
}

func TestApproveAsksWhichOne(t *testing.T) {
	h := newHouse(t)
	h.must("/deploy ocpizza")
	h.must("/deploy ocpizza@v1.1.0")
	for i := range h.desk.operations {
		h.desk.operations[i].State = platform.Waiting
	}
	if f := h.refused("/approve"); f.Hint != "/approve 1\n/approve 2" {
		t.Errorf("asks %q", f.Hint)
	}
}

func TestLocksAndFreezes(t *testing.T) {
	h := newHouse(t)
	a := h.must("/lock ocpizza trying things --for 90m")
	if want := "ocpizza/production is locked by ann until 13:30 UTC (trying things)."; a.Card.Text != want || a.Private {
		t.Errorf("got %q", a.Card.Text)
	}
	if status := h.must("/status").Card; !slices.ContainsFunc(status.Notes, func(n string) bool { return strings.HasPrefix(n, "Locked by ann") }) {
		t.Errorf("the status does not tell of the lock: %v", status.Notes)
	}
	if a = h.must("/unlock", by(bob)); len(a.Card.Mention) != 1 || a.Card.Mention[0].Who != "ann" {
		t.Errorf("whose lock was taken is not mentioned: %+v", a.Card)
	}
	h.must("/freeze the sale is on --for 1d")
	if f := h.desk.freezes[0]; f.App != "ocpizza" || f.Why != "the sale is on" || !f.Expires.Equal(noon.Add(24*time.Hour)) {
		t.Errorf("froze %+v", f)
	}
	h.must("/unfreeze ocpizza")
	h.must("/freeze --all the sale is on")
	if f := h.desk.freezes[0]; f.App != "" || !f.Expires.IsZero() {
		t.Errorf("froze %+v", f)
	}
	h.must("/unfreeze --all")
	if len(h.desk.freezes)+len(h.desk.locks) > 0 {
		t.Error("something is still closed")
	}
}

// A freeze of everything is aimed at everything also in an app's channel, so
// that the right to freeze everything is asked for.
func TestFreezingAllIsAimedAtAll(t *testing.T) {
	h := newHouse(t)
	o, err := h.registry.Parse("/freeze ocpizza --all the sale")
	if err != nil {
		t.Fatal(err)
	}
	c := h.call()
	c.Place.Channel = "ocpizza"
	if target, err := h.registry.Aim(t.Context(), c, o); err != nil || target != (platform.Target{}) {
		t.Errorf("aimed at %v, %v", target, err)
	}
}

func TestReadingsAnswer(t *testing.T) {
	tests := map[string]struct {
		text    string
		private bool
	}{
		"/help":               {"You may say 41 commands.", true},
		"/help backup":        {"After /backup comes: /backup capture", true},
		"/help backup list":   {"/backup list: The copies there are", true},
		"/whoami":             {"You are ann, with the role developer.", true},
		"/apps":               {"maitred looks after ocpizza.", false},
		"/status":             {"ocpizza/production is healthy, on v1.1.0 (r2).", false},
		"/ps":                 {"ocpizza/production has 1 process, 1 up.", false},
		"/releases":           {"v1.1.0 (r2) is live on ocpizza/production", false},
		"/maintenance status": {"Visitors reach ocpizza/production", false},
		"/config list":        {"ocpizza/production has", false},
		"/backup list":        {"ocpizza/production has 2 backups; the newest, b2,", false},
		"/backup info b1":     {"Backup b1 of ocpizza/production is from", false},
		"/backup schedules":   {"Nothing is captured regularly.", false},
		"/queue":              {"Nothing is running or waiting for ocpizza.", false},
		"/audit":              {"3 rows of the audit, newest first.", true},
		"/audit --who bob":    {"1 row of the audit", true},
		"/audit --since 1d":   {"2 rows", true},
		"/audit --verb stop":  {"1 row", true},
		"/audit --who nobody": {"The audit has nothing like that.", true},
		"/logs":               {"of ocpizza/production", false},
	}
	h := newHouse(t)
	h.deployed("v1.0.0", "v1.1.0")
	h.captured(2)
	for line, want := range tests {
		a := h.must(line)
		if !strings.Contains(a.Card.Text, want.text) || a.Private != want.private || a.Operation != 0 {
			t.Errorf("%s: private %v, %q", line, a.Private, a.Card.Text)
		}
	}
}

func TestReleasesOfferTheWayBack(t *testing.T) {
	h := newHouse(t)
	h.deployed("v1.0.0", "v1.1.0")
	b := h.must("/releases").Card.Buttons
	if len(b) != 1 || b[0].Line != "/rollback ocpizza to r1 if r2" {
		t.Errorf("offers %+v", b)
	}
	h.must(b[0].Line, clicked)
	if got := argsOf[engine.RollbackArgs](t, h.desk.last()); got != (engine.RollbackArgs{To: "r1", If: "r2"}) {
		t.Errorf("the click asks for %+v", got)
	}
}

func TestHelpShowsOnlyWhatTheAskerMayDo(t *testing.T) {
	h := newHouse(t)
	h.policy.forbidden = []string{"deploy", "backup restore"}
	var shown string
	for _, f := range h.must("/help").Card.Fields {
		shown += f.Value + "\n"
	}
	if strings.Contains(shown, "/deploy:") || strings.Contains(shown, "/backup restore:") || !strings.Contains(shown, "/backup capture:") {
		t.Errorf("help shows:\n%s", shown)
	}
	if a := h.must("/help deploy"); !strings.Contains(strings.Join(a.Card.Notes, " "), "may not") {
		t.Errorf("help deploy does not say that it is forbidden: %+v", a.Card)
	}
}

func TestSchedulesKeepWhoAndWhen(t *testing.T) {
	tests := map[string]struct{ cron, zone string }{
		"/backup schedule at 02:00 Europe/Paris":              {"0 2 * * *", "Europe/Paris"},
		"/backup schedule 'at 02:30'":                         {"30 2 * * *", "UTC"},
		"/backup schedule 2:05":                               {"5 2 * * *", "UTC"},
		"/backup schedule @daily":                             {"@daily", "UTC"},
		"/backup schedule \"15 3 * * 1\" --zone=Europe/Paris": {"15 3 * * 1", "Europe/Paris"},
		"/backup schedule 15 3 * * 1 America/Los_Angeles":     {"15 3 * * 1", "America/Los_Angeles"},
	}
	for line, want := range tests {
		h := newHouse(t)
		h.must(line)
		s := h.Services.Schedules.(*clocks).all[0]
		if s.Cron != want.cron || s.Zone != want.zone || s.Person.Who != "ann" || s.Line != "/backup capture ocpizza to production" || s.Target != production {
			t.Errorf("%s: %+v", line, s)
		}
		if o, err := h.registry.Parse(s.Line); err != nil || o.Verb != "backup capture" {
			t.Errorf("the clock's line is not understood: %v", err)
		}
		if a := h.must("/backup schedules"); !strings.Contains(a.Card.Output, s.Line) {
			t.Errorf("it is not listed: %+v", a.Card)
		}
		h.must("/backup unschedule 1")
	}
}

func TestASecretIsAskedForInAForm(t *testing.T) {
	h := newHouse(t).two()
	a := h.must("/config set ocpizza SECRET_KEY")
	f := a.Form
	if f == nil || !a.Private || f.Fields[0].Kind != chat.SecretField || f.Line != "/config set ocpizza SECRET_KEY --to=production" {
		t.Fatalf("asks %+v", a)
	}
	if h.registry.Sensitive(f.Line) != f.Line {
		t.Errorf("the form's line does not survive being stored: %q", h.registry.Sensitive(f.Line))
	}
	h.must(f.Line, filled("value", "handle-1"))
	if got := argsOf[engine.ConfigArgs](t, h.desk.last()); got != (engine.ConfigArgs{Name: "SECRET_KEY", Handle: "handle-1"}) {
		t.Errorf("submits %+v", got)
	}
	if f := h.refused(f.Line, filled()); !strings.Contains(f.Say, "The value is empty.") {
		t.Errorf("an empty value: %q", f.Say)
	}
}

func TestADeployThatLeavesTheAppOpenAsksInAForm(t *testing.T) {
	h := newHouse(t).two()
	f := h.must("/deploy").Form
	if f == nil || f.Line != "/deploy" || !slices.Equal(f.Fields[0].Choices, []string{"ocpizza", "menu"}) {
		t.Fatalf("asks %+v", f)
	}
	h.must(f.Line, filled("app", "menu", "environment", "staging", "ref", "v1.1.0"))
	r := h.desk.last()
	if r.Target != (platform.Target{App: "menu", Environment: "staging"}) || r.Source.Ref != "v1.1.0" {
		t.Errorf("submits %+v", r)
	}
	if got := h.refused("/deploy", func(c *Call) { c.Source = chat.Called }); got.Hint != "/deploy ocpizza\n/deploy menu" {
		t.Errorf("where no form can be shown it asks %q", got.Hint)
	}
}

func TestLogsAreWithheldOrCleaned(t *testing.T) {
	h := newHouse(t)
	h.deployed("v1.0.0")
	plan, err := h.fake.PlanSet(t.Context(), production, "SECRET_KEY", "handle")
	h.carry(plan, err)
	plan, err = h.fake.PlanRun(t.Context(), production, []string{"echo", "hunter2-the-secret"})
	h.carry(plan, err)
	a := h.must("/logs")
	if strings.Contains(a.Card.Output, "hunter2") {
		t.Errorf("the secret is in the logs:\n%s", a.Card.Output)
	}
	if !strings.Contains(a.Card.Output, "[redacted]") {
		t.Errorf("the line is not in the logs:\n%s", a.Card.Output)
	}
}

// TestTypedDecisionsAreAnswered looks at what somebody reads who decides in the
// channel, where the card may be far up; in the thread everybody sees it.
func TestTypedDecisionsAreAnswered(t *testing.T) {
	op := deployment(platform.Queued)
	s := newHouse(t).Services
	away := s.counted(Call{Source: chat.Typed}, op, "Your approval counts")
	if want := "Your approval counts: Deploy #3 of ocpizza is queued."; away.Card.Text != want || !away.Private || away.Operation != op.ID {
		t.Errorf("in the channel it says %+v", away)
	}
	for _, c := range []Call{{Source: chat.Typed, Subject: op.ID}, {Source: chat.Clicked}, {Source: chat.Called}} {
		if got := s.counted(c, op, "Your approval counts"); got.Card.Text != "" || got.Operation != op.ID {
			t.Errorf("%+v is told %q", c, got.Card.Text)
		}
	}
}

func TestAgoIsForAGlance(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "just now", 298 * time.Millisecond: "just now", 2400 * time.Millisecond: "2 s ago", 90 * time.Second: "1 min 30 s ago"} {
		if got := ago(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}
