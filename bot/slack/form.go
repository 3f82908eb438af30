package slack

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// Slack's limits for a form, in characters.
const (
	longestTitle   = 24
	longestLabel   = 150
	longestOption  = 75
	longestValue   = 150 // of a choice
	longestInput   = 3000
	longestNote    = 3000
	mostChoices    = 100
	triggerLives   = 3 * time.Second
	formCallback   = "maitred_form"
	fieldOfRef     = "ref"
	fieldOfApp     = "app"
	blockOfField   = "field-"
	suggestPatient = 2 * time.Second
)

// OpenForm asks the author of in for the values of f. Slack opens a form only
// within three seconds of a command or click, and once for each; where that is
// over, or somebody wrote a message, they get a button that opens it.
func (c *Chat) OpenForm(ctx context.Context, in chat.Inbound, f chat.Form) error {
	v, err := formView(in, f)
	if err != nil {
		return err
	}
	r, ok := c.replies.find(in.Key)
	if ok && r.Trigger != "" && c.options.Now().Sub(r.At) < triggerLives {
		ctx, cancel := within(calling(ctx, caller{who: in.Key, page: true}), triggerLives)
		_, err = c.api.OpenViewContext(ctx, r.Trigger, v)
		cancel()
		switch word := code(err); {
		case err == nil, word == "exchanged_trigger_id" && c.opened(in.Key):
			c.replies.keep(in.Key, reply{URL: r.URL, At: r.At}) // the trigger works once
			return nil
		case !late[word]:
			return c.explain("views.open", "", err)
		}
		c.log.Info("form opened too late", zap.String("key", in.Key), zap.String("word", code(err)))
	}
	return c.Whisper(ctx, in.Place, in.Person, doorway(f), in.Key+"-form")
}

// late are the words with which Slack refuses a form that came too late.
var late = words("expired_trigger_id exchanged_trigger_id trigger_expired trigger_exchanged invalid_trigger_id")

// opened reports whether the trigger of key was used up already.
func (c *Chat) opened(key string) bool {
	r, ok := c.replies.find(key)
	return ok && r.Trigger == ""
}

// doorway is the card whose button opens a form: it types the form's line anew.
func doorway(f chat.Form) chat.Card {
	text := f.Text
	if text == "" {
		text = f.Title
	}
	return chat.Card{Title: f.Title, State: chat.Waiting, Text: text, Notes: []string{text},
		Buttons: []chat.Button{{Label: "Open the form", Line: f.Line}}}
}

// formView is f in Slack's form.
func formView(in chat.Inbound, f chat.Form) (slack.ModalViewRequest, error) {
	kept := noted{Line: f.Line, Channel: in.Place.Channel, Thread: in.Place.Thread}
	var blocks []slack.Block
	if f.Text != "" {
		blocks = append(blocks, slack.NewSectionBlock(words24(f.Text, longestNote), nil, nil))
	}
	for _, field := range f.Fields {
		if field.Kind == chat.SecretField {
			kept.Secrets = append(kept.Secrets, field.Name)
		}
		blocks = append(blocks, inputOf(field))
	}
	data, err := json.Marshal(kept)
	if err != nil || len(data) > longestInput {
		return slack.ModalViewRequest{}, &fault.Error{Kind: fault.Invalid, Op: "slack.form", Err: err,
			Say: "That command is too long for a form in Slack.", Hint: "Write it shorter."}
	}
	submit := f.Submit
	if submit == "" {
		submit = "Send"
	}
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: formCallback, PrivateMetadata: string(data),
		Title: words24(f.Title, longestTitle), Submit: words24(submit, longestTitle), Close: words24("Close", longestTitle),
		Blocks: slack.Blocks{BlockSet: blocks},
	}, nil
}

// words24 is text that Slack shows as it is, within a limit.
func words24(text string, limit int) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, clipped(tidy(text), limit), false, false)
}

