package slacktest

import (
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// shown is one text of a message.
type shown struct{ kind, text string }

// texts are all texts of blocks in the order of reading, buttons left out.
func texts(blocks []any) []shown {
	var out []shown
	take := func(v any) {
		if t, ok := v.(map[string]any); ok && str(t["text"]) != "" {
			out = append(out, shown{str(t["type"]), str(t["text"])})
		}
	}
	for _, b := range blocks {
		block, _ := b.(map[string]any)
		if block["type"] == "markdown" {
			out = append(out, shown{"markdown", str(block["text"])})
			continue
		}
		for _, k := range []string{"title", "text", "label", "hint"} {
			take(block[k])
		}
		if alt := str(block["alt_text"]); alt != "" {
			out = append(out, shown{"plain_text", alt})
		}
		list, _ := block["fields"].([]any)
		for _, f := range list {
			take(f)
		}
		if block["type"] == "context" {
			for _, e := range elements(block) {
				take(e)
			}
		}
		if block["type"] == "rich_text" {
			richTexts(block, &out)
		}
	}
	return out
}

func richTexts(v any, out *[]shown) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			richTexts(e, out)
		}
	case map[string]any:
		if t := str(v["text"]); t != "" {
			*out = append(*out, shown{"plain_text", t})
		}
		richTexts(v["elements"], out)
	}
}

// Characters counts what Slack counts over all blocks.
func Characters(blocks []any) int {
	n := 0
	for _, t := range texts(blocks) {
		n += utf8.RuneCountInString(t.text)
	}
	for _, b := range Buttons(blocks) {
		n += utf8.RuneCountInString(b.Label)
	}
	return n
}

var special = regexp.MustCompile(`<([^<>]+)>`)

// Reads is a message or a view as people read it: entities undone, mentions by
// name, links by their label.
func (s *Slack) Reads(m Message) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(m.Blocks) == 0 {
		return s.plain(m.Text)
	}
	return s.readBlocks(m.Blocks)
}

// ReadsView is a view as people read it.
func (s *Slack) ReadsView(v View) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	blocks, _ := v.Body["blocks"].([]any)
	return strings.TrimSpace(textOf(v.Body["title"]) + "\n" + s.readBlocks(blocks))
}

func (s *Slack) readBlocks(blocks []any) string {
	var lines []string
	for _, t := range texts(blocks) {
		if t.kind == "mrkdwn" {
			lines = append(lines, s.plain(t.text))
		} else {
			lines = append(lines, t.text)
		}
	}
	return strings.Join(lines, "\n")
}

// plain is mrkdwn as people read it. The marks of bold and code are left out
// where they stand in pairs.
func (s *Slack) plain(text string) string {
	text = special.ReplaceAllStringFunc(text, func(m string) string {
		body, label, labelled := strings.Cut(m[1:len(m)-1], "|")
		switch {
		case strings.HasPrefix(body, "!date^"):
			return label
		case strings.HasPrefix(body, "@"):
			if u := s.users[body[1:]]; u != nil {
				return "@" + u.Name
			}
		case strings.HasPrefix(body, "!subteam^"):
			if g := s.groups[strings.TrimPrefix(body, "!subteam^")]; g != nil {
				return "@" + g.Handle
			}
		case strings.HasPrefix(body, "#"):
			if c := s.channels[body[1:]]; c != nil {
				return "#" + c.Name
			}
		case strings.HasPrefix(body, "!"):
			return "@" + body[1:]
		}
		if labelled {
			return label
		}
		return body
	})
	text = formatted.ReplaceAllString(text, "$1$2$3")
	return html.UnescapeString(text)
}

var formatted = regexp.MustCompile("(?s)```(.*?)```|`([^`\n]+)`|\\*([^*\n]+)\\*")

// Mentions are the names of those whom the message notified when it was new:
// people, groups by their handle, "channel" for everybody.
func (s *Slack) Mentions(m Message) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, id := range m.Notified {
		name := id
		if u := s.users[id]; u != nil {
			name = u.Name
		}
		if g := s.groups[id]; g != nil {
			name = g.Handle
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
