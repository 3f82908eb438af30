package config

import (
	"fmt"
	"strings"
)

// didYouMean is the hint for a word that is none of choices: the nearest one,
// else all of them when they are few.
func didYouMean(word string, choices []string) string {
	best, slips := "", len([]rune(word))/3+1
	for _, choice := range choices {
		if d := distance(strings.ToLower(word), strings.ToLower(choice)); d <= slips && (best == "" || d < slips) {
			best, slips = choice, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("Did you mean %q?", best)
	case len(choices) == 0:
		return "None is declared."
	case len(choices) <= 20:
		return "There is " + list(choices, "and") + "."
	}
	return ""
}

// list is "a, b or c".
func list(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}

// distance counts the letters that must be put in, taken out or changed to make
// b of a.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 || len(t) > 64 {
		return 64
	}
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		diagonal := row[0]
		row[0] = i + 1
		for j := range t {
			cost := diagonal
			if s[i] != t[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(t)]
}