// clipped is text within limit, and never empty, which Slack refuses.
func clipped(text string, limit int) string {
	if text == "" {
		return "–"
	}
	return fit(text, limit, func(s string) string { return s })
}

// inputOf is a question of a form.
func inputOf(field chat.FormField) *slack.InputBlock {
	b := slack.NewInputBlock(blockOfField+field.Name, words24(field.Label, longestLabel), nil, elementOf(field))
	b.Optional = !field.Required
	if help := hintOf(field); help != "" {
		b.Hint = words24(help, longestLabel)
	}
	return b
}

func hintOf(field chat.FormField) string {
	if field.Kind == chat.SecretField {
		return strings.TrimSpace(field.Help + " Slack shows what you type here to you alone; maitred seals it before it is stored.")
	}
	return field.Help
}

func elementOf(field chat.FormField) slack.BlockElement {
	switch {
	case field.Complete == "ref":
		e := slack.NewOptionsSelectBlockElement(slack.OptTypeExternal, words24("Begin to type", longestOption), field.Name)
		none := 0
		e.MinQueryLength = &none
		if field.Value != "" {
			e.InitialOption = option(field.Value)
		}
		return e
	case field.Kind == chat.ChoiceField && choosable(field.Choices):
		e := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, words24("Choose", longestOption), field.Name)
		for _, choice := range field.Choices {
			e.Options = append(e.Options, option(choice))
		}
		if slices.Contains(field.Choices, field.Value) {
			e.InitialOption = option(field.Value)
		} else if len(field.Choices) == 1 {
			e.InitialOption = option(field.Choices[0])
		}
		return e
	}
	e := slack.NewPlainTextInputBlockElement(nil, field.Name)
	e.Multiline = field.Kind == chat.AreaField
	e.MaxLength = longestInput
	e.InitialValue = field.Value
	return e
}

// choosable reports whether Slack can show choices as a menu. What it cannot show
// is typed.
func choosable(choices []string) bool {
	return len(choices) > 0 && len(choices) <= mostChoices &&
		!slices.ContainsFunc(choices, func(c string) bool { return c == "" || size(c) > longestValue })
}

func option(value string) *slack.OptionBlockObject {
	return slack.NewOptionBlockObject(value, words24(value, longestOption), nil)
}

// suggest are the refs that fit what is being typed in a form: those that the
// door suggests for its app, and what was typed, because every commit can be
// meant and not every one is suggested.
func (c *Chat) suggest(ctx context.Context, door chat.Door, i interaction) any {
	n, _ := note(i.View)
	app := fieldValue(i.View, fieldOfApp)
	line := first(n.Line) + " " + app + "@" + i.Value
	if app == "" {
		line = n.Line + " " + i.Value
	}
	options := []*slack.OptionBlockObject{}
	seen := map[string]bool{}
	offer := func(value string) {
		if value != "" && !seen[value] && size(value) <= longestValue && len(options) < mostChoices {
			seen[value] = true
			options = append(options, option(value))
		}
	}
	ctx, cancel := within(ctx, suggestPatient)
	defer cancel()
	who, err := c.Know(ctx, person(i.User.ID, i.User.shown()), false)
	if err != nil {
		c.log.Info("nobody to suggest refs to", zap.Error(err))
		return map[string]any{"options": options}
	}
	offer(strings.TrimSpace(i.Value))
	for _, found := range door.Complete(ctx, who, n.at(), line) {
		_, ref, at := strings.Cut(found.Label, "@")
		switch {
		case app != "" && at:
			offer(ref)
		case app == "" && !slices.Contains(joining, found.Label):
			offer(found.Label)
		}
	}
	return map[string]any{"options": options}
}

// joining are suggestions that are no refs.
var joining = []string{"to", "in", "on"}

func first(line string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	return word
}

// fieldValue is what stands in a field of a form now.
func fieldValue(v view, name string) string {
	for _, fields := range v.State.Values {
		if s, ok := fields[name]; ok {
			return s.text()
		}
	}
	return ""
}
