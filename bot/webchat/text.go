package webchat

import (
	"embed"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"time"

	"maitred/chat"
)

//go:embed templates
var pages embed.FS

// tones is how many colours avatars have.
const tones = 5

func templates() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"state":    stateOf,
		"progress": progress,
		"took":     took,
		"inline":   inline,
		"initials": initials,
		"clock":    func(t time.Time) string { return t.Local().Format("15:04") },
		"day":      func(t time.Time) string { return t.Local().Format("Monday, 2 January 2006") },
		"rfc":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"lines":    func(s string) int { return strings.Count(strings.TrimRight(s, "\n"), "\n") + 1 },
		"secret":   func(k chat.FieldKind) bool { return k == chat.SecretField },
		"asset":    func(name string) string { return "/assets/" + version + "/" + name },
		"address":  address,
		"plural":   plural,
		"notes":    notes,
		"wide":     func(value string) bool { return len(value) > 64 || strings.Contains(value, "\n") },
	}).ParseFS(pages, "templates/*.html"))
}

func initials(name string) string {
	for _, r := range name {
		return strings.ToUpper(string(r))
	}
	return "?"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// notes are those of a card that the text above them does not say already; a
// card with a title does not show its text.
func notes(c chat.Card) []string {
	if c.Title != "" {
		return c.Notes
	}
	return slices.DeleteFunc(slices.Clone(c.Notes), func(n string) bool { return strings.Contains(c.Text, n) })
}

// special is what inline turns into markup: code between backticks, a command
// before a colon at the beginning of a line, addresses, and the number of an
// operation.
var special = regexp.MustCompile("(?m)`[^`\n]+`|^/[a-z][a-z -]*:|https?://[^\\s<>\"'`]*[^\\s<>\"'`.,:;!?)]|#[0-9]+\\b")

// inline is a sentence of maitred's as HTML. Everything is escaped; nothing in
// it can become markup but the few forms of special.
func inline(text string) template.HTML {
	var b strings.Builder
	done := 0
	for _, at := range special.FindAllStringIndex(text, -1) {
		b.WriteString(html.EscapeString(text[done:at[0]]))
		b.WriteString(markup(text[at[0]:at[1]]))
		done = at[1]
	}
	b.WriteString(html.EscapeString(text[done:]))
	return template.HTML(b.String()) //nolint:gosec // every part was escaped above
}

// markup is one special piece of a sentence.
func markup(found string) string {
	escaped := html.EscapeString(found)
	switch found[0] {
	case '`':
		return "<code>" + strings.Trim(escaped, "`") + "</code>"
	case '/':
		return "<code>" + strings.TrimSuffix(escaped, ":") + "</code>"
	case '#':
		return `<b class="number">` + escaped + "</b>"
	}
	return `<a href="` + escaped + `" target="_blank" rel="noreferrer noopener">` + escaped + "</a>"
}

var mention = regexp.MustCompile(`@[\pL\pN_-]+`)

// marked is what a person typed as HTML: a command looks like one, and the
// personas it names stand out.
func (c *Chat) marked(text string) template.HTML {
	escaped := html.EscapeString(text)
	if strings.HasPrefix(strings.TrimSpace(text), "/") {
		return template.HTML(`<code class="typed">` + escaped + "</code>") //nolint:gosec // escaped above
	}
	return template.HTML(mention.ReplaceAllStringFunc(escaped, func(name string) string { //nolint:gosec // escaped above
		if _, i := c.author(name[1:]); i < 0 && name != "@maitred" {
			return name
		}
		return `<span class="mention">` + name + "</span>"
	}))
}
