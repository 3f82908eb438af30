package commands

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"maitred/fault"
)

func TestLinesAreUnderstood(t *testing.T) {
	where := func(app, env string) Where { return Where{App: app, Environment: env} }
	hours := func(n int) Span { return Span(time.Duration(n) * time.Hour) }
	tests := map[string]Command{
		"/deploy ocpizza":                             &Deploy{Where: where("ocpizza", "")},
		"deploy ocpizza":                              &Deploy{Where: where("ocpizza", "")},
		"/maitred deploy ocpizza":                     &Deploy{Where: where("ocpizza", "")},
		"@maitred: deploy ocpizza":                    &Deploy{Where: where("ocpizza", "")},
		"Deploy OCPizza":                              &Deploy{Where: where("ocpizza", "")},
		"/deploy ocpizza@feature/tips":                &Deploy{Where: where("ocpizza", ""), Version: Version{"feature/tips"}},
		"/deploy ocpizza v1.1.0 to production":        &Deploy{Where: where("ocpizza", "production"), Version: Version{"v1.1.0"}},
		"/deploy ocpizza to production v1.1.0":        &Deploy{Where: where("ocpizza", "production"), Version: Version{"v1.1.0"}},
		"/deploy ocpizza@v1.1.0 in production":        &Deploy{Where: where("ocpizza", "production"), Version: Version{"v1.1.0"}},
		"/deploy ocpizza on PRODUCTION":               &Deploy{Where: where("ocpizza", "PRODUCTION")},
		"/deploy v1.1.0":                              &Deploy{Version: Version{"v1.1.0"}},
		"/deploy @v1.1.0":                             &Deploy{Version: Version{"v1.1.0"}},
		"/deploy --to=production ocpizza":             &Deploy{Where: where("ocpizza", "production")},
		"/deploy --env production ocpizza":            &Deploy{Where: where("ocpizza", "production")},
		"/deploy":                                     &Deploy{},
		"/rollback ocpizza":                           &Rollback{Where: where("ocpizza", "")},
		"/rollback ocpizza to r3 if r4":               &Rollback{Where: where("ocpizza", ""), Release: "r3", If: "r4"},
		"/rollback ocpizza to r3 if r4 in production": &Rollback{Where: where("ocpizza", "production"), Release: "r3", If: "r4"},
		"/rollback to r3":                             &Rollback{Release: "r3"},
		"/rollback ocpizza v1.0.0":                    &Rollback{Where: where("ocpizza", ""), Release: "v1.0.0"},
		"/rollback ocpizza to production":             &Rollback{Where: where("ocpizza", "production")},
		"/rollback ocpizza to v1.0.0 to production":   &Rollback{Where: where("ocpizza", "production"), Release: "v1.0.0"},
		"/approve":                              &Approve{},
		"/approve #214":                         &Approve{ID: 214},
		"/reject 214 don't do it to production": &Reject{ID: 214, Why: []string{"don't", "do", "it", "to", "production"}},
		"/reject too risky":                     &Reject{Why: []string{"too", "risky"}},
		"/settle 214 not-done it is not there":  &Settle{ID: 214, Verdict: "not-done", Why: []string{"it", "is", "not", "there"}},
		"/settle done it is":                    &Settle{Verdict: "done", Why: []string{"it", "is"}},
		"/op 3":                                 &Operation{Number{3}},
		"/lock ocpizza in production fixing --for 3h it": &Lock{Where: where("ocpizza", "production"), Why: []string{"fixing", "it"}, For: hours(3)},
		"/lock ocpizza moving to production":             &Lock{Where: where("ocpizza", ""), Why: []string{"moving", "to", "production"}, For: hours(2)},
		"/lock fixing it":                                &Lock{Why: []string{"fixing", "it"}, For: hours(2)},
		"/freeze ocpizza the sale --for 1d":              &Freeze{Which: Which{"ocpizza"}, Why: []string{"the", "sale"}, For: hours(24)},
		"/freeze --all the sale":                         &Freeze{All: true, Why: []string{"the", "sale"}},
		"/maintenance on":                                &MaintenanceOn{},
		"/maintenance on ocpizza --why \"new oven\"":     &MaintenanceOn{Where: where("ocpizza", ""), Why: "new oven"},
		"/maintenance off to production":                 &MaintenanceOff{Where: where("", "production")},
		"/restart web":                                   &Restart{One: One{"web"}},
		"/restart ocpizza web":                           &Restart{Where: where("ocpizza", ""), One: One{"web"}},
		"/scale ocpizza web=2:s worker=+1 --to p":        &Scale{Where: where("ocpizza", "p"), To: []string{"web=2:s", "worker=+1"}},
		"/run ocpizza python manage.py check --deploy":   &Run{Where: where("ocpizza", ""), Command: []string{"python", "manage.py", "check", "--deploy"}},
		"/run python -c 'print(\"a b\")'":                &Run{Command: []string{"python", "-c", `print("a b")`}},
		"/run ocpizza in production ls -- -l":            &Run{Where: where("ocpizza", "production"), Command: []string{"ls", "--", "-l"}},
		"/logs ocpizza --grep \"a b\" --since 90m":       &Logs{Where: where("ocpizza", ""), Lines: 50, Grep: "a b", Since: Span(90 * time.Minute)},
		"/config set ocpizza SECRET_KEY to production":   &ConfigSet{Where: where("ocpizza", "production"), Name: "SECRET_KEY"},
		"/config set SECRET_KEY":                         &ConfigSet{Name: "SECRET_KEY"},
		"/backup capture":                                &BackupCapture{},
		"/backup capture main":                           &BackupCapture{Database: "main"},
		"/backup restore ocpizza b3 main":                &BackupRestore{Where: where("ocpizza", ""), Backup: "b3", Database: "main"},
		"/backup schedule ocpizza at 02:00 Europe/Paris": &BackupSchedule{Where: where("ocpizza", ""), When: []string{"at", "02:00", "Europe/Paris"}},
		"/backup schedule '0 2 * * *'":                   &BackupSchedule{When: []string{"0 2 * * *"}},
		"/audit --who ann --since 1d":                    &Audit{Who: "ann", Since: hours(24), Limit: 20},
		"/help backup capture":                           &Help{[]string{"backup", "capture"}},
		"/maitred":                                       &Help{},
		"":                                               &Help{},
	}
	h := newHouse(t)
	for line, want := range tests {
		o, err := h.registry.Parse(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		got := o.Command
		if !reflect.DeepEqual(blank(got), blank(want)) {
			t.Errorf("%s\n got %#v\nwant %#v", line, got, want)
		}
	}
}

// blank makes empty and absent lists the same.
func blank(c Command) Command {
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 && f.CanSet() {
			f.SetZero()
		}
	}
	return c
}

