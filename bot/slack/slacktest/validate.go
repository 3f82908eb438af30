package slacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Surface is where blocks are shown; each allows other blocks.
type Surface string

// The surfaces.
const (
	OnMessage Surface = "message"
	OnModal   Surface = "modal"
	OnHome    Surface = "home"
)

// MaxCharacters is the ceiling over all blocks of a message that no page of
// Slack's documentation names: above it comes msg_blocks_too_long.
const MaxCharacters = 13200

// CheckBlocks says, in words, why Slack would refuse these blocks. Blocks are
// as decoded from JSON.
func CheckBlocks(blocks []any, on Surface) []string {
	c := &checker{on: on, ids: map[string]bool{}}
	most := 50
	if on != OnMessage {
		most = 100
	}
	if len(blocks) > most {
		c.add("", "no more than %d items allowed, not %d", most, len(blocks))
	}
	for i, b := range blocks {
		c.block(b, fmt.Sprintf("/blocks/%d", i))
	}
	return c.problems
}

// CheckMessage does the same with the JSON of blocks, and counts characters.
func CheckMessage(blocks []byte) []string {
	var in []any
	if err := json.Unmarshal(blocks, &in); err != nil {
		return []string{"invalid_blocks_format: " + err.Error()}
	}
	out := CheckBlocks(in, OnMessage)
	if n := Characters(in); n > MaxCharacters {
		out = append(out, fmt.Sprintf("msg_blocks_too_long: %d characters", n))
	}
	return out
}

// CheckView says why Slack would refuse this view.
func CheckView(view map[string]any, on Surface) []string {
	c := &checker{on: on}
	kind := "modal"
	if on == OnHome {
		kind = "home"
	}
	if view["type"] != kind {
		c.add("/view/type", "must be %q", kind)
	}
	c.length(view["private_metadata"], "/view/private_metadata", 0, 3000)
	c.length(view["callback_id"], "/view/callback_id", 0, 255)
	c.length(view["external_id"], "/view/external_id", 0, 255)
	blocks, ok := view["blocks"].([]any)
	if !ok {
		c.add("/view/blocks", "is required")
	}
	if on == OnModal {
		c.text(view["title"], "/view/title", 24, "plain_text")
		for _, k := range []string{"submit", "close"} {
			if view[k] != nil {
				c.text(view[k], "/view/"+k, 24, "plain_text")
			}
		}
		for _, b := range blocks {
			if block, _ := b.(map[string]any); block["type"] == "input" && view["submit"] == nil {
				c.add("/view/submit", "is required when there is an input")
				break
			}
		}
	}
	known := []string{"type", "title", "blocks", "close", "submit", "private_metadata", "callback_id", "clear_on_close", "notify_on_close", "external_id", "submit_disabled"}
	for _, k := range slices.Sorted(maps.Keys(view)) {
		if !slices.Contains(known, k) {
			c.add("/view/"+k, "is unknown")
		}
	}
	return append(c.problems, CheckBlocks(blocks, on)...)
}

type checker struct {
	on       Surface
	ids      map[string]bool
	problems []string
}

func (c *checker) add(at, format string, args ...any) {
	c.problems = append(c.problems, "[ERROR] "+fmt.Sprintf(format, args...)+" [json-pointer:"+at+"]")
}

// keys are what each block may have besides type and block_id.
var keys = map[string][]string{
	"section": {"text", "fields", "accessory", "expand"},
	"divider": {},
	"header":  {"text", "level"},
	"context": {"elements"},
	"actions": {"elements"},
	"image":   {"image_url", "alt_text", "title", "slack_file"},
	"input":   {"label", "element", "hint", "optional", "dispatch_action"},
	"rich_text": {
		"elements"},
	"markdown": {"text"},
}

func (c *checker) block(b any, at string) {
	block, ok := b.(map[string]any)
	kind := str(block["type"])
	allowed, known := keys[kind]
	if !ok || !known {
		c.add(at, "unsupported type: %q", kind)
		return
	}
	for _, k := range slices.Sorted(maps.Keys(block)) {
		if k != "type" && k != "block_id" && !slices.Contains(allowed, k) {
			c.add(at+"/"+k, "invalid additional property: %s", k)
		}
	}
	c.length(block["block_id"], at+"/block_id", 0, 255)
	if id := str(block["block_id"]); id != "" && c.ids[id] {
		c.add(at+"/block_id", "block_id %q is used twice", id)
	} else if id != "" {
		c.ids[id] = true
	}
	switch kind {
	case "section":
		c.section(block, at)
	case "header":
		c.text(block["text"], at+"/text", 150, "plain_text")
	case "context":
		c.context(block, at)
	case "actions":
		c.actions(block, at)
	case "image":
		c.image(block, at)
	case "input":
		c.inputBlock(block, at)
	case "markdown":
		c.length(block["text"], at+"/text", 1, 12000)
	}
}

