package slacktest

import (
	"fmt"
	"maps"
	"slices"
)

// Which elements may stand where.
var (
	accessories = []string{
		"button", "static_select", "external_select", "multi_static_select", "multi_external_select", "users_select", "conversations_select",
		"channels_select", "overflow", "datepicker", "timepicker", "datetimepicker", "radio_buttons", "checkboxes", "image",
	}
	fields = []string{
		"plain_text_input", "email_text_input", "url_text_input", "number_input", "static_select", "external_select", "multi_static_select",
		"multi_external_select", "users_select", "conversations_select", "channels_select", "datepicker", "timepicker", "datetimepicker",
		"radio_buttons", "checkboxes", "rich_text_input", "file_input",
	}
)

// properties are what each element may have besides type and action_id. What
// is not listed is not checked.
var properties = map[string][]string{
	"button":           {"text", "url", "value", "style", "confirm", "accessibility_label"},
	"static_select":    {"options", "option_groups", "initial_option", "confirm", "focus_on_load", "placeholder"},
	"external_select":  {"initial_option", "min_query_length", "confirm", "focus_on_load", "placeholder"},
	"plain_text_input": {"initial_value", "multiline", "min_length", "max_length", "dispatch_action_config", "focus_on_load", "placeholder"},
	"radio_buttons":    {"options", "initial_option", "confirm", "focus_on_load"},
	"checkboxes":       {"options", "initial_options", "confirm", "focus_on_load"},
	"overflow":         {"options", "confirm"},
}

func takesAction(e map[string]any) bool {
	return slices.Contains(accessories, str(e["type"])) && e["type"] != "image" || slices.Contains(fields, str(e["type"]))
}

func (c *checker) element(v any, at string, allowed []string) {
	e, ok := v.(map[string]any)
	kind := str(e["type"])
	if !ok || !slices.Contains(allowed, kind) {
		c.add(at, "unsupported type: %q", kind)
		return
	}
	if kind == "image" {
		c.image(e, at)
		return
	}
	if may, checked := properties[kind]; checked {
		for _, k := range slices.Sorted(maps.Keys(e)) {
			if k != "type" && k != "action_id" && !slices.Contains(may, k) {
				c.add(at+"/"+k, "invalid additional property: %s", k)
			}
		}
	}
	c.length(e["action_id"], at+"/action_id", 0, 255)
	if e["placeholder"] != nil {
		c.text(e["placeholder"], at+"/placeholder", 150, "plain_text")
	}
	if e["confirm"] != nil {
		c.confirm(e["confirm"], at+"/confirm")
	}
	switch kind {
	case "button":
		c.button(e, at)
	case "plain_text_input":
		c.input(e, at)
	case "static_select", "multi_static_select":
		c.selection(e, at)
	case "radio_buttons", "checkboxes":
		list, _ := e["options"].([]any)
		c.options(list, at+"/options", 1, 10)
	case "overflow":
		list, _ := e["options"].([]any)
		c.options(list, at+"/options", 1, 5)
	}
	if e["initial_option"] != nil {
		c.option(e["initial_option"], at+"/initial_option")
	}
}

func (c *checker) button(e map[string]any, at string) {
	c.text(e["text"], at+"/text", 75, "plain_text")
	c.length(e["value"], at+"/value", 0, 2000)
	c.length(e["url"], at+"/url", 0, 3000)
	c.length(e["accessibility_label"], at+"/accessibility_label", 0, 75)
	if style := e["style"]; style != nil && style != "primary" && style != "danger" {
		c.add(at+"/style", "must be primary or danger, not %v", style)
	}
}

func (c *checker) confirm(v any, at string) {
	d, ok := v.(map[string]any)
	if !ok {
		c.add(at, "must be a confirmation dialog")
		return
	}
	c.text(d["title"], at+"/title", 100, "plain_text")
	c.text(d["text"], at+"/text", 300, "plain_text", "mrkdwn")
	c.text(d["confirm"], at+"/confirm", 30, "plain_text")
	c.text(d["deny"], at+"/deny", 30, "plain_text")
	if style := d["style"]; style != nil && style != "primary" && style != "danger" {
		c.add(at+"/style", "must be primary or danger, not %v", style)
	}
}

func (c *checker) input(e map[string]any, at string) {
	c.length(e["initial_value"], at+"/initial_value", 0, 3000)
	for _, k := range []string{"min_length", "max_length"} {
		if n, ok := e[k].(float64); ok && (n < 0 || n > 3000) {
			c.add(at+"/"+k, "must be between 0 and 3000")
		}
	}
}

func (c *checker) selection(e map[string]any, at string) {
	list, plain := e["options"].([]any)
	groups, grouped := e["option_groups"].([]any)
	switch {
	case plain == grouped:
		c.add(at, "must have either options or option_groups")
	case plain:
		c.options(list, at+"/options", 1, 100)
	}
	if len(groups) > 100 {
		c.add(at+"/option_groups", "no more than 100 items allowed")
	}
	for i, g := range groups {
		group, _ := g.(map[string]any)
		here := fmt.Sprintf("%s/option_groups/%d", at, i)
		c.text(group["label"], here+"/label", 75, "plain_text")
		list, _ := group["options"].([]any)
		c.options(list, here+"/options", 1, 100)
	}
}

func (c *checker) options(list []any, at string, least, most int) {
	if len(list) < least || len(list) > most {
		c.add(at, "must have %d to %d items, not %d", least, most, len(list))
	}
	for i, o := range list {
		c.option(o, fmt.Sprintf("%s/%d", at, i))
	}
}

func (c *checker) option(v any, at string) {
	o, ok := v.(map[string]any)
	if !ok {
		c.add(at, "must be an option")
		return
	}
	c.text(o["text"], at+"/text", 75, "plain_text", "mrkdwn")
	c.length(o["value"], at+"/value", 1, 150)
	if o["description"] != nil {
		c.text(o["description"], at+"/description", 75, "plain_text", "mrkdwn")
	}
}

// elements are all elements of a block.
func elements(block map[string]any) []map[string]any {
	var out []map[string]any
	list, _ := block["elements"].([]any)
	list = append(slices.Clone(list), block["accessory"], block["element"])
	for _, e := range list {
		if element, ok := e.(map[string]any); ok {
			out = append(out, element)
		}
	}
	return out
}