func TestWhatIsNotUnderstoodIsExplained(t *testing.T) {
	tests := map[string]struct{ say, hint string }{
		"/deplyo ocpizza":                    {`Did you mean “deploy”?`, "/deploy ocpizza"},
		"/deploy ocpiza@v1":                  {"Did you mean ocpizza?", "/deploy ocpizza@v1"},
		"/deploy ocpiza to production":       {"Did you mean ocpizza?", "/deploy ocpizza to production"},
		"/run ocpiza ls":                     {"Did you mean ocpizza?", "/run ocpizza ls"},
		"/status shop":                       {"There is no app called “shop”. There is ocpizza.", "/apps"},
		"/xyzzy":                             {"I do not know the command “xyzzy”.", "/help"},
		"/capture ocpizza":                   {"Did you mean “backup capture”?", "/backup capture ocpizza"},
		"/backup captre ocpizza":             {"Did you mean “backup capture”?", "/backup capture ocpizza"},
		"/backup":                            {"“backup” needs a word more: capture, list", "/backup capture"},
		"/maintenance onn":                   {"Did you mean “maintenance on”?", "/maintenance on"},
		"/logs ocpizza --gerp x":             {"Did you mean --grep?", "/logs ocpizza --grep x"},
		"/logs ocpizza --lines":              {"--lines needs a value.", "/logs APP"},
		"/logs ocpizza --lines many":         {"“many” does not fit", "/logs APP"},
		"/logs ocpizza --since soon":         {"“soon” is not a length of time", "/logs APP"},
		"/whoami --now":                      {"it has none at all", "/whoami"},
		"/deploy ocpizza v1 v2":              {"one word too many", "/deploy APP"},
		"/deploy ocpizza --to a --to b":      {"The environment is there twice", "/deploy APP"},
		"/deploy ocpizza to":                 {"Something is missing after “to”.", "/deploy APP"},
		"/deploy ocpizza@":                   {"missing after “ocpizza@”", "/deploy APP"},
		"/deploy ocpizza -x":                 {"no option -x", "/deploy APP"},
		"/freeze ocpizza":                    {"needs a reason", "/freeze APP WHY"},
		"/run ocpizza":                       {"needs a command to run", "/run APP"},
		"/approve soon":                      {"not the number of an operation", ""},
		"/settle 3":                          {"needs a verdict", "/settle"},
		"/settle 3 dnoe it is":               {"Did you mean done?", "/settle 3 done it is"},
		"/status 'ocpizza":                   {"The quote that opens at character 9 (') is never closed.", ""},
		`/lock ocpizza "half`:                {"is never closed", ""},
		"/status\x00":                        {"invisible control character (U+0000)", "/help"},
		"/status \u202eazzipco":              {"invisible control character (U+202E)", "/help"},
		"/status \xff":                       {"not text that I can read", "/help"},
		"/say " + strings.Repeat("a", 40000): {"That is 40005 characters long; a command has at most 4000.", "/help"},
		"/" + strings.Repeat("z", 400):       {"I do not know the command “zzz", "/help"},
	}
	h := newHouse(t)
	for line, want := range tests {
		_, err := h.registry.Parse(line)
		f := fault.Of(err)
		if f == nil || f.Kind == fault.Internal {
			t.Errorf("%.60s: %v", line, err)
			continue
		}
		if !strings.Contains(f.Say, want.say) || !strings.HasPrefix(f.Hint, want.hint) {
			t.Errorf("%.60s\n got %q %q\nwant %q %q", line, f.Say, f.Hint, want.say, want.hint)
		}
		if n := utf8.RuneCountInString(f.Say); n > 300 {
			t.Errorf("%.60s: %d characters are no clear sentence", line, n)
		}
	}
}

