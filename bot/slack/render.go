package slack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"maitred/chat"
)

// Slack's limits on a message, and ours where a message would be hard to read
// before Slack's is reached. Slack refuses a message of about 13,000 characters
// although each block is within its limit, and does not say so anywhere.
const (
	mostBlocks   = 48
	mostChars    = 10000
	mostSection  = 2900
	mostTitle    = 300
	mostText     = 3000
	mostField    = 600
	mostSteps    = 40
	mostNote     = 1900
	mostOutput   = 2600
	mostMentions = 40
	mostRow      = 25 // buttons of a block
	mostButtons  = 30
	mostLabel    = 75
	mostLine     = 2000
	mostConfirm  = 300
)

// look is a card in Slack's form: blocks, the text for notifications and screen
// readers, and what hangs on the message because it does not fit in.
type look struct {
	blocks []slack.Block
	text   string
	files  []file
}

// file is what hangs on a message.
type file struct {
	name string
	data []byte
}

func (l look) options() []slack.MsgOption {
	return []slack.MsgOption{slack.MsgOptionText(l.text, false), slack.MsgOptionBlocks(l.blocks...)}
}

// draw gives card Slack's form, within all its limits: what is too long is
// shortened, what is too much is counted.
func draw(card chat.Card, now time.Time) look {
	s := sheet{now: now, chars: mostChars, left: mostBlocks}
	buttons := s.buttons(card.Buttons) // set aside first: what can be done matters most
	output := s.output(card.Output)
	s.head(card)
	s.fields(card.Fields)
	s.steps(card.Steps)
	s.notes(notes(card))
	s.image(card.Image)
	s.look.blocks = append(append(s.look.blocks, output...), buttons...)
	if len(s.look.blocks) == 0 {
		s.section(s.say("…"))
	}
	s.look.text = s.notification(card)
	return s.look
}

// notification is what is read where blocks are not shown.
func (s *sheet) notification(card chat.Card) string {
	text := card.Text
	if blank(text) {
		text = card.Title + " " + word(card)
	}
	if blank(text) {
		text = "maitred has something to say."
	}
	return strings.TrimSpace(mentions(card) + " " + fit(text, mostText-600, plain))
}

// mentions are the mentions of card, as far as anybody can read them.
func mentions(card chat.Card) string {
	var who []string
	if card.Channel {
		who = append(who, "<!channel>")
	}
	for i, p := range card.Mention {
		if i == mostMentions {
			who = append(who, fmt.Sprintf("and %d more", len(card.Mention)-i))
			break
		}
		if m := mention(p); !slices.Contains(who, m) {
			who = append(who, m)
		}
	}
	return strings.Join(who, " ")
}

// sheet is a look that is being filled, with what may still go onto it.
type sheet struct {
	look  look
	now   time.Time
	chars int // left of mostChars
	left  int // blocks
}

func (s *sheet) say(text string) string { return marked(text, s.now) }

// room is how long a text of at most most may be.
func (s *sheet) room(most int) int { return max(0, min(most, s.chars)) }

// add takes a block with a text of this size, when there is room for it.
func (s *sheet) add(b slack.Block, size int) bool {
	if s.left == 0 || size > s.chars {
		return false
	}
	s.look.blocks = append(s.look.blocks, b)
	s.left--
	s.chars -= size
	return true
}

// section adds text that is markup already.
func (s *sheet) section(text string) bool {
	if blank(text) {
		return false
	}
	return s.add(slack.NewSectionBlock(markdown(text), nil, nil), size(text))
}

func markdown(text string) *slack.TextBlockObject {
	return &slack.TextBlockObject{Type: slack.MarkdownType, Text: text, Verbatim: true}
}

func label(text string) *slack.TextBlockObject {
	no := false
	return &slack.TextBlockObject{Type: slack.PlainTextType, Text: text, Emoji: &no}
}

// head is who must notice, what it is about and how it stands.
func (s *sheet) head(card chat.Card) {
	var lines []string
	if who := mentions(card); who != "" {
		lines = append(lines, who)
	}
	state := word(card)
	title := fit(card.Title, mostTitle, bold)
	switch {
	case title != "" && state != "":
		lines = append(lines, title+"  "+fit(mark(card.State)+" "+state, 150, s.say))
	case title != "":
		lines = append(lines, title)
	}
	if text := strings.TrimSpace(card.Text); title == "" && !blank(text) {
		if w := oneLine(card.Word); !blank(w) && !strings.Contains(strings.ToLower(text), strings.ToLower(w)) {
			text = w + ": " + text
		}
		if state != "" {
			text = mark(card.State) + " " + text
		}
		lines = append(lines, fit(text, s.room(mostSection-1200), s.say))
	} else if title == "" && state != "" {
		lines = append(lines, fit(mark(card.State)+" "+state, 150, s.say))
	}
	s.section(strings.TrimSpace(strings.Join(lines, "\n")))
}

