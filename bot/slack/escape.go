package slack

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"maitred/chat"
)

// thin is a blank without width, which nobody sees.
const thin = "\u200b"

// entities are the three characters that mean something to Slack everywhere.
var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// plain is text as Slack shows it letter by letter.
func plain(text string) string { return entities.Replace(tidy(text)) }

// oneLine is text for a label, where Slack looks for nothing.
func oneLine(text string) string { return strings.Join(strings.Fields(tidy(text)), " ") }

// tidy takes out what cannot be shown and what turns the direction of a line.
func tidy(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r == hole, r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == utf8.RuneError:
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

// special is what marked turns into markup: code between backticks, a command
// before a colon at the beginning of a line, addresses, and times of the clock.
var special = regexp.MustCompile("(?m)`[^`\n]+`|^/[a-z][a-z -]*:|https?://[^\\s<>\"'`|]*[^\\s<>\"'`|.,:;!?)]|" +
	`\b(?:\d{1,2} [A-Z][a-z]{2} (?:\d{4} )?)?\d{2}:\d{2} UTC\b`)

// hole stands for a special piece while the text around it is looked at.
const hole = '\ufffc'

// marked is a sentence in Slack's markup. Whatever it says, it mentions nobody,
// forges no link and breaks no formatting: only the few forms of special become
// markup, and an address is shown as where it leads.
func marked(text string, now time.Time) string {
	text = tidy(text)
	var pieces []string
	text = special.ReplaceAllStringFunc(text, func(found string) string {
		pieces = append(pieces, markup(found, now))
		return string(hole)
	})
	parts := strings.Split(literal(text), string(hole))
	var b strings.Builder
	for i, part := range parts {
		b.WriteString(part)
		if i < len(pieces) {
			b.WriteString(pieces[i])
		}
	}
	return b.String()
}

// bold is a line in bold.
func bold(text string) string {
	text = oneLine(text)
	if blank(text) {
		return ""
	}
	return "*" + literal(strings.ReplaceAll(text, "*", twins['*'])) + "*"
}

// markup is one special piece of a sentence.
func markup(found string, now time.Time) string {
	switch escaped := entities.Replace(found); {
	case found[0] == '`':
		return escaped
	case found[0] == '/':
		return "`" + strings.TrimSuffix(escaped, ":") + "`:"
	case strings.HasPrefix(found, "http"):
		return "<" + escaped + ">"
	}
	return localTime(found, now)
}

// forms are how maitred writes times, and how Slack is asked to show them.
var forms = []struct{ layout, show string }{
	{"15:04 MST", "{time}"},
	{"2 Jan 15:04 MST", "{date_short} {time}"},
	{"2 Jan 2006 15:04 MST", "{date_short} {time}"},
}

// localTime shows a time of UTC to each reader in their own zone.
func localTime(text string, now time.Time) string {
	now = now.UTC()
	for _, form := range forms {
		t, err := time.Parse(form.layout, text)
		if err != nil {
			continue
		}
		if t.Year() == 0 && form.show == "{time}" {
			t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
		} else if t.Year() == 0 {
			t = time.Date(now.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, time.UTC)
		}
		return fmt.Sprintf("<!date^%d^%s|%s>", t.Unix(), form.show, text)
	}
	return text
}

// twins look like the marks that Slack takes for formatting, and are not.
var twins = map[rune]string{'*': "∗", '_': "ˍ", '~': "∼", '`': "'"}

// literal is text without any markup. Marks are only replaced where a pair of
// them would format what is between: a branch called fix_it stays as it is.
func literal(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.ReplaceAll(line, "`", twins['`'])
		for _, mark := range "*_~" {
			line = unpaired(line, mark)
		}
		line = picture.ReplaceAllString(line, ":"+thin+"$1:") // or ":fire:" becomes one
		if quote := strings.TrimLeft(line, " "); strings.HasPrefix(quote, ">") {
			line = thin + quote // or the line becomes a quotation
		}
		lines[i] = entities.Replace(line)
	}
	return strings.Join(lines, "\n")
}

var picture = regexp.MustCompile(`:([a-z+-][a-z0-9_+'-]*|100|1234|8ball):`)

// unpaired is line with the marks replaced by their twins when they could be
// read as a pair around something.
func unpaired(line string, mark rune) string {
	if strings.Count(line, string(mark)) < 2 {
		return line
	}
	runes := []rune(line)
	opened := false
	for i, r := range runes {
		if r == mark && opened && !outside(runes, i-1) && !inside(runes, i+1) {
			return strings.ReplaceAll(line, string(mark), twins[mark])
		}
		if r == mark && !inside(runes, i-1) && !outside(runes, i+1) {
			opened = true
		}
	}
	return line
}

// inside reports whether there is a letter or a digit at i.
func inside(runes []rune, i int) bool {
	return i >= 0 && i < len(runes) && (unicode.IsLetter(runes[i]) || unicode.IsDigit(runes[i]))
}

// outside reports whether there is a blank, or nothing, at i.
func outside(runes []rune, i int) bool {
	return i < 0 || i >= len(runes) || unicode.IsSpace(runes[i])
}

// printed is what a program printed, between the marks of preformatted text.
func printed(text string) string {
	return "```\n" + strings.ReplaceAll(plain(text), "```", "`"+thin+"`"+thin+"`") + "\n```"
}

// identifier is what Slack's ids look like. Nothing else gets into a mention.
var identifier = regexp.MustCompile(`^[A-Z][A-Z0-9]{1,30}$`)

// mention names p so that they notice: a person, or a group of users.
func mention(p chat.Person) string {
	switch {
	case p.Chat != Name || !identifier.MatchString(p.ID):
		return fit(p.Label(), 25, func(name string) string { return literal(tidy(name)) })
	case p.ID[0] == 'S':
		return "<!subteam^" + p.ID + ">"
	}
	return "<@" + p.ID + ">"
}

// size is the length of text as Slack counts it.
func size(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// blank reports whether nothing of text can be seen.
func blank(text string) bool {
	return strings.TrimSpace(strings.ReplaceAll(tidy(text), thin, "")) == ""
}

// fit is text shortened until form(text) is at most limit long. Very long text is
// cut first, so that it costs no more than what is shown of it.
func fit(text string, limit int, form func(string) string) string {
	if len(text) > 16*limit+64 {
		text = strings.ToValidUTF8(text[:16*limit+64], "")
	}
	whole := form(text)
	if size(whole) <= limit {
		return whole
	}
	runes := []rune(tidy(text))
	low, high := 0, min(len(runes), limit)
	for low < high { // the longest beginning that fits
		middle := (low + high + 1) / 2
		if size(form(string(runes[:middle])+"…")) <= limit {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return form(string(runes[:low]) + "…")
}
