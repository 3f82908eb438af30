package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"maitred/fault"
)

// Problem points at a place in the file, as a compiler does.
type Problem struct {
	File      string
	Line, Col int
	Say, Hint string
}

// String is "maitred.yml:12:3: Sentence. Hint."
func (p Problem) String() string {
	text := p.File
	if p.Line > 0 {
		text = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
	text += ": " + p.Say
	if p.Hint != "" {
		text += " " + p.Hint
	}
	return text
}

// Problems are all that is wrong with a file, in the order of the file.
type Problems []Problem

// Error is one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap is the fault for a person: how many problems there are, and the first.
func (p Problems) Unwrap() error {
	if len(p) == 0 {
		return nil
	}
	say := fmt.Sprintf("%s has a problem. %s", p[0].File, p[0].place())
	if len(p) > 1 {
		say = fmt.Sprintf("%s has %d problems. The first: %s", p[0].File, len(p), p[0].place())
	}
	return fault.New(fault.Invalid, "config.load", "maitred check "+p[0].File, "%s", say)
}

func (p Problem) place() string {
	if p.Line == 0 {
		return p.Say
	}
	return fmt.Sprintf("Line %d: %s", p.Line, p.Say)
}

func (p Problems) sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	return p
}