// states have a mark and a word each, because a mark alone says nothing to many
// people.
var states = map[chat.State]struct{ mark, word string }{
	chat.Waiting: {"◷", "waiting"}, chat.Working: {"●", "working"}, chat.Good: {"✓", "done"},
	chat.Warning: {"⚠", "warning"}, chat.Bad: {"✗", "failed"}, chat.Unsure: {"?", "not known"},
}

func mark(s chat.State) string {
	if m := states[s].mark; m != "" {
		return m
	}
	return "·"
}

func word(card chat.Card) string {
	if w := oneLine(card.Word); !blank(w) {
		return w
	}
	return states[card.State].word
}

// fields are two in a row, and a long one has a row of its own.
func (s *sheet) fields(fields []chat.Field) {
	var row []*slack.TextBlockObject
	flush := func() {
		length := 0
		for _, f := range row {
			length += size(f.Text)
		}
		if len(row) > 0 {
			s.add(slack.NewSectionBlock(nil, row, nil), length)
		}
		row = nil
	}
	for _, f := range fields {
		if blank(f.Value) {
			continue
		}
		head := fit(f.Label, 100, bold)
		text := strings.TrimSpace(head + "\n" + fit(f.Value, s.room(mostField), s.say))
		if size(f.Value) > 64 || strings.Contains(f.Value, "\n") {
			flush()
			s.section(text)
			continue
		}
		if row = append(row, markdown(text)); len(row) == 10 {
			flush()
		}
	}
	flush()
}

// steps are a line each. Of very many, those around the one that runs.
func (s *sheet) steps(steps []chat.StepLine) {
	if len(steps) == 0 {
		return
	}
	first, end := window(steps)
	var lines []string
	if first > 0 {
		lines = append(lines, fmt.Sprintf("… %d before", first))
	}
	for _, step := range steps[first:end] {
		lines = append(lines, s.step(step))
	}
	if end < len(steps) {
		lines = append(lines, fmt.Sprintf("… %d more", len(steps)-end))
	}
	s.lines(lines, 4*mostSection/3)
}

// window is the part of very many steps that is shown.
func window(steps []chat.StepLine) (first, end int) {
	if len(steps) <= mostSteps {
		return 0, len(steps)
	}
	now := slices.IndexFunc(steps, func(l chat.StepLine) bool { return l.State == chat.StepRunning || l.State == chat.StepUnknown })
	if now < 0 {
		now = slices.IndexFunc(steps, func(l chat.StepLine) bool { return l.State == chat.StepFailed || l.State == chat.StepPending })
	}
	first = min(max(now-mostSteps/2, 0), len(steps)-mostSteps)
	return first, first + mostSteps
}

func (s *sheet) step(l chat.StepLine) string {
	text := l.Name
	if l.Say != "" {
		text += " – " + l.Say
	}
	var more []string
	if l.State != "" && l.State != chat.StepDone && l.State != chat.StepPending {
		more = append(more, l.Called()) // the mark alone is hard to read aloud
	}
	if l.Took >= 100*time.Millisecond {
		more = append(more, took(l.Took))
	}
	if len(more) > 0 {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	mark := l.State.Mark()
	if mark == "" {
		mark = "·"
	}
	return fit(strings.Join(strings.Fields(mark+" "+text), " "), 300, s.say)
}

// took is a duration as people say it.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.Itoa(int(d.Milliseconds())) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	return d.Round(time.Second).String()
}

// lines puts lines into as few sections as possible, of at most most in all.
func (s *sheet) lines(lines []string, most int) {
	most = s.room(most)
	var b strings.Builder
	for i, line := range lines {
		if most -= size(line) + 1; most < 0 {
			fmt.Fprintf(&b, "… %d more", len(lines)-i)
			break
		}
		if size(b.String())+size(line) > mostSection {
			s.section(strings.TrimSpace(b.String()))
			b.Reset()
		}
		b.WriteString(line + "\n")
	}
	s.section(strings.TrimSpace(b.String()))
}

// notes are those of a card that the text above them does not say already; a
// card with a title does not show its text.
func notes(c chat.Card) []string {
	if c.Title != "" {
		return c.Notes
	}
	return slices.DeleteFunc(slices.Clone(c.Notes), func(n string) bool { return strings.Contains(c.Text, n) })
}

