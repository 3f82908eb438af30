package commands

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"maitred/chat"
	"maitred/platform"
)

// when writes a time as the asker reads a clock: without the day when it is
// today, in their zone when the chat tells it.
func when(t time.Time, c Call) string { return clock(t, c.Now, c.Person.Zone) }

func clock(t, now time.Time, zone string) string {
	if t.IsZero() {
		return "–"
	}
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		place = time.UTC
	}
	t, now = t.In(place), now.In(place)
	name := t.Format("MST")
	switch {
	case t.Year() == now.Year() && t.YearDay() == now.YearDay():
		return t.Format("15:04") + " " + name
	case t.Year() == now.Year():
		return t.Format("2 Jan 15:04") + " " + name
	}
	return t.Format("2 Jan 2006 15:04") + " " + name
}

// ago says how long something is past, for somebody who glances at it.
func ago(d time.Duration) string {
	if d < 2*time.Second {
		return "just now"
	}
	return chat.Span(d.Round(time.Second)) + " ago"
}

// because adds a reason to a sentence.
func because(why string) string {
	if why = strings.TrimRight(strings.TrimSpace(why), ". "); why == "" {
		return ""
	}
	return " (" + why + ")"
}

// aimed is a target as a line names it: "ocpizza to production".
func aimed(t platform.Target) string {
	if t.Environment == "" {
		return quote(t.App)
	}
	return quote(t.App) + " to " + quote(t.Environment)
}

// sentence ends text with a full stop. It leaves the beginning alone, which may
// be a name.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	if !strings.ContainsAny(text[len(text)-1:], ".!?") && !strings.HasSuffix(text, "…") {
		text += "."
	}
	return text
}

// capital begins text with a capital.
func capital(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// size writes bytes for people.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}

func parseCount(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && (n > 1000 || n < -1000) {
		return 0, fmt.Errorf("%d is out of range", n)
	}
	return n, err
}

// rows is a small table in a preformatted block.
type rows [][]string

func (r rows) String() string {
	var widths []int
	for _, row := range r {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range r {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// commit is how a commit is shown: its first seven characters.
func commit(sha string) string {
	if len(sha) > 7 {
		return sha[:7]
	}
	return sha
}
