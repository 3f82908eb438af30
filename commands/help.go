package commands

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
	"maitred/platform"
)

// Help is /help [COMMAND]: what the asker may do, or how one command is used.
type Help struct {
	Command []string `arg:"" optional:"" rest:"text" sep:"none" complete:"command" placeholder:"COMMAND" help:"A command, or the first word of several."`
}

// Run reads the grammar.
func (h *Help) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	if len(h.Command) == 0 {
		return Answer{Card: all(c, s), Private: true}, nil
	}
	path := strings.ToLower(strings.TrimLeft(text(h.Command), "/"))
	var words []word
	for _, w := range strings.Fields(path) {
		words = append(words, word{text: w})
	}
	if len(words) == 1 && len(children(words[0].text)) > 0 {
		return Answer{Card: group(c, s, words[0].text), Private: true}, nil
	}
	l, _, err := find(words)
	if err != nil {
		return Answer{}, err
	}
	return Answer{Card: one(c, s, l), Private: true}, nil
}

// may reports whether the asker may say v somewhere.
func may(c Call, s Services, v Verb) bool {
	return v.Role == "anybody" || s.Policy.May(c.Person, v.Path, platform.Target{}) == nil
}

func all(c Call, s Services) chat.Card {
	card := chat.Card{Title: "What you may do"}
	lines := map[string][]string{}
	var groups []string
	n := 0
	for _, l := range leaves() {
		if !may(c, s, l.Verb) {
			continue
		}
		if len(lines[l.Group]) == 0 {
			groups = append(groups, l.Group)
		}
		lines[l.Group] = append(lines[l.Group], "/"+l.Path+": "+l.Help)
		n++
	}
	for _, g := range groups {
		card.Fields = append(card.Fields, chat.Field{Label: g, Value: strings.Join(lines[g], "\n")})
	}
	card.Text = fmt.Sprintf("You may say %s. More about one: /help deploy.", count(n, "command", "commands"))
	if name := s.Apps.Channel(c.Place).App; name != "" {
		card.Notes = []string{fmt.Sprintf("In this channel an app left out is %s.", name)}
	}
	return card
}

func group(c Call, s Services, first string) chat.Card {
	card := chat.Card{Title: "/" + first}
	var names []string
	for _, l := range leaves() {
		if l.spell[0][0] != first || !may(c, s, l.Verb) {
			continue
		}
		card.Fields = append(card.Fields, chat.Field{Label: l.Usage, Value: l.Help})
		names = append(names, "/"+l.Path)
	}
	card.Text = fmt.Sprintf("After /%s comes: %s.", first, strings.Join(names, ", "))
	if len(names) == 0 {
		card.Title = ""
		card.Text = fmt.Sprintf("You may not use /%s. Say /whoami to see your roles.", first)
	}
	return card
}

func one(c Call, s Services, l *leaf) chat.Card {
	card := chat.Card{Title: l.Usage, Text: fmt.Sprintf("/%s: %s", l.Path, l.Help), Notes: []string{l.Help}}
	for _, p := range l.Args {
		card.Fields = append(card.Fields, chat.Field{Label: p.Shown, Value: p.Help})
	}
	for _, p := range l.Flags {
		value := p.Help
		if p.Default != "" && p.Default != "0" && !p.Switch {
			value += " Normally " + p.Default + "."
		}
		card.Fields = append(card.Fields, chat.Field{Label: p.Shown, Value: value})
	}
	if l.Example != "" {
		card.Notes = append(card.Notes, "For example: "+l.Example)
	}
	if !may(c, s, l.Verb) {
		card.Notes = append(card.Notes, "You may not say this yourself; /whoami shows your roles.")
	}
	return card
}

// Whoami is /whoami: who the asker is to maitred.
type Whoami struct{}

// Run asks the policy.
func (*Whoami) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	roles := s.Policy.Roles(c.Person)
	var allowed []string
	for _, l := range leaves() {
		if l.Role != "anybody" && may(c, s, l.Verb) {
			allowed = append(allowed, l.Path)
		}
	}
	card := say("You are %s, with %s.", c.Person.Label(), rolesOf(roles))
	card.Title = c.Person.Label()
	card.Fields = fields("Roles", strings.Join(roles, ", "), "Known here as", c.Person.Name, "Id in "+c.Person.Chat, c.Person.ID,
		"Time zone", c.Person.Zone, "You may", strings.Join(allowed, ", "))
	if len(allowed) == 0 {
		card.Notes = []string{"You may do nothing yet. Whoever keeps the configuration can give you a role."}
	}
	return Answer{Card: card, Private: true}, nil
}

func rolesOf(roles []string) string {
	switch len(roles) {
	case 0:
		return "no role"
	case 1:
		return "the role " + roles[0]
	}
	return "the roles " + list(roles, "and")
}

// AppList is /apps.
type AppList struct{}

// Run reads the configuration.
func (*AppList) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	apps := s.Apps.Apps()
	if len(apps) == 0 {
		return Answer{Card: say("There is no app yet. Whoever keeps the configuration can add one.")}, nil
	}
	card := chat.Card{Title: "Apps"}
	var names []string
	for _, app := range apps {
		names = append(names, app.Name)
		var where []string
		for _, e := range app.Environments {
			if kind := app.Providers[e]; kind != "" {
				e += " (" + kind + ")"
			}
			where = append(where, e)
		}
		value := strings.Join(where, ", ")
		if app.Help != "" {
			value = app.Help + "\n" + value
		}
		card.Fields = append(card.Fields, chat.Field{Label: app.Name, Value: value})
	}
	card.Text = fmt.Sprintf("maitred looks after %s.", list(names, "and"))
	card.Notes = []string{"What runs: /status " + names[0]}
	return Answer{Card: card}, nil
}
