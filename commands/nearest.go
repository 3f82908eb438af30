package commands

import (
	"slices"
	"strings"
)

// nearest is the one of choices that was most likely meant by typed: the same
// but for case, or a few slips of the finger away. No idea is "".
func nearest(typed string, choices []string) string {
	best, slips := "", len([]rune(typed))/3+1
	for _, choice := range choices {
		if strings.EqualFold(typed, choice) {
			return choice
		}
		if d := distance(strings.ToLower(typed), strings.ToLower(choice)); d <= slips && (best == "" || d < slips) {
			best, slips = choice, d
		}
	}
	if best != "" || len([]rune(typed)) < 3 {
		return best
	}
	for _, choice := range choices {
		if strings.HasPrefix(strings.ToLower(choice), strings.ToLower(typed)) {
			return choice
		}
	}
	return ""
}

// distance counts the slips (a letter wrong, missing, too many, or two swapped)
// that make b of a.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s)-len(t) > 8 || len(t)-len(s) > 8 {
		return max(len(s), len(t))
	}
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range t {
		rows[0][j+1] = j + 1
	}
	for i := range s {
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			d := min(rows[i][j+1]+1, rows[i+1][j]+1, rows[i][j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				d = min(d, rows[i-1][j-1]+1)
			}
			rows[i+1][j+1] = d
		}
	}
	return rows[len(s)][len(t)]
}

// list writes names as a sentence does: "a, b or c".
func list(names []string, last string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
}

// fold finds name among names without regard to case.
func fold(name string, names []string) (string, bool) {
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	if i < 0 {
		return "", false
	}
	return names[i], true
}
