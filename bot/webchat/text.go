package webchat

import (
	"embed"
	"html"
	"html/template"
	"regexp"
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

// special is what inline turns into markup: code between backticks, addresses,
// and the number of an operation.
var special = regexp.MustCompile("`[^`\n]+`|https?://[^\\s<>\"'`]*[^\\s<>\"'`.,:;!?)]|(?:^|\\b|\\B)#[0-9]+\\b")

// inline is a sentence of maitred's as HTML. Everything is escaped; nothing in
// it can become markup but the few forms of special.
func inline(text string) template.HTML {
	var b strings.Builder
	rest := text
	for {
		at := special.FindStringIndex(rest)
		if at == nil {
			break
		}
		b.WriteString(html.EscapeString(rest[:at[0]]))
		found := rest[at[0]:at[1]]
		escaped := html.EscapeString(found)
		switch found[0] {
		case '`':
			b.WriteString("<code>" + html.EscapeString(strings.Trim(found, "`")) + "</code>")
		case '#':
			b.WriteString(`<b class="number">` + escaped + "</b>")
		default:
			b.WriteString(`<a href="` + escaped + `" target="_blank" rel="noreferrer noopener">` + escaped + "</a>")
		}
		rest = rest[at[1]:]
	}
	b.WriteString(html.EscapeString(rest))
	return template.HTML(b.String()) //nolint:gosec // every part was escaped above
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
