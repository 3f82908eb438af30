package bot

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"maitred/chat"
)

// longest is how much of a line is kept, in bytes. No command is near it; the
// grammar says so to whoever pasted a novel.
const longest = 64 << 10

// Addressed reports whether in speaks to maitred, and the line as it was meant.
// What is clicked, submitted, scheduled or called always does. What is typed does
// when it begins with "/" or with maitred's name or mentions @maitred; in a
// thread also a bare approve, reject or cancel. The rest is people talking to
// each other.
func Addressed(in chat.Inbound) (line string, ok bool) {
	switch in.Source {
	case chat.Clicked, chat.Submitted, chat.Scheduled:
		return cut(strings.TrimSpace(in.Line)), true
	case chat.Called:
		return Clean(in.Line), true
	}
	line = Clean(in.Line)
	if strings.HasPrefix(line, "/") {
		return line, true
	}
	if rest, ok := named(line); ok {
		return rest, true
	}
	if in.Place.Thread != "" && bare(line) {
		return line, true
	}
	return line, false
}

var (
	nameFirst = regexp.MustCompile(`(?i)^@?maitred\b[:,]?\s*`)
	nameAny   = regexp.MustCompile(`(?i)(?:^|\s)@maitred\b[:,]?\s*`)
)

// named is what is said to maitred by its name.
func named(line string) (rest string, ok bool) {
	at := nameFirst.FindStringIndex(line)
	if at == nil {
		at = nameAny.FindStringIndex(line)
	}
	if at == nil {
		return line, false
	}
	if rest = strings.TrimSpace(line[at[1]:]); rest == "" {
		rest = "help"
	}
	return rest, true
}

// bare reports whether line is one of the words that work in an operation's
// thread without any address: "approve", "cancel #214", "reject it locks orders".
func bare(line string) bool {
	words := strings.Fields(line)
	if len(words) == 0 {
		return false
	}
	switch strings.ToLower(words[0]) {
	case "reject":
		return true
	case "approve", "cancel":
		return len(words) == 1 || len(words) == 2 && number(words[1])
	}
	return false
}

func number(word string) bool {
	word = strings.TrimPrefix(word, "#")
	return word != "" && strings.Trim(word, "0123456789") == ""
}

// Clean undoes what chats and keyboards do to a line: links and mentions in
// angle brackets, entities, curly quotes, long dashes for "--", blanks of other
// kinds, and characters that nobody sees. Control characters stay, for the
// grammar to refuse.
func Clean(line string) string {
	line = strings.ToValidUTF8(cut(line), "\uFFFD")
	line = strings.Map(plain, line)
	line = bracket.ReplaceAllStringFunc(line, unlink)
	line = entities.Replace(line)
	line = dashes(line)
	line = strings.TrimSpace(line)
	if n := len(line); n > 2 && line[0] == '`' && line[n-1] == '`' && strings.Count(line, "`") == 2 {
		line = strings.TrimSpace(line[1 : n-1]) // a command that was copied as code
	}
	return line
}

// cut keeps a line within what is stored, at the end of a character.
func cut(line string) string {
	if len(line) <= longest {
		return line
	}
	end := longest
	for end > 0 && !utf8.RuneStart(line[end]) {
		end--
	}
	return line[:end]
}

// plain is the character that was typed before a keyboard improved it; -1 takes
// it out.
func plain(r rune) rune {
	switch r {
	case '“', '”', '„', '‟', '″', '＂':
		return '"'
	case '‘', '’', '‚', '‛', '′', '＇':
		return '\''
	case '\u2010', '\u2011', '\u2012', '\u2212', '\uFE63', '\uFF0D':
		return '-'
	case '\u00ad', '\u200b', '\u200c', '\u200d', '\u2060', '\u180e', '\ufeff', '\u200e', '\u200f', '\u061c', '\ufe0f':
		return -1
	case '\t', '\n', '\r':
		return r
	}
	if unicode.Is(unicode.Zs, r) || r == '\u2028' || r == '\u2029' {
		return ' '
	}
	return r
}

// bracket is one thing in angle brackets, as Slack and Discord write links,
// people, channels, groups and emoji. What a person types in angle brackets
// arrives as entities where this notation is used.
var bracket = regexp.MustCompile(`<(?:https?:|mailto:|tel:|[@#!:]|a:)[^<>\s|]*(?:\|[^<>|]*)?>`)

func unlink(text string) string {
	body, label, labelled := strings.Cut(text[1:len(text)-1], "|")
	switch kind := body[0]; {
	case kind == '@' || kind == '#':
		if labelled && label != "" {
			return string(kind) + strings.TrimLeft(label, "@#")
		}
		return string(kind) + strings.TrimLeft(body[1:], "!&")
	case kind == '!':
		if labelled && label != "" {
			return "@" + strings.TrimPrefix(label, "@")
		}
		name, _, _ := strings.Cut(body[1:], "^")
		return "@" + name
	case kind == ':' || strings.HasPrefix(body, "a:"):
		parts := strings.Split(body, ":")
		if len(parts) < 2 {
			return text
		}
		return ":" + parts[1] + ":"
	case labelled && label != "":
		return label
	}
	return strings.TrimPrefix(strings.TrimPrefix(body, "mailto:"), "tel:")
}

var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&nbsp;", " ", "&amp;", "&")

// dashes makes "--for" of "—for" and "–for", and a hyphen of such a dash inside a
// word. A dash that stands alone is punctuation and stays.
func dashes(line string) string {
	if !strings.ContainsAny(line, "–—") {
		return line
	}
	runes := []rune(line)
	blank := func(i int) bool { return i < 0 || i >= len(runes) || unicode.IsSpace(runes[i]) }
	var out strings.Builder
	for i, r := range runes {
		switch {
		case r != '–' && r != '—', blank(i-1) && blank(i+1):
			out.WriteRune(r)
		case blank(i - 1):
			out.WriteString("--")
		default:
			out.WriteRune('-')
		}
	}
	return out.String()
}