func TestCorrectedLinesAreUnderstood(t *testing.T) {
	h := newHouse(t).two()
	for _, line := range []string{"/deplyo ocpizza", "/deploy menu", "/deploy menu v1.1.0 to stagin", "/restart", "/run ls -l", "/lock moving it to production --for=3h"} {
		o, err := h.registry.Parse(line)
		if err == nil {
			_, err = h.registry.Aim(t.Context(), h.call(), o)
		}
		f := fault.Of(err)
		if f == nil || f.Hint == "" {
			t.Errorf("%s: no hint in %v", line, err)
			continue
		}
		for _, hint := range strings.Split(f.Hint, "\n") {
			o, err := h.registry.Parse(hint)
			if err == nil {
				_, err = h.registry.Aim(t.Context(), h.call(), o)
			}
			if err != nil && !strings.Contains(f.Say, "Which app") {
				t.Errorf("%s: the hint %q is not understood: %v", line, hint, err)
			}
		}
	}
}

func TestWordsSurviveQuoting(t *testing.T) {
	for _, w := range []string{"a", "a b", `a"b`, `a\b`, "don't", "'x'", "", "-x", "ü — €", `\`, `"`} {
		words, err := split(quote(w))
		if err != nil || len(words) != 1 || words[0].text != w {
			t.Errorf("%q: %v %v", w, words, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"/deploy ocpizza@v1 to production", "/run ocpizza a 'b c' --d", `/lock ocpizza "x`, "/config set A=b", "/é -é", "/settle done --", "--", "/logs --lines=9 --", "/rollback to if in"} {
		f.Add(seed)
	}
	h := newHouse(&testing.T{}).two()
	f.Fuzz(func(t *testing.T, line string) {
		o, err := h.registry.Parse(line)
		if err != nil {
			said := fault.Of(err)
			if said.Kind == fault.Internal || said.Say == "" {
				t.Fatalf("%q: %v", line, err)
			}
			FaultCard(err, nil)
			return
		}
		// What was understood can be written again and is understood the same.
		app, env := o.arranged.aimed()
		again := o.arranged.line(app, env)
		p, err := h.registry.Parse(again)
		if err != nil {
			if len([]rune(again)) > maxLine {
				return
			}
			t.Fatalf("%q was understood, but written again as %q it is not: %v", line, again, err)
		}
		if !reflect.DeepEqual(blank(o.Command), blank(p.Command)) {
			t.Fatalf("%q means %#v, but written again as %q it means %#v", line, o.Command, again, p.Command)
		}
	})
}
