package slack

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"maitred/chat"
	"maitred/commands"
)

// heads are the first words of maitred's commands.
var heads = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	for _, v := range commands.Verbs() {
		words[first(v.Path)] = true
	}
	return words
})

// written is a slash and a word, as commands are written in sentences.
var written = regexp.MustCompile("(?:^|[\\s(“\"'`])/[a-z]+")

// look is card as it is shown at a place.
func (c *Chat) look(card chat.Card, at chat.Place) look {
	return draw(c.spell(card, at), c.options.Now())
}

// spell writes the commands in card as they are typed at a place in Slack: under
// /maitred unless they are slash commands of their own, and as a mention in a
// thread, where Slack has no slash commands. The lines of buttons stay.
func (c *Chat) spell(card chat.Card, at chat.Place) chat.Card {
	typed := func(text string) string { return c.typed(text, at.Thread != "") }
	card.Text = typed(card.Text)
	card.Fields, card.Notes, card.Steps = slices.Clone(card.Fields), slices.Clone(card.Notes), slices.Clone(card.Steps)
	for i := range card.Fields {
		card.Fields[i].Value = typed(card.Fields[i].Value)
	}
	for i := range card.Notes {
		card.Notes[i] = typed(card.Notes[i])
	}
	for i := range card.Steps {
		card.Steps[i].Say = typed(card.Steps[i].Say)
	}
	return card
}

// typed is text with its commands as they are typed.
func (c *Chat) typed(text string, inThread bool) string {
	var b strings.Builder
	done := 0
	for _, at := range written.FindAllStringIndex(text, -1) {
		slash := at[0] + strings.IndexByte(text[at[0]:at[1]], '/')
		word := text[slash+1 : at[1]]
		if !heads()[word] || pathlike(text[at[1]:]) || !inThread && slices.Contains(c.options.Commands, word) {
			continue
		}
		b.WriteString(text[done:slash])
		if inThread {
			b.WriteString("@" + Main + " ")
		} else {
			b.WriteString("/" + Main + " ")
		}
		done = slash + 1
	}
	b.WriteString(text[done:])
	return b.String()
}

// pathlike reports whether a word goes on as that of a path does.
func pathlike(rest string) bool {
	return rest != "" && strings.ContainsRune("/_-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", rune(rest[0]))
}
