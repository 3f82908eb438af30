package commands

import (
	"regexp"
	"strings"
)

// The words of "config set" as people type and mistype them, and what may stand
// before them.
var (
	setting    = regexp.MustCompile(`(?is)^(\W*(?:@?maitred[:,]?\s+)?/?config\s+set\b)(.*)$`)
	configured = regexp.MustCompile(`(?is)^\W*(?:@?maitred[:,]?\s+)?/?config\b`)
	assignment = regexp.MustCompile(`(?s)^(.*?\b[A-Za-z_][A-Za-z0-9_]*\s*=\s*)(.+)$`)
	variable   = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	toFlag     = regexp.MustCompile(`^--(to|in|on|env|environment)(=.*)?$`)
)

const redacted = "[redacted]"

// Sensitive is line as it may be stored: a value that somebody typed after
// "/config set" is taken out, however it was spelled. A line that carries no
// value comes back as it is. It errs on the side of taking out too much, and
// never touches a line of a command that is carried out as it was typed.
func Sensitive(line string) string {
	if m := setting.FindStringSubmatch(line); m != nil {
		return m[1] + settingWords(m[2])
	}
	if m := assignment.FindStringSubmatch(line); m != nil && (configured.MatchString(line) || !understood(line)) {
		return m[1] + redacted
	}
	return line
}

// understood reports whether line begins with a command.
func understood(line string) bool {
	words, err := split(line)
	if err != nil {
		return false
	}
	words = addressed(words)
	if len(words) == 0 {
		return true
	}
	_, _, err = find(words)
	return err == nil
}

// settingWords keeps the app, the name and --to ENV of what follows "config set".
func settingWords(rest string) string {
	var out strings.Builder
	named, words, gone := false, 0, false
	keepNext := false
	for _, piece := range pieces(rest) {
		w := strings.TrimSpace(piece)
		name, value, assigned := strings.Cut(w, "=")
		switch {
		case w == "":
			out.WriteString(piece)
			continue
		case keepNext, !named && w == "--", toFlag.MatchString(w) && !gone:
			keepNext = !keepNext && toFlag.MatchString(w) && !strings.Contains(w, "=")
		case gone:
			continue
		case assigned && (value != "" || name != ""):
			out.WriteString(strings.Replace(piece, w, name+"="+redacted, 1))
			gone = true
			continue
		case !named && words == 0, !named && words == 1 && variable.MatchString(strings.Trim(w, `"'`)):
			named = words == 1 || variable.MatchString(strings.Trim(w, `"'`))
			words++
		default:
			out.WriteString(strings.Replace(piece, w, redacted, 1))
			gone = true
			continue
		}
		out.WriteString(piece)
	}
	return out.String()
}

// pieces are the words of text, each with the blanks before it.
func pieces(text string) []string {
	var out []string
	begin, inWord := 0, false
	for i, r := range text {
		blank := strings.ContainsRune(" \t\n\r", r)
		if blank && inWord {
			out = append(out, text[begin:i])
			begin = i
		}
		inWord = !blank
	}
	return append(out, text[begin:])
}
