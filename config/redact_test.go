package config

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestSecretsAreTakenOut(t *testing.T) {
	r := NewRedactor([]string{"postgres://maitred:correct%20horse@db/m"})
	target := r.With([]string{"tr0ub4dor&3", "short", "-----line one of it\nline two of it-----", `quo"ted\value`})
	for name, c := range map[string]struct{ text, want string }{
		"maitred's own":          {"open postgres://maitred:correct%20horse@db/m now", "open [hidden] now"},
		"its password alone":     {"password correct horse", "password [hidden]"},
		"the target's":           {"key=tr0ub4dor&3;", "key=[hidden];"},
		"in a URL":               {"?key=tr0ub4dor%263", "?key=[hidden]"},
		"in JSON":                {`{"key":"quo\"ted\\value"}`, `{"key":"[hidden]"}`},
		"in base64":              {"dHIwdWI0ZG9yJjM=", "[hidden]"},
		"a line of several":      {"it says: line two of it-----", "it says: [hidden]"},
		"short values are words": {"a short sentence", "a short sentence"},
		"a Slack token":          {"xoxb-1234567890-abcdef", "[hidden]"},
		"a GitHub token":         {"ghp_" + strings.Repeat("a", 36), "[hidden]"},
		"an AWS key":             {"AKIAIOSFODNN7EXAMPLE", "[hidden]"},
		"a web token":            {"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.SflKxwRJSMeKKF2QT4", "[hidden]"},
		"a password in a URL":    {"redis://user:pa55@cache:6379/0", "redis://user:[hidden]@cache:6379/0"},
		"a header":               {"Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"},
		"a private key":          {"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[hidden]"},
		"half a private key":     {"x -----BEGIN PRIVATE KEY-----\nMIIE", "x [hidden]"},
		"an ordinary line":       {"Deploy #214 of ocpizza v1.1.0 to production: https://example.org/a:b", "Deploy #214 of ocpizza v1.1.0 to production: https://example.org/a:b"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := target(c.text); got != c.want {
				t.Errorf("%q is %q; want %q", c.text, got, c.want)
			}
		})
	}
	if got := r.Text("tr0ub4dor&3"); got != "tr0ub4dor&3" {
		t.Errorf("without the target's values it is %q", got)
	}
}

func TestNoValueIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.StringMatching(`[a-zA-Z0-9+/=&"\\ -]{8,40}`), 1, 5).Draw(t, "values")
		text := rapid.StringMatching(`[a-z ]{0,10}`).Draw(t, "before")
		for _, v := range values {
			text += v + rapid.StringMatching(`[a-z \n]{0,10}`).Draw(t, "between")
		}
		got := NewRedactor(nil).With(values)(text)
		for _, v := range values {
			if v = strings.TrimSpace(v); len(v) >= shortest && strings.Contains(got, v) {
				t.Fatalf("%q is left in %q of %q", v, got, text)
			}
		}
	})
}
