package fault

import (
	"strconv"
	"strings"
	"unicode"
)

// Quote puts text in quotes for a sentence. Characters that nobody sees, or that
// move the cursor, are spelled out.
func Quote(text string) string {
	var b strings.Builder
	b.WriteRune('“')
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	b.WriteRune('”')
	return b.String()
}