// notes are small print, a line each.
func (s *sheet) notes(notes []string) {
	var lines []string
	for _, n := range notes {
		if !blank(n) {
			lines = append(lines, fit(n, 600, s.say))
		}
	}
	var b strings.Builder
	flush := func() {
		if text := strings.TrimSpace(b.String()); !blank(text) && size(text) <= s.chars {
			s.add(slack.NewContextBlock("", markdown(text)), size(text))
		}
		b.Reset()
	}
	for i, line := range lines {
		if size(b.String())+size(line) > mostNote {
			flush()
		}
		if size(b.String())+size(line)+400 > s.chars || s.left < 3 {
			fmt.Fprintf(&b, "… %d more", len(lines)-i)
			break
		}
		b.WriteString(line + "\n")
	}
	flush()
}

// output is the end of what a program printed; the whole hangs on the message
// when it does not fit.
func (s *sheet) output(output string) []slack.Block {
	text := strings.Trim(tidy(output), "\n")
	if blank(text) {
		return nil
	}
	room := s.room(mostOutput) - 150
	shown := ""
	if len(text) <= 4*room {
		shown = printed(text)
	}
	if shown == "" || size(shown) > room {
		s.look.files = append(s.look.files, file{name: "output.txt", data: []byte(output)})
		all := strings.Count(text, "\n") + 1
		if tail := shortened(text, room); blank(tail) {
			shown = fmt.Sprintf("It printed %d lines.", all)
		} else {
			shown = printed(tail) + fmt.Sprintf("\nThis is the end of %d lines.", all)
		}
	}
	s.left--
	s.chars -= size(shown)
	return []slack.Block{slack.NewSectionBlock(markdown(shown), nil, nil)}
}

// shortened is the end of text, from the beginning of a line where possible,
// that fits when it is printed.
func shortened(text string, room int) string {
	text = strings.ToValidUTF8(text[max(0, len(text)-4*room):], "")
	runes := []rune(text)
	low, high := 0, min(len(runes), room)
	for low < high { // the longest end that fits
		middle := (low + high + 1) / 2
		if size(printed(string(runes[len(runes)-middle:]))) <= room {
			low = middle
		} else {
			high = middle - 1
		}
	}
	tail := string(runes[len(runes)-low:])
	if _, rest, found := strings.Cut(tail, "\n"); found && !blank(rest) {
		return rest
	}
	return tail
}

// image hangs on the message, and its words stand in it.
func (s *sheet) image(i *chat.Image) {
	if i == nil {
		return
	}
	if len(i.Data) > 0 {
		name := strings.Join(strings.Fields(tidy(i.Name)), " ")
		if name == "" {
			name = "picture"
		}
		s.look.files = append(s.look.files, file{name: name, data: i.Data})
	}
	if alt := fit(i.Alt, s.room(500), s.say); !blank(alt) {
		s.add(slack.NewContextBlock("", markdown(alt)), size(alt))
	}
}

// buttons are set aside at the bottom. One whose command is longer than Slack
// carries is left out: half a command would be another one.
func (s *sheet) buttons(buttons []chat.Button) []slack.Block {
	var blocks []slack.Block
	var row []slack.BlockElement
	flush := func() {
		if len(row) > 0 {
			blocks = append(blocks, slack.NewActionBlock("", row...))
			s.left--
		}
		row = nil
	}
	shown := 0
	for i, b := range buttons {
		element, cost := button(i, b)
		if element == nil || s.chars-cost < 6000 || shown == mostButtons {
			continue
		}
		shown++
		s.chars -= cost
		if row = append(row, element); len(row) == mostRow {
			flush()
		}
	}
	flush()
	return blocks
}

// ButtonPrefix begins the action id of every button whose value is the line that
// a click on it types.
const ButtonPrefix = "line-"

func button(i int, b chat.Button) (*slack.ButtonBlockElement, int) {
	if blank(b.Line) || size(b.Line) > mostLine {
		return nil, 0
	}
	text := b.Label
	if blank(text) {
		text = b.Line
	}
	e := slack.NewButtonBlockElement(ButtonPrefix+strconv.Itoa(i), b.Line, label(fit(text, mostLabel, oneLine)))
	if b.Danger {
		e.Style = slack.StyleDanger
	}
	cost := size(e.Text.Text) + size(b.Line)
	if !blank(b.Confirm) {
		question := fit(b.Confirm, mostConfirm, oneLine)
		e.Confirm = slack.NewConfirmationBlockObject(label("Are you sure?"), label(question), label("Yes"), label("No"))
		e.Confirm.Style = e.Style
		cost += size(question) + 25
	}
	return e, cost
}
