package slack

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"pgregory.net/rapid"

	"maitred/bot/slack/slacktest"
	"maitred/chat"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// blocksOf is what goes over the wire.
func blocksOf(t interface{ Fatalf(string, ...any) }, l look) []byte {
	body, err := json.Marshal(slack.Blocks{BlockSet: l.blocks})
	if err != nil {
		t.Fatalf("marshal: %v", err)
	}
	return body
}

// nasty are pieces of what people and programs write.
var nasty = []string{
	"<!here>", "<!channel>", "<@U0EVIL>", "<!subteam^S0EVIL>", "<https://evil.example|https://good.example>", "&amp;", "&lt;!here&gt;",
	"*", "_", "~", "`", "```", ">", "*bold*", "_it_", "~no~", "`code`", ":fire:", ":+1:", "fix_the_bug", "https://ok.example/a_b?c=<d>|e", "12:30 UTC",
	"2 Feb 09:05 UTC", "31 Feb 2026 09:05 UTC", "/deploy: ", "\u202eesrever", "\u200b", "\x00", "\x1b[31m", "\xff", "\ufffc", "𝔘𝔫𝔦", "👩‍👩‍👧", "\n", "\r\n", "\t", " ", "word", "日本語",
}

func anyText(most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		pieces := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(nasty), rapid.String()), 0, 8).Draw(t, "pieces")
		times := rapid.SampledFrom([]int{1, 1, 1, 1, most}).Draw(t, "times")
		return strings.Repeat(strings.Join(pieces, rapid.SampledFrom([]string{"", " ", "\n"}).Draw(t, "between")), times)
	})
}

func anyCard() *rapid.Generator[chat.Card] {
	return rapid.Custom(func(t *rapid.T) chat.Card {
		many := func(name string) int { return rapid.SampledFrom([]int{0, 1, 2, 7, 60, 300}).Draw(t, name) }
		c := chat.Card{
			Title: anyText(300).Draw(t, "title"), Text: anyText(400).Draw(t, "text"), Word: anyText(50).Draw(t, "word"),
			State:   rapid.SampledFrom([]chat.State{"", chat.Waiting, chat.Working, chat.Good, chat.Warning, chat.Bad, chat.Unsure, "odd"}).Draw(t, "state"),
			Output:  anyText(3000).Draw(t, "output"),
			Channel: rapid.Bool().Draw(t, "channel"),
		}
		label, value, note, say := anyText(100).Draw(t, "label"), anyText(300).Draw(t, "value"), anyText(300).Draw(t, "note"), anyText(100).Draw(t, "say")
		for range many("fields") {
			c.Fields = append(c.Fields, chat.Field{Label: label, Value: value})
		}
		for i := range many("steps") {
			states := []chat.StepState{chat.StepPending, chat.StepRunning, chat.StepDone, chat.StepFailed, "odd", ""}
			c.Steps = append(c.Steps, chat.StepLine{Name: label, State: states[i%len(states)], Say: say, Took: time.Duration(i) * time.Second})
		}
		for range many("notes") {
			c.Notes = append(c.Notes, note)
		}
		for range many("buttons") {
			c.Buttons = append(c.Buttons, chat.Button{Label: label, Line: "/approve " + value, Danger: rapid.Bool().Draw(t, "danger"), Confirm: say})
		}
		for range many("mention") {
			id := rapid.SampledFrom([]string{"U0ANN", "S0LEADS", "evil> <!here", "u-ann", ""}).Draw(t, "id")
			c.Mention = append(c.Mention, chat.Person{Chat: rapid.SampledFrom([]string{Name, "webchat"}).Draw(t, "chat"), ID: id, Name: label})
		}
		if rapid.Bool().Draw(t, "pictured") {
			c.Image = &chat.Image{Name: label, Data: []byte("png"), Alt: note}
		}
		return c
	})
}

// entity is everything between angle brackets, which only maitred may write.
var entity = regexp.MustCompile(`<[^>]*>`)

func TestNoCardIsEverRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		card := anyCard().Draw(t, "card")
		l := draw(card, noon)
		body := blocksOf(t, l)
		if problems := slacktest.CheckMessage(body); len(problems) > 0 {
			t.Fatalf("Slack refuses it: %s\n%s", problems, body)
		}
		if l.text == "" || size(l.text) > 4000 {
			t.Fatalf("the notification has %d characters", size(l.text))
		}
		if len(l.blocks) > 50 {
			t.Fatalf("%d blocks", len(l.blocks))
		}
	})
}

func TestNothingFromOutsideMentionsOrLinks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		card := anyCard().Draw(t, "card")
		l := draw(card, noon)
		allowed := []string{}
		for _, p := range card.Mention {
			if p.Chat == Name {
				allowed = append(allowed, "<@"+p.ID+">", "<!subteam^"+p.ID+">")
			}
		}
		if card.Channel {
			allowed = append(allowed, "<!channel>")
		}
		for _, text := range append(markdownOf(l.blocks), l.text) {
			for _, found := range entity.FindAllString(text, -1) {
				link := strings.HasPrefix(found, "<http") && !strings.Contains(found, "|")
				if !link && !strings.HasPrefix(found, "<!date^") && !slices.Contains(allowed, found) {
					t.Fatalf("%q came from outside, in %q", found, text)
				}
			}
		}
	})
}

func TestAButtonTypesItsWholeLineOrIsNotThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		card := anyCard().Draw(t, "card")
		for _, b := range buttonsOf(draw(card, noon).blocks) {
			if !slices.ContainsFunc(card.Buttons, func(want chat.Button) bool { return want.Line == b.Value }) {
				t.Fatalf("a button types %q", b.Value)
			}
			i := slices.IndexFunc(card.Buttons, func(want chat.Button) bool { return want.Line == b.Value })
			if !blank(card.Buttons[i].Confirm) && b.Confirm == nil {
				t.Fatalf("the button %q does not ask first", b.Value)
			}
		}
	})
}

func TestOutputIsShownWholeOrHangsOnTheMessage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		card := anyCard().Draw(t, "card")
		if blank(card.Output) {
			return
		}
		l := draw(card, noon)
		hangs := slices.ContainsFunc(l.files, func(f file) bool { return bytes.Equal(f.data, []byte(card.Output)) })
		whole := slices.Contains(markdownOf(l.blocks), printed(strings.Trim(tidy(card.Output), "\n")))
		if !hangs && !whole {
			t.Fatalf("the output is nowhere: %q", card.Output)
		}
	})
}

func markdownOf(blocks []slack.Block) []string {
	var out []string
	for _, b := range blocks {
		switch b := b.(type) {
		case *slack.SectionBlock:
			if b.Text != nil {
				out = append(out, b.Text.Text)
			}
			for _, f := range b.Fields {
				out = append(out, f.Text)
			}
		case *slack.ContextBlock:
			for _, e := range b.ContextElements.Elements {
				out = append(out, e.(*slack.TextBlockObject).Text)
			}
		}
	}
	return out
}

func buttonsOf(blocks []slack.Block) []*slack.ButtonBlockElement {
	var out []*slack.ButtonBlockElement
	for _, b := range blocks {
		if row, ok := b.(*slack.ActionBlock); ok {
			for _, e := range row.Elements.ElementSet {
				out = append(out, e.(*slack.ButtonBlockElement))
			}
		}
	}
	return out
}

