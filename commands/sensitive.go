package commands

import (
	"regexp"
	"slices"
	"strings"
)

// redacted stands where a value was.
const redacted = "[redacted]"

var (
	assignment  = regexp.MustCompile(`(?s)^(.*?)\b([A-Za-z_][A-Za-z0-9_]*)(\s*=\s*)(.+)$`)
	variable    = regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`)
	placeOption = regexp.MustCompile(`^--(to|in|on|env|environment)(=.*)?$`)
)

// usual are environments by the names that people give them. "to production"
// behind a variable's name is a place; "to hunter2" is a secret.
var usual = []string{
	"production", "prod", "live", "staging", "stage", "preview", "preprod", "review",
	"test", "testing", "qa", "demo", "sandbox", "dev", "development", "local",
}

// Sensitive is line as it may be stored: a value that somebody typed after
// "/config set", however it is spelled, is taken out. It errs on the side of
// taking out too much, and leaves every line alone that is carried out as it was
// typed.
func (r *Registry) Sensitive(line string) string { return sensitive(line, r.names()) }

func sensitive(line string, known names) string {
	pieces := spaced(line)
	at := settingAt(pieces)
	switch {
	case at > 0:
		return strings.Join(pieces[:at], "") + scrub(pieces[at:], known)
	case understood(line):
		return line
	}
	if m := assignment.FindStringSubmatch(line); m != nil && perhapsSetting(line, m[2]) {
		return m[1] + m[2] + m[3] + redacted
	}
	return line
}

// perhapsSetting reports whether a line that is no command, with something
// assigned to name in it, may have been meant to set a variable.
func perhapsSetting(line, name string) bool {
	first := ""
	for _, piece := range spaced(line) {
		if first = strings.ToLower(strings.Trim(piece, " \t\r\n/\"'@:,")); first != "" && first != "maitred" {
			break
		}
	}
	switch nearest(first, firstWords()) {
	case "", "config":
		return true
	case "run":
		return false
	}
	return variable.MatchString(name)
}

// settingAt is the index behind "config set", or 0 when line does not say so.
func settingAt(pieces []string) int {
	bare := func(i int) string { return strings.ToLower(strings.Trim(pieces[i], " \t\r\n/\"'@:,")) }
	for i := 0; i+1 < len(pieces) && i < 4; i++ {
		switch first := bare(i); {
		case first == "config" && bare(i+1) == "set":
			return i + 2
		case first != "" && first != "maitred":
			return 0
		}
	}
	return 0
}

// understood reports whether line begins with a command, which then is not
// "config set".
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

// scrub keeps the app, the name and the environment of what follows "config
// set"; everything from the first other word on is a value.
func scrub(pieces []string, known names) string {
	var out strings.Builder
	var plain []string
	for i := 0; i < len(pieces); i++ {
		w := strings.TrimSpace(pieces[i])
		name, _, assigned := strings.Cut(w, "=")
		switch {
		case w == "":
			out.WriteString(pieces[i])
		case placeOption.MatchString(w):
			out.WriteString(pieces[i])
			if !assigned && i+1 < len(pieces) {
				i++
				out.WriteString(pieces[i])
			}
		case assigned:
			out.WriteString(blanks(pieces[i]) + name + "=" + redacted)
			return out.String()
		case joins(w) && i+1 < len(pieces) && place(strings.TrimSpace(pieces[i+1]), known):
			out.WriteString(pieces[i] + pieces[i+1])
			i++
		case len(plain) == 0, len(plain) == 1 && follows(w, plain[0], known):
			plain = append(plain, w)
			out.WriteString(pieces[i])
		default:
			out.WriteString(blanks(pieces[i]) + redacted)
			return out.String()
		}
	}
	return out.String()
}

// follows reports whether w can be the name of a variable behind an app. The
// name of an app that nobody knows is taken for that of a variable, unless what
// follows is written as names of variables are.
func follows(w, first string, known names) bool {
	if _, app := fold(first, known.apps); app {
		return validName.MatchString(w)
	}
	return !variable.MatchString(first) && variable.MatchString(w)
}

func place(w string, known names) bool {
	_, configured := fold(w, known.environments)
	return configured || slices.Contains(usual, strings.ToLower(w))
}

func joins(w string) bool { return slices.Contains([]string{"to", "in", "on"}, strings.ToLower(w)) }

func blanks(piece string) string { return piece[:len(piece)-len(strings.TrimLeft(piece, " \t\r\n"))] }

// spaced are the words of text, each with the blanks before it.
func spaced(text string) []string {
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
