package slacktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Submit fills in the modal on top and submits it. Values go by the action_id,
// block_id or label of their field. Slack itself refuses what is required and
// missing, or too long.
func (p *Person) Submit(values map[string]string) *Delivery {
	s := p.slack
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.top(p.ID)
	if v == nil {
		return s.rejected(errors.New("there is no modal"))
	}
	if err := v.fill(values); err != nil {
		return s.rejected(err)
	}
	payload := s.interaction("view_submission", p)
	payload["trigger_id"], payload["view"] = s.newTrigger(p.ID), s.viewShape(v)
	return s.deliver(KindInteractive, payload, func(ack json.RawMessage) error { return s.submitted(v, ack) })
}

// submitted does what the acknowledgement of a submission says.
func (s *Slack) submitted(v *View, ack json.RawMessage) error {
	if !meaningful(ack) {
		v.Closed = true
		return nil
	}
	var in struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   map[string]any    `json:"view"`
	}
	if err := json.Unmarshal(ack, &in); err != nil {
		return fmt.Errorf("%w: %w", ErrTrouble, err)
	}
	switch in.Action {
	case "errors":
		for block := range in.Errors {
			if v.input(block) == nil {
				return fmt.Errorf("%w: no field %q", ErrTrouble, block)
			}
		}
		if len(in.Errors) == 0 {
			return fmt.Errorf("%w: no errors", ErrTrouble)
		}
		v.Errors = in.Errors
		v.Changed = s.version + 1
	case "clear":
		for _, o := range s.open(v.User) {
			o.Closed = true
		}
	case "update", "push":
		if problems := CheckView(in.View, OnModal); len(problems) > 0 {
			return fmt.Errorf("%w: %s", ErrTrouble, strings.Join(problems, "; "))
		}
		blocks, _ := in.View["blocks"].([]any)
		in.View["blocks"] = s.named(blocks)
		if in.Action == "update" {
			s.replace(v, in.View)
			return nil
		}
		next := s.addView(v.User, "modal", in.View)
		next.previous, next.root = v.ID, v.root
	default:
		return fmt.Errorf("%w: response_action %q", ErrTrouble, in.Action)
	}
	return nil
}

// Dismiss closes the modal on top. The app hears of it only when it asked to.
func (p *Person) Dismiss() *Delivery {
	s := p.slack
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.top(p.ID)
	if v == nil {
		return s.rejected(errors.New("there is no modal"))
	}
	v.Closed = true
	s.bump()
	if wants, _ := v.Body["notify_on_close"].(bool); !wants {
		return nil
	}
	payload := s.interaction("view_closed", p)
	payload["view"], payload["is_cleared"] = s.viewShape(v), false
	return s.deliver(KindInteractive, payload, nil)
}

// Choices types into an external select of the modal on top and returns what
// the app offers.
func (p *Person) Choices(field, typed string) (*Delivery, func() ([]string, error)) {
	s := p.slack
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.top(p.ID)
	if v == nil {
		return s.rejected(errors.New("there is no modal")), func() ([]string, error) { return nil, errors.New("there is no modal") }
	}
	block := v.input(field)
	if block == nil {
		err := fmt.Errorf("there is no field %q", field)
		return s.rejected(err), func() ([]string, error) { return nil, err }
	}
	element, _ := block["element"].(map[string]any)
	payload := s.interaction("block_suggestion", p)
	payload["container"], payload["view"] = map[string]any{"type": "view", "view_id": v.ID}, s.viewShape(v)
	payload["action_id"], payload["block_id"], payload["value"] = element["action_id"], block["block_id"], typed
	var offered []string
	var problem error
	d := s.deliver(KindInteractive, payload, func(ack json.RawMessage) error {
		offered, problem = offers(ack)
		v.offer(element, offered)
		return problem
	})
	return d, func() ([]string, error) {
		<-d.done
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Clone(offered), errors.Join(problem, d.err)
	}
}

func (v *View) offer(element map[string]any, offered []string) {
	if len(offered) > 0 {
		known := maps.Clone(v.offered)
		if known == nil {
			known = map[string][]string{}
		}
		known[str(element["action_id"])] = offered
		v.offered = known
	}
}

func offers(ack json.RawMessage) ([]string, error) {
	var in struct {
		Options []any `json:"options"`
		Groups  []struct {
			Options []any `json:"options"`
		} `json:"option_groups"`
	}
	if err := json.Unmarshal(ack, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTrouble, err)
	}
	for _, g := range in.Groups {
		in.Options = append(in.Options, g.Options...)
	}
	c := &checker{}
	c.options(in.Options, "options", 0, 100)
	if len(c.problems) > 0 {
		return nil, fmt.Errorf("%w: %s", ErrTrouble, strings.Join(c.problems, "; "))
	}
	var out []string
	for _, o := range in.Options {
		option, _ := o.(map[string]any)
		out = append(out, str(option["value"]))
	}
	return out, nil
}