func TestACardReadsWell(t *testing.T) {
	l := draw(chat.Card{
		Title: "Deploy v1.2 of ocpizza (production)", State: chat.Working, Word: "running",
		Fields: []chat.Field{{Label: "Requested by", Value: "ann"}, {Label: "Until", Value: "12:30 UTC"}, {Label: "Empty"}},
		Steps: []chat.StepLine{
			{Name: "build", State: chat.StepDone, Say: "built v3 from fix_the_bug", Took: 12 * time.Second},
			{Name: "release", State: chat.StepRunning}, {Name: "verify", State: chat.StepPending},
		},
		Notes:   []string{"Look here: /status ocpizza", "Read https://docs.example/a_b."},
		Buttons: []chat.Button{{Label: "Cancel", Line: "/cancel 7", Danger: true, Confirm: "Stop #7?"}},
		Mention: []chat.Person{{Chat: Name, ID: "U0ANN", Who: "ann"}, {Chat: Name, ID: "S0LEADS"}, {Chat: "webchat", ID: "bob", Who: "bob"}},
		Text:    "Deploy #7 <is> running.",
	}, noon)
	want := []string{
		"<@U0ANN> <!subteam^S0LEADS> bob\n*Deploy v1.2 of ocpizza (production)*  ● running",
		"*Requested by*\nann", "*Until*\n<!date^1795264200^{time}|12:30 UTC>",
		"✓ build – built v3 from fix_the_bug (12.0 s)\n◐ release (running)\n○ verify",
		"Look here: /status ocpizza\nRead <https://docs.example/a_b>.",
	}
	if got := markdownOf(l.blocks); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if want := "<@U0ANN> <!subteam^S0LEADS> bob Deploy #7 &lt;is&gt; running."; l.text != want {
		t.Errorf("text %q", l.text)
	}
	b := buttonsOf(l.blocks)
	if len(b) != 1 || b[0].Value != "/cancel 7" || b[0].Style != slack.StyleDanger || b[0].Confirm.Text.Text != "Stop #7?" {
		t.Errorf("buttons %+v", b)
	}
}

func TestTextFromOutsideIsShownAsItIs(t *testing.T) {
	for given, want := range map[string]string{
		"<!here> & <@U1>":               "&lt;!here&gt; &amp; &lt;@U1&gt;",
		"fix_the_bug and snake_case":    "fix_the_bug and snake_case",
		"2 * 3 * 4":                     "2 * 3 * 4",
		"*loud* and _soft_ and ~gone~":  "∗loud∗ and ˍsoftˍ and ∼gone∼",
		"say `make test` now":           "say `make test` now",
		"an odd ` mark":                 "an odd ' mark",
		"> quoted":                      thin + "&gt; quoted",
		"ship it :fire: at 10:30:45":    "ship it :" + thin + "fire: at 10:30:45",
		"see https://a.example/_x_ ok?": "see <https://a.example/_x_> ok?",
		"<https://evil.example|good>":   "&lt;<https://evil.example>|good&gt;",
		"until 2 Feb 09:05 UTC.":        "until <!date^1770023100^{date_short} {time}|2 Feb 09:05 UTC>.",
		"/status: how it is":            "`/status`: how it is",
		"a\u202eb\x00c\ufffcd":          "abcd",
	} {
		if got := marked(given, noon); got != want {
			t.Errorf("%q becomes %q, not %q", given, got, want)
		}
	}
	if got := bold("a *b* c\nd"); got != "*a ∗b∗ c d*" {
		t.Errorf("bold %q", got)
	}
	if got := printed("x\n```\n<!here>"); strings.Count(got, "```") != 2 || strings.Contains(got, "<!here>") {
		t.Errorf("printed %q", got)
	}
}

func TestLongOutputEndsAtTheEnd(t *testing.T) {
	l := draw(chat.Card{Text: "It failed.", Output: strings.Repeat("a line of a log\n", 2000) + "fatal: the end"}, noon)
	texts := markdownOf(l.blocks)
	if last := texts[len(texts)-1]; !strings.Contains(last, "fatal: the end") || !strings.Contains(last, "the end of 2001 lines") {
		t.Errorf("shown: %q", last)
	}
	if len(l.files) != 1 || l.files[0].name != "output.txt" {
		t.Errorf("files %v", l.files)
	}
}
