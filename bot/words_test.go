package bot

import (
	"strings"
	"testing"
	"unicode/utf8"

	"maitred/chat"
)

func TestCleanUndoesWhatChatsDo(t *testing.T) {
	tests := map[string]struct{ line, want string }{
		"nothing to undo":               {"/deploy ocpizza@feature/x to staging", "/deploy ocpizza@feature/x to staging"},
		"curly quotes":                  {"/lock ocpizza “testing by hand” ‘now’", `/lock ocpizza "testing by hand" 'now'`},
		"a long dash before an option":  {"/logs ocpizza —grep error –since 1h", "/logs ocpizza --grep error --since 1h"},
		"a dash alone is punctuation":   {"/reject 4 no — not today", "/reject 4 no — not today"},
		"a dash in a word":              {"/deploy ocpizza v1—rc1", "/deploy ocpizza v1-rc1"},
		"entities, once":                {"/run ocpizza echo a &amp;&amp; b &lt;c&gt; &amp;lt;", "/run ocpizza echo a && b <c> &lt;"},
		"a link with a label":           {"/logs ocpizza --grep <http://ocpizza.com|ocpizza.com>", "/logs ocpizza --grep ocpizza.com"},
		"a bare link":                   {"/deploy blog <https://git.example/a/b>", "/deploy blog https://git.example/a/b"},
		"an address":                    {"/audit --who <mailto:ann@x.org|ann@x.org>", "/audit --who ann@x.org"},
		"a person with a name":          {"/audit --who <@U1|ann>", "/audit --who @ann"},
		"a person without":              {"/audit --who <@!123>", "/audit --who @123"},
		"a channel":                     {"/status in <#C1|deploys>", "/status in #deploys"},
		"a group":                       {"<!subteam^S1|@devs> look", "@devs look"},
		"everybody":                     {"<!here> look", "@here look"},
		"an emoji":                      {"nice <:tada:123> and <a:yay:4>", "nice :tada: and :yay:"},
		"angle brackets of other kinds": {"/run ocpizza cat <in >out", "/run ocpizza cat <in >out"},
		"blanks of other kinds":         {"/deploy\u00a0ocpizza\u2003v1\u3000", "/deploy ocpizza v1"},
		"what nobody sees":              {"/de\u200bploy oc\u00adpizza\ufeff\u2060", "/deploy ocpizza"},
		"copied as code":                {"`/deploy ocpizza`", "/deploy ocpizza"},
		"two pieces of code":            {"`a` and `b`", "`a` and `b`"},
		"control characters stay":       {"/deploy \x07", "/deploy \x07"},
		"broken text":                   {"/deploy \xff", "/deploy \uFFFD"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := Clean(test.line); got != test.want {
				t.Errorf("Clean(%q) = %q, want %q", test.line, got, test.want)
			}
		})
	}
}

func TestAddressed(t *testing.T) {
	tests := map[string]struct {
		source chat.Source
		thread string
		line   string
		want   string
		ok     bool
	}{
		"a slash command":                   {line: " /status ", want: "/status", ok: true},
		"its name first":                    {line: "maitred: status ocpizza", want: "status ocpizza", ok: true},
		"its name, mentioned":               {line: "@Maitred approve 214", want: "approve 214", ok: true},
		"mentioned later":                   {line: "hey @maitred, approve 214", want: "approve 214", ok: true},
		"mentioned alone":                   {line: "@maitred", want: "help", ok: true},
		"a word that begins like it":        {line: "maitreds are rare", want: "maitreds are rare"},
		"talk":                              {line: "shall we deploy?", want: "shall we deploy?"},
		"talk that names it":                {line: "ask maitred about it", want: "ask maitred about it"},
		"approve in a thread":               {line: "Approve", thread: "7", want: "Approve", ok: true},
		"approve in a channel is talk":      {line: "approve", want: "approve"},
		"approve with a number":             {line: "approve #214", thread: "7", want: "approve #214", ok: true},
		"cancel in a thread":                {line: "cancel", thread: "7", want: "cancel", ok: true},
		"reject with a reason":              {line: "reject it locks orders", thread: "7", want: "reject it locks orders", ok: true},
		"a sentence that begins with it":    {line: "approve this please", thread: "7", want: "approve this please"},
		"other words in a thread":           {line: "looks good", thread: "7", want: "looks good"},
		"a caller need not address anybody": {source: chat.Called, line: "status “x”", want: `status "x"`, ok: true},
		"a button is left as it is":         {source: chat.Clicked, line: "/reject 4 a &amp; b", want: "/reject 4 a &amp; b", ok: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := Addressed(chat.Inbound{Line: test.line, Source: test.source, Place: chat.Place{Thread: test.thread}})
			if got != test.want || ok != test.ok {
				t.Errorf("Addressed(%q) = %q, %v; want %q, %v", test.line, got, ok, test.want, test.ok)
			}
		})
	}
}

func TestALongLineIsCutAtACharacter(t *testing.T) {
	got := Clean("/lock ocpizza " + strings.Repeat("ä", longest))
	if len(got) > longest || !utf8.ValidString(got) || strings.Contains(got, "\uFFFD") {
		t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"/deploy “ocpizza” —to staging", "<http://a|b> <@U1> <!here> <:x:1> <a:b", "&amp;lt;", "<@|>", "<a:>", "<:>", "\xff<!^|@>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := Clean(line)
		if !utf8.ValidString(got) {
			t.Errorf("Clean(%q) is not text", line)
		}
		if strings.ContainsAny(got, "“”‘’\u200b\u00a0\ufeff") {
			t.Errorf("Clean(%q) = %q keeps what nobody types", line, got)
		}
		if strings.TrimSpace(got) != got {
			t.Errorf("Clean(%q) = %q has blanks around it", line, got)
		}
		Addressed(chat.Inbound{Line: line, Place: chat.Place{Thread: "1"}})
	})
}
