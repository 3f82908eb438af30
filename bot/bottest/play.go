package bottest

import (
	"bufio"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"maitred/chat"
)

// Within is how long an expected answer may take.
const Within = 30 * time.Second

// Play plays a conversation. Its lines are:
//
//	# a remark
//	ann: /deploy ocpizza                 somebody types in #deploys
//	ann in #general: /status             … in another channel
//	lea in thread of #1: approve         … in the thread of an operation
//	lea clicks [Approve] on #1           the newest such button on a message that names #1
//	ann submits value=s3cret; why=later  the form that she was shown last
//	fake: step=verify version=v1.2.0 fail=It never got healthy.
//	moves: main to fff9999               a branch moves on
//	fires: ann                           she is taken out of the configuration
//	later: 2h                            the clocks go ahead
//	restart:                             maitred is stopped and started again
//
// and below each what must be seen then, in any order, before the conversation
// goes on:
//
//	> Deploy #1 … waits                a message everybody sees, with all of these
//	> (only bob) …                     one that only bob sees
//	> (form bob) …                     a form that bob is shown
//	> (edit) …                         a message that was there before
//	> … [Approve] [-Cancel] @lea       with this button, without that one, mentioning her
//	! secret                           nothing that is or was seen since says this
func Play(t *testing.T, h *House, script string) {
	t.Helper()
	p := &player{t: t, house: h}
	lines := bufio.NewScanner(strings.NewReader(script))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		p.line = n
		switch text := strings.TrimSpace(line); {
		case text == "" || strings.HasPrefix(text, "#"):
		case strings.HasPrefix(text, ">"):
			p.expect(strings.TrimSpace(text[1:]))
		case strings.HasPrefix(text, "!"):
			p.forbid(strings.TrimSpace(text[1:]))
		default:
			p.mark = p.newest()
			if err := p.act(text); err != nil {
				p.fail("%v", err)
			}
		}
	}
}

type player struct {
	t     *testing.T
	house *House
	line  int
	mark  int // what changed after this counts
}

func (p *player) fail(format string, args ...any) {
	p.t.Helper()
	var all strings.Builder
	for _, m := range p.house.Stage.Messages() {
		fmt.Fprintln(&all, m)
	}
	p.t.Fatalf("line %d: %s\nThe room shows (what changed after %d counts):\n%s", p.line, fmt.Sprintf(format, args...), p.mark, &all)
}

func (p *player) newest() int {
	newest := 0
	for _, m := range p.house.Stage.Messages() {
		newest = max(newest, m.Changed)
	}
	return newest
}

var (
	says    = regexp.MustCompile(`^(\w+)(?: in (?:#(\w+)|thread of #(\d+)))?: (.*)$`)
	clicks  = regexp.MustCompile(`^(\w+) clicks \[([^\]]+)\](?: on (.+))?$`)
	submits = regexp.MustCompile(`^(\w+) submits ?(.*)$`)
)

func (p *player) act(text string) error {
	ctx := context.Background()
	h := p.house
	switch word, rest, _ := strings.Cut(text, ": "); strings.TrimSuffix(word, ":") {
	case "restart":
		h.Restart()
		return nil
	case "later":
		d, err := time.ParseDuration(rest)
		h.Later(d)
		return err
	case "fake":
		s, err := fakeLine(rest)
		h.Shop.Fake.Script(s)
		return err
	case "fires":
		return h.Fire(rest)
	case "moves":
		ref, sha, _ := strings.Cut(rest, " to ")
		h.Shop.Move(ref, sha)
		return nil
	}
	if m := clicks.FindStringSubmatch(text); m != nil {
		return p.click(ctx, m[1], m[2], m[3])
	}
	if m := submits.FindStringSubmatch(text); m != nil {
		return h.Stage.Submit(ctx, m[1], values(m[2]))
	}
	m := says.FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("nobody understands %q", text)
	}
	at := chat.Place{Chat: h.Stage.Sender().Name(), Channel: "deploys"}
	if m[2] != "" {
		at.Channel = m[2]
	}
	if m[3] != "" {
		var err error
		if at, err = p.thread(m[3]); err != nil {
			return err
		}
	}
	return h.Stage.Say(ctx, m[1], at, strings.NewReplacer(`\u200b`, "\u200b", `\x07`, "\x07", `\n`, "\n").Replace(m[4]))
}