func (c *checker) section(block map[string]any, at string) {
	fields, _ := block["fields"].([]any)
	if block["text"] == nil && len(fields) == 0 {
		c.add(at, "missing required field: text or fields")
	}
	if block["text"] != nil {
		c.text(block["text"], at+"/text", 3000, "plain_text", "mrkdwn")
	}
	if block["fields"] != nil && (len(fields) < 1 || len(fields) > 10) {
		c.add(at+"/fields", "must have 1 to 10 items, not %d", len(fields))
	}
	for i, f := range fields {
		c.text(f, fmt.Sprintf("%s/fields/%d", at, i), 2000, "plain_text", "mrkdwn")
	}
	if block["accessory"] != nil {
		c.element(block["accessory"], at+"/accessory", accessories)
	}
}

func (c *checker) context(block map[string]any, at string) {
	list, _ := block["elements"].([]any)
	if len(list) < 1 || len(list) > 10 {
		c.add(at+"/elements", "must have 1 to 10 items, not %d", len(list))
	}
	for i, e := range list {
		here := fmt.Sprintf("%s/elements/%d", at, i)
		if element, _ := e.(map[string]any); element["type"] == "image" {
			c.image(element, here)
		} else {
			c.text(e, here, 3000, "plain_text", "mrkdwn")
		}
	}
}

func (c *checker) actions(block map[string]any, at string) {
	list, _ := block["elements"].([]any)
	if len(list) < 1 || len(list) > 25 {
		c.add(at+"/elements", "must have 1 to 25 items, not %d", len(list))
	}
	used := map[string]bool{}
	for i, e := range list {
		here := fmt.Sprintf("%s/elements/%d", at, i)
		c.element(e, here, accessories)
		element, _ := e.(map[string]any)
		if id := str(element["action_id"]); id != "" && used[id] {
			c.add(here+"/action_id", "action_id %q is used twice", id)
		} else {
			used[id] = true
		}
	}
}

func (c *checker) image(block map[string]any, at string) {
	if block["image_url"] == nil && block["slack_file"] == nil {
		c.add(at, "missing required field: image_url or slack_file")
	}
	c.length(block["image_url"], at+"/image_url", 0, 3000)
	c.length(block["alt_text"], at+"/alt_text", 1, 2000)
	if block["title"] != nil {
		c.text(block["title"], at+"/title", 2000, "plain_text")
	}
}

func (c *checker) inputBlock(block map[string]any, at string) {
	c.text(block["label"], at+"/label", 2000, "plain_text")
	if block["hint"] != nil {
		c.text(block["hint"], at+"/hint", 2000, "plain_text")
	}
	if block["element"] == nil {
		c.add(at+"/element", "missing required field: element")
		return
	}
	c.element(block["element"], at+"/element", fields)
}

// text checks a text object.
func (c *checker) text(v any, at string, most int, kinds ...string) {
	t, ok := v.(map[string]any)
	if !ok {
		c.add(at, "must be a text object")
		return
	}
	kind := str(t["type"])
	if !slices.Contains(kinds, kind) {
		c.add(at+"/type", "must be one of %s, not %q", strings.Join(kinds, ", "), kind)
	}
	c.length(t["text"], at+"/text", 1, most)
	for k := range t {
		switch {
		case k == "type", k == "text", k == "emoji" && kind == "plain_text", k == "verbatim" && kind == "mrkdwn":
		default:
			c.add(at+"/"+k, "invalid additional property: %s", k)
		}
	}
}

// length checks a string; least 0 means that it may be missing.
func (c *checker) length(v any, at string, least, most int) {
	s, ok := v.(string)
	switch n := utf8.RuneCountInString(s); {
	case v == nil && least == 0:
	case !ok:
		c.add(at, "must be a string")
	case n < least:
		c.add(at, "must be more than %d characters", least-1)
	case n > most:
		c.add(at, "must be less than %d characters, not %d", most+1, n)
	}
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func textOf(v any) string {
	t, _ := v.(map[string]any)
	return str(t["text"])
}
