package commands

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform/engine"
)

var faultStates = map[fault.Kind]chat.State{
	fault.Internal: chat.Bad, fault.Unreachable: chat.Bad,
	fault.Forbidden: chat.Warning, fault.Refused: chat.Warning, fault.Busy: chat.Waiting,
}

var faultWords = map[fault.Kind]string{
	fault.Internal: "failed", fault.Unreachable: "unreachable", fault.Forbidden: "not allowed",
	fault.Refused: "refused", fault.Busy: "busy", fault.Invalid: "not understood",
	fault.Missing: "not found", fault.Unsupported: "not possible",
}

// FaultCard words a failure the same way in every chat: the sentence, and the
// next thing to type. Hints that are complete commands become buttons. May is
// asked for a reason why the reader may not say such a line, which then is told
// in its stead; nil lets everything be said.
func FaultCard(err error, may func(line string) error) chat.Card {
	f := fault.Of(err)
	if f == nil {
		return chat.Card{}
	}
	card := chat.Card{State: faultStates[f.Kind], Word: faultWords[f.Kind], Text: sentence(f.Say)}
	if twin := new(engine.Duplicate); errors.As(err, &twin) {
		card.Buttons = []chat.Button{{Label: fmt.Sprintf("Show #%d", twin.ID), Line: fmt.Sprintf("/operation %d", twin.ID)}}
		return card
	}
	var hints, others []string
	for _, hint := range strings.Split(f.Hint, "\n") {
		if hint = strings.TrimSpace(hint); hint == "" {
			continue
		}
		whole := complete(hint)
		if whole && may != nil {
			if err := may(hint); err != nil {
				others = append(others, sentence(fault.Of(err).Say))
				continue
			}
		}
		hints = append(hints, hint)
		if whole && len(card.Buttons) < 5 {
			card.Buttons = append(card.Buttons, chat.Button{Label: clip(hint, 60), Line: hint})
		}
	}
	if len(hints) > 0 {
		card.Text += " " + list(hints, "or")
	}
	if len(hints) == 0 {
		for _, other := range slices.Compact(others) {
			card.Text += " " + other
		}
	}
	return card
}

// complete reports whether a hint can be said as it is: it is a command, and no
// word of it stands for something else.
func complete(hint string) bool {
	words, err := split(hint)
	if err != nil || !strings.HasPrefix(hint, "/") {
		return false
	}
	rest := addressed(words)
	if len(rest) == 0 {
		return false
	}
	l, args, err := find(rest)
	if err != nil {
		return false
	}
	for _, w := range args {
		if placeholder(w.text, l) {
			return false
		}
	}
	return true
}

// placeholder reports whether text stands for something: "[to", "REF", "WHY".
func placeholder(text string, l *leaf) bool {
	if strings.ContainsAny(text, "[]<>…|") {
		return true
	}
	for _, p := range append(append([]Param{{Shown: "APP"}, {Shown: "ENV"}, {Shown: "WHY"}, {Shown: "ID"}}, l.Args...), l.Flags...) {
		for _, shown := range strings.Fields(p.Shown) {
			if text == shown && text != strings.ToLower(text) {
				return true
			}
		}
	}
	return false
}
