package webchat

import (
	"html"
	"regexp"
	"strings"
	"testing"
)

func TestInline(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing special":        {"Deployed.", "Deployed."},
		"markup is text":         {`<b onclick="x">&`, `&lt;b onclick=&#34;x&#34;&gt;&amp;`},
		"code":                   {"Type `/help <x>`.", "Type <code>/help &lt;x&gt;</code>."},
		"one backtick":           {"half a ` tick", "half a ` tick"},
		"an address and a stop":  {"See https://a.b/c?d=1&e=2.", `See <a href="https://a.b/c?d=1&amp;e=2" target="_blank" rel="noreferrer noopener">https://a.b/c?d=1&amp;e=2</a>.`},
		"no address":             {"javascript:alert(1)", "javascript:alert(1)"},
		"an operation":           {"#214 is done", `<b class="number">#214</b> is done`},
		"a command and its help": {"/lock: Keep out.\nNot /this: one.", "<code>/lock</code> Keep out.\nNot /this: one."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := string(inline(test.text)); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

// FuzzInline: whatever is said, only the few forms become markup, and the words
// stay the same.
func FuzzInline(f *testing.F) {
	f.Add("`a` <script> http://x/\"y #1 /go: é\x00")
	tags := regexp.MustCompile(`<code>|</code>|<b class="number">|</b>|<a href="https?://[^"<>]*" target="_blank" rel="noreferrer noopener">|</a>`)
	f.Fuzz(func(t *testing.T, text string) {
		got := tags.ReplaceAllString(string(inline(text)), "")
		if strings.ContainsAny(got, `<>"'`) {
			t.Errorf("%q became %q", text, got)
		}
		drop := strings.NewReplacer("`", "", ":", "", "\x00", "", "\uFFFD", "")
		if a, b := drop.Replace(html.UnescapeString(got)), drop.Replace(text); a != b && html.UnescapeString(b) == b {
			t.Errorf("%q lost words: %q", b, a)
		}
	})
}
