package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/fault"
)

// good is a small file without a mistake; tests spoil it.
const good = `data_dir: data
people:
  ann: {name: Ann, roles: [developer], zone: Europe/Paris, chats: {webchat: ann}}
  bob: {roles: [lead]}
roles:
  developer: {may: [deploy, backup]}
  lead: {may: ["*"]}
approvals:
  - {for: [deploy], of: [lead], unless: [lead], expires: 1h, remind: 15m}
windows:
  - {days: [mon, fri], from: "09:00", to: "17:00", zone: Europe/Paris}
channels:
  - {chat: webchat, id: deploys, app: ocpizza, environment: production}
apps:
  ocpizza:
    repository: /srv/git/ocpizza
    channel: webchat/deploys
    environments:
      production:
        provider: host
        host: {dir: app, trusted: true, listen: "127.0.0.1:8081", health: {deadline: 10s}, env: {GREETING: hello}}
own: {apps: [ocpizza]}
retention: {operations: 30d}
`

func TestEverythingIsRead(t *testing.T) {
	c, err := Parse("/etc/maitred.yml", []byte(good))
	if err != nil {
		t.Fatal(err)
	}
	app, _ := c.Apps.Get("ocpizza")
	production, _ := app.Environments.Get("production")
	ann, _ := c.People.Get("ann")
	for what, is := range map[string][2]any{
		"data_dir":  {c.DataDir, "/etc/data"},
		"keys":      {c.Keys, "/etc/data/keys"},
		"listen":    {c.Listen, "127.0.0.1:8080"},
		"chats":     {ann.Chats["webchat"], "ann"},
		"people":    {strings.Join(c.People.Names(), " "), "ann bob"},
		"expires":   {c.Approvals[0].Expires, time.Hour},
		"window":    {c.Windows[0].String(), "Mon, Fri 09:00–17:00 Europe/Paris"},
		"host.dir":  {production.Host.Dir, "/etc/app"},
		"deadline":  {production.Host.Health.Deadline, 10 * time.Second},
		"env":       {production.Host.Env["GREETING"], "hello"},
		"retention": {c.Retention.Operations, 30 * 24 * time.Hour},
		"own":       {c.Gates().Own[0].App, "ocpizza"},
	} {
		if is[0] != is[1] {
			t.Errorf("%s is %v; want %v", what, is[0], is[1])
		}
	}
}

func TestTheExampleIsGood(t *testing.T) {
	if _, err := Load("maitred.example.yml"); err != nil {
		t.Error(err)
	}
}