// inputs are the input blocks of a view.
func (v *View) inputs() []map[string]any {
	var out []map[string]any
	blocks, _ := v.Body["blocks"].([]any)
	for _, b := range blocks {
		if block, ok := b.(map[string]any); ok && block["type"] == "input" {
			out = append(out, block)
		}
	}
	return out
}

// input finds a field by the action_id, block_id or label.
func (v *View) input(name string) map[string]any {
	for _, block := range v.inputs() {
		element, _ := block["element"].(map[string]any)
		if name == str(block["block_id"]) || name == str(element["action_id"]) || name == textOf(block["label"]) {
			return block
		}
	}
	return nil
}

// Fields are the labels of the fields of a view.
func (v View) Fields() []string {
	var out []string
	for _, block := range v.inputs() {
		out = append(out, textOf(block["label"]))
	}
	return out
}

// fill sets the state of a view, as typing and choosing does.
func (v *View) fill(values map[string]string) error {
	for name := range values {
		if v.input(name) == nil {
			return fmt.Errorf("there is no field %q", name)
		}
	}
	state := map[string]any{}
	for _, block := range v.inputs() {
		element, _ := block["element"].(map[string]any)
		value, given := "", false
		for name, typed := range values {
			if name == str(block["block_id"]) || name == str(element["action_id"]) || name == textOf(block["label"]) {
				value, given = typed, true
			}
		}
		field, err := v.field(element, value, given)
		if err != nil {
			return fmt.Errorf("%s: %w", textOf(block["label"]), err)
		}
		if optional, _ := block["optional"].(bool); field == nil && !optional {
			return fmt.Errorf("%s: please complete this required field", textOf(block["label"]))
		}
		if field == nil {
			field = map[string]any{"type": element["type"], empty(str(element["type"])): nil}
		}
		state[str(block["block_id"])] = map[string]any{str(element["action_id"]): field}
	}
	v.values = state
	return nil
}

func empty(kind string) string {
	if strings.HasSuffix(kind, "_select") || kind == "radio_buttons" {
		return "selected_option"
	}
	return "value"
}

// field is the state of one element; nil when nothing is in it.
func (v *View) field(element map[string]any, value string, given bool) (map[string]any, error) {
	kind := str(element["type"])
	switch kind {
	case "static_select", "external_select", "radio_buttons":
		return v.chosen(kind, element, value, given)
	}
	if !given {
		value = str(element["initial_value"])
	}
	if value == "" {
		return nil, nil
	}
	n := utf8.RuneCountInString(value)
	if most, ok := element["max_length"].(float64); ok && n > int(most) {
		return nil, fmt.Errorf("at most %d characters", int(most))
	}
	if least, ok := element["min_length"].(float64); ok && n < int(least) {
		return nil, fmt.Errorf("at least %d characters", int(least))
	}
	return map[string]any{"type": kind, "value": value}, nil
}

func (v *View) chosen(kind string, element map[string]any, value string, given bool) (map[string]any, error) {
	if !given {
		if initial, ok := element["initial_option"].(map[string]any); ok {
			return map[string]any{"type": kind, "selected_option": initial}, nil
		}
		return nil, nil
	}
	if value == "" {
		return nil, nil
	}
	if kind == "external_select" {
		if !slices.Contains(v.offered[str(element["action_id"])], value) {
			return nil, fmt.Errorf("%q was not offered", value)
		}
		return map[string]any{"type": kind, "selected_option": option(value)}, nil
	}
	for _, o := range optionsOf(element) {
		if str(o["value"]) == value || textOf(o["text"]) == value {
			return map[string]any{"type": kind, "selected_option": o}, nil
		}
	}
	return nil, fmt.Errorf("there is no choice %q", value)
}

func option(value string) map[string]any {
	return map[string]any{"text": map[string]any{"type": "plain_text", "text": value, "emoji": true}, "value": value}
}

func optionsOf(element map[string]any) []map[string]any {
	list, _ := element["options"].([]any)
	groups, _ := element["option_groups"].([]any)
	for _, g := range groups {
		group, _ := g.(map[string]any)
		more, _ := group["options"].([]any)
		list = append(list, more...)
	}
	var out []map[string]any
	for _, o := range list {
		if option, ok := o.(map[string]any); ok {
			out = append(out, option)
		}
	}
	return out
}