// thread waits for the message of an operation, because it may be on its way.
func (p *player) thread(number string) (chat.Place, error) {
	id, err := strconv.ParseInt(number, 10, 64)
	for deadline := time.Now().Add(Within); err == nil && time.Now().Before(deadline); {
		if at, found := p.house.Thread(id); found {
			return at, nil
		}
		time.Sleep(5 * time.Millisecond)
	}
	return chat.Place{}, fmt.Errorf("operation #%s has no message", number)
}

// click waits for the button, because it may be on its way.
func (p *player) click(ctx context.Context, who, label, on string) error {
	deadline := time.Now().Add(Within)
	for {
		all := p.house.Stage.Messages()
		slices.Reverse(all)
		for _, m := range all {
			if slices.Contains(m.Buttons, label) && (m.Only == "" || m.Only == who) && strings.Contains(m.Text, on) {
				return p.house.Stage.Click(ctx, who, m, label)
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("there is no button [%s] on %q for %s", label, on, who)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func values(text string) map[string]string {
	out := map[string]string{}
	for _, pair := range strings.Split(text, ";") {
		if name, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			out[name] = value
		}
	}
	return out
}

// wanted is one expectation.
type wanted struct {
	only     string
	form     bool
	parts    []string
	with     []string
	without  []string
	mentions []string
}

var (
	prefix  = regexp.MustCompile(`^\((only|form) (\w+)\)\s*`)
	button  = regexp.MustCompile(`\s*\[(-?)([^\]]+)\]$`)
	mention = regexp.MustCompile(`\s*@(\w+)$`)
)

func want(text string) wanted {
	var w wanted
	if m := prefix.FindStringSubmatch(text); m != nil {
		w.only, w.form = m[2], m[1] == "form"
		text = text[len(m[0]):]
	}
	for {
		if m := button.FindStringSubmatch(text); m != nil {
			if m[1] == "-" {
				w.without = append(w.without, m[2])
			} else {
				w.with = append(w.with, m[2])
			}
			text = strings.TrimSuffix(text, m[0])
			continue
		}
		if m := mention.FindStringSubmatch(text); m != nil {
			w.mentions = append(w.mentions, m[1])
			text = strings.TrimSuffix(text, m[0])
			continue
		}
		break
	}
	for _, part := range strings.Split(text, "…") {
		if part = strings.Join(strings.Fields(part), " "); part != "" {
			w.parts = append(w.parts, part)
		}
	}
	return w
}

func (w wanted) seen(m Message) bool {
	if m.Only != w.only || m.Form != w.form {
		return false
	}
	text := strings.ToLower(m.Text) // a name that begins a sentence may be a capital or not
	for _, part := range w.parts {
		if !strings.Contains(text, strings.ToLower(part)) {
			return false
		}
	}
	for _, b := range w.with {
		if !slices.Contains(m.Buttons, b) {
			return false
		}
	}
	for _, b := range w.without {
		if slices.Contains(m.Buttons, b) {
			return false
		}
	}
	for _, who := range w.mentions {
		if !slices.Contains(m.Mention, who) {
			return false
		}
	}
	return true
}

func (p *player) expect(text string) {
	p.t.Helper()
	w := want(text)
	deadline := time.Now().Add(Within)
	for {
		for _, m := range p.house.Stage.Messages() {
			if m.Changed > p.mark && w.seen(m) {
				return
			}
		}
		if time.Now().After(deadline) {
			p.fail("nobody saw: %s", text)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (p *player) forbid(text string) {
	p.t.Helper()
	for _, m := range p.house.Stage.Messages() {
		if m.Changed > p.mark && strings.Contains(m.Text, text) {
			p.fail("this was seen: %s\nin %s", text, m)
		}
	}
}
