package commands

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"maitred/fault"
)

// maxLine is how many characters a line may have. No chat sends longer ones as
// a command; what is longer was pasted by mistake.
const maxLine = 4000

// word is one word of a line. A quoted word is never read as an option or as a
// joining word such as "to".
type word struct {
	text   string
	quoted bool
}

// split takes a line apart as a shell does: blanks separate, '…' and "…" keep
// together, a backslash takes the special meaning from a quote, a blank or
// another backslash. An apostrophe between letters is a letter, because people
// write "don't" in a reason.
func split(line string) ([]word, error) {
	if n := utf8.RuneCountInString(line); n > maxLine {
		return nil, invalid("/help", "That is %d characters long; a command has at most %d.", n, maxLine)
	}
	if err := printable(line); err != nil {
		return nil, err
	}
	s := splitter{runes: []rune(line)}
	return s.words()
}

// printable refuses what a keyboard does not type. Blanks of every kind are
// fine; marks that reverse the direction of a text are not, because they make a
// line read differently from what it does.
func printable(line string) error {
	if !utf8.ValidString(line) {
		return invalid("/help", "That is not text that I can read (it is not valid UTF-8). Please type it again.")
	}
	for _, r := range line {
		reverses := r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
		if reverses || unicode.IsControl(r) && !unicode.IsSpace(r) {
			return invalid("/help", "There is an invisible control character (%U) in that line. Please type it again without it.", r)
		}
	}
	return nil
}

type splitter struct {
	runes []rune
	at    int
}

func (s *splitter) words() ([]word, error) {
	var words []word
	for {
		for s.at < len(s.runes) && unicode.IsSpace(s.runes[s.at]) {
			s.at++
		}
		if s.at == len(s.runes) {
			return words, nil
		}
		w, err := s.word()
		if err != nil {
			return nil, err
		}
		words = append(words, w)
	}
}

func (s *splitter) word() (word, error) {
	var text strings.Builder
	begin := s.at
	for s.at < len(s.runes) && !unicode.IsSpace(s.runes[s.at]) {
		switch r := s.runes[s.at]; {
		case r == '\\' && s.at+1 < len(s.runes) && special(s.runes[s.at+1]):
			text.WriteRune(s.runes[s.at+1])
			s.at += 2
		case r == '"', r == '\'' && !s.apostrophe(begin):
			if err := s.quoted(&text, r); err != nil {
				return word{}, err
			}
		default:
			text.WriteRune(r)
			s.at++
		}
	}
	return word{text: text.String(), quoted: s.runes[begin] == '"' || s.runes[begin] == '\''}, nil
}

func (s *splitter) quoted(text *strings.Builder, quote rune) error {
	begin := s.at
	for s.at++; s.at < len(s.runes); s.at++ {
		r := s.runes[s.at]
		if r == quote {
			s.at++
			return nil
		}
		if quote == '"' && r == '\\' && s.at+1 < len(s.runes) && (s.runes[s.at+1] == '"' || s.runes[s.at+1] == '\\') {
			s.at++
			r = s.runes[s.at]
		}
		text.WriteRune(r)
	}
	return invalid("", "The quote that opens at character %d (%c) is never closed. Close it, or leave it out.", begin+1, quote)
}

func (s *splitter) apostrophe(begin int) bool {
	return s.at > begin && (unicode.IsLetter(s.runes[s.at-1]) || unicode.IsDigit(s.runes[s.at-1]))
}

func special(r rune) bool { return r == '"' || r == '\'' || r == '\\' || unicode.IsSpace(r) }

// quote writes text so that split reads it back as one word.
func quote(text string) string {
	plain := text != "" && !strings.HasPrefix(text, "-") && !strings.ContainsFunc(text, func(r rune) bool {
		return special(r)
	})
	if plain {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func invalid(hint, say string, args ...any) error {
	return fault.New(fault.Invalid, "commands.parse", hint, say, args...)
}