// TestMistakes spoils the good file in one place and reads what is said of it.
func TestMistakes(t *testing.T) {
	for name, c := range map[string]struct{ old, with, want string }{
		"an unknown setting":            {"data_dir: data", "data_dir: data\nlisten_on: x", `2:1: The file has no setting "listen_on". Did you mean "listen"?`},
		"an unknown setting below":      {"name: Ann", "nam: Ann", `3:9: ann has no setting "nam". Did you mean "name"?`},
		"a number for text":             {"name: Ann", "name: 12", `name should be text, but it is the number 12. Write it in quotes: "12".`},
		"text for a list":               {"roles: [lead]", "roles: lead", `roles should be a list, but it is "lead". Write [lead].`},
		"a list for a mapping":          {"own: {apps: [ocpizza]}", "own: [ocpizza]", `own should be a mapping with apps, but it is a list.`},
		"text for truth":                {"trusted: true", "trusted: maybe", `trusted should be true or false, but it is "maybe".`},
		"no length of time":             {"expires: 1h", "expires: soon", `expires should be a length of time such as 90s, 15m, 2h or 30d, but it is "soon".`},
		"a negative length of time":     {"expires: 1h", "expires: -1h", `expires should be a length of time that is not negative`},
		"no day":                        {"[mon, fri]", "[mon, friyay]", `"friyay" is no day of the week`},
		"no time of day":                {`"09:00"`, `"25:00"`, `"25:00" is no time of day`},
		"an empty value":                {"data_dir: data", "data_dir:", `1:1: data_dir is empty.`},
		"a name twice":                  {"  bob: {", "  ann: {", `4:3: ann is written twice. The first is on line 3.`},
		"a setting twice":               {"own: ", "data_dir: x\nown: ", `data_dir is written twice. The first is on line 1.`},
		"a name with a blank":           {"  bob: {", "  b ob: {", `The name "b ob" should be made of letters`},
		"a role that does not exist":    {"roles: [developer]", "roles: [develpoer]", `There is no role "develpoer". Did you mean "developer"?`},
		"an app that does not exist":    {"app: ocpizza", "app: opizza", `There is no app "opizza". Did you mean "ocpizza"?`},
		"an environment that is absent": {"environment: production", "environment: staging", `There is no environment of ocpizza "staging". There is production.`},
		"a channel that does not exist": {"channel: webchat/deploys", "channel: webchat/deplyos", `There is no channel "webchat/deplyos". Did you mean "webchat/deploys"?`},
		"a chat that does not exist":    {"chat: webchat", "chat: webchta", `There is no chat "webchta". Did you mean "webchat"?`},
		"a command that does not exist": {"may: [deploy, backup]", "may: [depoly, backup]", `"depoly" is no command. Did you mean "deploy"?`},
		"approval for what has none":    {"for: [deploy]", "for: [help]", `"help" is no command.`},
		"more approvers than people":    {"of: [lead]", "of: [lead], count: 2", `2 must approve, but only 1 hold lead.`},
		"a reminder after the end":      {"remind: 15m", "remind: 2h", `The reminder after 2h0m0s would come after the end at 1h0m0s.`},
		"a zone that does not exist":    {`to: "17:00", zone: Europe/Paris`, `to: "17:00", zone: Europe/Pairs`, `There is no time zone "Europe/Pairs".`},
		"a window that ends first":      {`to: "17:00"`, `to: "08:00"`, `The window ends at 08:00, before it begins at 09:00.`},
		"a provider that is unknown":    {"provider: host", "provider: hots", `There is no provider "hots". Did you mean "host"?`},
		"a provider without settings":   {"host: {dir: app, trusted: true, listen: \"127.0.0.1:8081\", health: {deadline: 10s}, env: {GREETING: hello}}", "channel: webchat/deploys", `ocpizza/production has no settings for its provider host.`},
		"a host that is not trusted":    {"trusted: true, ", "", `say trusted: true when that is meant`},
		"an app on maitred's address":   {`listen: "127.0.0.1:8081"`, `listen: "127.0.0.1:8080"`, `127.0.0.1:8080 is the address of maitred itself already.`},
		"an app around maitred's data":  {"dir: app", "dir: .", `ocpizza/production would live around maitred's own data_dir.`},
		"a password in a repository":    {"repository: /srv/git/ocpizza", "repository: https://ann:hunter22@git.example.org/ocpizza.git", `The repository “https://git.example.org/ocpizza.git” holds a password or token`},
		"a token in a repository":       {"repository: /srv/git/ocpizza", "repository: https://ghp_abc@git.example.org/ocpizza.git", `The repository “https://git.example.org/ocpizza.git” holds a password or token`},
		"a password that is odd":        {"repository: /srv/git/ocpizza", `repository: "https://ann:100%zz@git.example.org/ocpizza.git"`, `The repository “https://git.example.org/ocpizza.git” holds a password or token`},
		"a program as a repository":     {"repository: /srv/git/ocpizza", `repository: "ext::sh -c true"`, `would run a program (::), which is not allowed`},
		"no repository":                 {"    repository: /srv/git/ocpizza\n", "", `repository of ocpizza is missing`},
		"replicas on SQLite":            {"data_dir: data", "data_dir: data\nreplica: a", `Replicas need PostgreSQL`},
		"a replica with a local app":    {"data_dir: data", "data_dir: data\nreplica: a\ndatabase: ${env:DATABASE_URL}", `ocpizza/production lives on this machine (transport: local), which replicas of maitred cannot share.`},
		"a password in the file":        {"data_dir: data", "data_dir: data\ndatabase: postgres://maitred:hunter22@db/maitred", `database holds a password, and this file is no place for one.`},
		"a password in the query":       {"data_dir: data", "data_dir: data\ndatabase: postgres://db/maitred?password=hunter22", `database holds a password`},
		"another database":              {"data_dir: data", "data_dir: data\ndatabase: mysql://db/maitred", `database is neither sqlite nor the URL of a PostgreSQL.`},
		"half a reference":              {"data_dir: data", "data_dir: data\ndatabase: ${env:}", `a secret is written ${env:NAME} or ${file:/path}`},
		"a relative reference":          {"data_dir: data", "data_dir: data\ndatabase: ${file:db}", `the file db needs a path that begins with a slash`},
		"a reference in another place":  {"name: Ann", "name: '${env:ANN}'", `name is no secret, so ${env:ANN} cannot be used here.`},
		"a token that is no hash":       {"bob: {", "bob: {token_sha256: abc, ", `token_sha256 should be 64 hexadecimal digits in lower case.`},
		"one id for two":                {"bob: {", "bob: {chats: {webchat: ann}, ", `ann is ann in webchat already.`},
		"a service that is a person":    {"roles:\n  developer", "services: {bob: {roles: [lead], token_sha256: " + strings.Repeat("ab", 32) + "}}\nroles:\n  developer", `bob is a person already.`},
		"an own app that is no app":     {"own: {apps: [ocpizza]}", "own: {apps: [ocpiza]}", `There is no app "ocpiza". Did you mean "ocpizza"?`},
		"a quote that is not closed":    {"name: Ann", `name: "Ann`, `This is not YAML`},
		"two documents":                 {"own: ", "---\nown: ", `The file has more than one document.`},
		"an alias that is not there":    {"name: Ann", "name: *ann", `This is not YAML`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.with, 1)
			if text == good {
				t.Fatalf("%q is not in the good file", c.old)
			}
			_, err := Parse("maitred.yml", []byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says\n  %v\nwant\n  %s", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), "hunter22") {
				t.Errorf("it says the password: %v", err)
			}
		})
	}
}

// TestOneMistakeIsToldOnce counts, because a mistake that drags others after it
// hides them.
func TestOneMistakeIsToldOnce(t *testing.T) {
	for _, spoil := range [][2]string{
		{"roles:\n  developer: {may: [deploy, backup]}\n  lead: {may: [\"*\"]}", "roles: []"},
		{"own: {apps: [ocpizza]}", "own: 5"},
		{"provider: host", "provider: [host]"},
		{"for: [deploy]", "for: deploy"},
		{"host: {dir: app, trusted", "host: {dir: 5, trusted"},
		{"zone: Europe/Paris, chats", "zone: 5, chats"},
	} {
		text := strings.Replace(good, spoil[0], spoil[1], 1)
		_, err := Parse("maitred.yml", []byte(text))
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 {
			t.Errorf("%q for %q: %d problems\n%v", spoil[1], spoil[0], len(problems), err)
		}
	}
}

func TestThirtyMistakesAreToldAtOnceInTheOrderOfTheFile(t *testing.T) {
	var text strings.Builder
	text.WriteString(good)
	for i := range 30 {
		fmt.Fprintf(&text, "mistake_%d: %d\n", i, i)
	}
	_, err := Parse("maitred.yml", []byte(text.String()))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 30 {
		t.Fatalf("%d problems: %v", len(problems), err)
	}
	if !slices.IsSortedFunc(problems, func(a, b Problem) int { return a.Line - b.Line }) {
		t.Error("they are not in the order of the file")
	}
	if f := fault.Of(err); f.Kind != fault.Invalid || !strings.Contains(f.Say, "maitred.yml has 30 problems.") {
		t.Errorf("a person is told: %v %q", f.Kind, f.Say)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"an empty file":      {"", "The file is empty."},
		"blanks":             {" \n\t\n", "The file is empty."},
		"comments":           {"# nothing\n", "The file has nothing but comments."},
		"null":               {"~\n", "The file has nothing but comments."},
		"a binary file":      {"\x7fELF\x00\x01\x02", "The file is not text."},
		"bytes of no text":   {"data_dir: \xff\xfe", "The file is not text."},
		"a list":             {"- a\n- b\n", "The file should be a mapping with data_dir"},
		"a sentence":         {"hello there", "The file should be a mapping with data_dir"},
		"too large":          {strings.Repeat("# comment\n", 120_000), "The file is larger than 1 MiB."},
		"nothing that works": {"listen: x\n", "data_dir is missing."},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("maitred.yml", []byte(c.text))
			var problems Problems
			if !errors.As(err, &problems) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %v; want %s", err, c.want)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yml")); fault.Of(err).Kind != fault.Missing {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(fault.Of(err).Say, "cannot be read") {
		t.Errorf("a directory: %v", err)
	}
}

func TestAliasesThatMultiplyAreStopped(t *testing.T) {
	text := "data_dir: x\nroles:\n  a: &a {may: [deploy,deploy,deploy,deploy,deploy,deploy,deploy,deploy,deploy]}\n"
	for i := range 5_000 {
		text += fmt.Sprintf("  r%d: *a\n", i)
	}
	if _, err := Parse("maitred.yml", []byte(text)); err == nil || !strings.Contains(err.Error(), "more than 20000 values") {
		t.Errorf("it says %.200v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("data_dir: [\n"))
	f.Add([]byte("a: &a [*a]\n"))
	if example, err := os.ReadFile("maitred.example.yml"); err == nil {
		f.Add(example)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("maitred.yml", data)
		if err == nil {
			if c.DataDir == "" || !filepath.IsAbs(c.DataDir) {
				t.Errorf("accepted with data_dir %q", c.DataDir)
			}
			return
		}
		var problems Problems
		if !errors.As(err, &problems) || len(problems) == 0 {
			t.Fatalf("refused without a problem: %v", err)
		}
		for _, p := range problems {
			if p.Say == "" || strings.ContainsAny(p.Say, "\n\x00") {
				t.Errorf("a problem says %q", p.Say)
			}
		}
	})
}
