package commands

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
)

// Config is /config list|set|unset: the environment variables of an app. Values
// go in through a form and never come out.
type Config struct {
	List  ConfigList  `cmd:"" role:"developer" example:"/config list ocpizza" help:"The names of the variables: which are set, which must be."`
	Set   ConfigSet   `cmd:"" role:"lead" example:"/config set ocpizza SECRET_KEY" help:"Set a variable; the value is asked for in a private form."`
	Unset ConfigUnset `cmd:"" role:"lead" example:"/config unset ocpizza SECRET_KEY" help:"Take a variable away."`
}

// ConfigList is /config list APP [to ENV].
type ConfigList struct{ Where }

// Run asks the platform for names.
func (l *ConfigList) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	p, err := provider[platform.Configurer](s, l.Target(), "keep config variables")
	if err != nil {
		return Answer{}, err
	}
	variables, err := p.Variables(ctx, l.Target())
	if err != nil {
		return Answer{}, err
	}
	if len(variables) == 0 {
		return Answer{Card: say("%s has no config variables. Set one with /config set %s NAME.", l.Target(), l.App)}, nil
	}
	table := rows{{"NAME", "STATE", ""}}
	var absent []string
	for _, v := range variables {
		state := "set"
		if !v.Set {
			state = "not set"
		}
		if v.Required {
			state += ", obligatory"
		}
		if v.Required && !v.Set {
			absent = append(absent, v.Name)
		}
		table = append(table, []string{v.Name, state, v.Help})
	}
	card := say("%s has %s. Values are never shown.", l.Target(), count(len(variables), "config variable", "config variables"))
	card.Title, card.Output = "Config of "+l.Target().String(), table.String()
	if len(absent) > 0 {
		card.State, card.Word = chat.Warning, "incomplete"
		card.Notes = []string{fmt.Sprintf("A deploy is refused until %s set: /config set %s %s", has(absent), aimed(l.Target()), absent[0])}
	}
	return Answer{Card: card}, nil
}

func has(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return list(names, "and") + " are"
}

// ConfigSet is /config set APP NAME [to ENV]. The value is never part of the
// line: chats keep what is typed in them.
type ConfigSet struct {
	submits
	Where
	Name string `arg:"" optional:"" complete:"variable" need:"the name of a variable" placeholder:"NAME" help:"The variable's name."`
}

// Run opens the form, or submits what came from it.
func (v *ConfigSet) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	if _, err := provider[platform.Configurer](s, v.Target(), "keep config variables"); err != nil {
		return Answer{}, err
	}
	if err := variableName(v.Name); err != nil {
		return Answer{}, err
	}
	handle := c.Fields["value"]
	if handle == "" && c.Source == chat.Submitted {
		return Answer{}, invalid("/config unset "+v.App+" "+v.Name, "The value is empty. To take the variable away, unset it.")
	}
	if handle == "" {
		return Answer{Private: true, Form: &chat.Form{
			Title: "Set " + v.Name, Submit: "Set",
			Text:   fmt.Sprintf("The new value of %s for %s. It is sealed before it is stored, and never shown.", v.Name, v.Target()),
			Line:   fmt.Sprintf("/config set %s %s --to=%s", quote(v.App), v.Name, quote(v.Environment)),
			Fields: []chat.FormField{{Name: "value", Label: v.Name, Kind: chat.SecretField, Required: true}},
		}}, nil
	}
	return submit(ctx, c, s, platform.SetConfig, v.Target(), nil, engine.ConfigArgs{Name: v.Name, Handle: handle})
}

// refuse stops a line that carries a value before any of it is repeated in an
// error, in a hint, or anywhere else. It asks the same question as Sensitive.
func (v *ConfigSet) refuse(words []word, known names) error {
	var pieces []string
	for _, w := range words {
		pieces = append(pieces, " "+w.text)
	}
	if text := strings.Join(pieces, ""); scrub(pieces, known) != text || strings.Contains(text, redacted) {
		return leaked()
	}
	return nil
}

func leaked() error {
	return &fault.Error{Kind: fault.Invalid, Op: "commands.config", Hint: "/config set APP NAME",
		Say: "A value must not be typed in the channel, and nothing was set. If that was a secret, it has leaked to everybody who reads here: change it where it comes from. Then say /config set APP NAME; the value is asked for in a private form."}
}

// ConfigUnset is /config unset APP NAME [to ENV].
type ConfigUnset struct {
	submits
	Where
	Name string `arg:"" optional:"" complete:"variable" need:"the name of a variable" placeholder:"NAME" help:"The variable's name."`
}

// Run submits.
func (v *ConfigUnset) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	p, err := provider[platform.Configurer](s, v.Target(), "keep config variables")
	if err != nil {
		return Answer{}, err
	}
	if err := variableName(v.Name); err != nil {
		return Answer{}, err
	}
	variables, err := p.Variables(ctx, v.Target())
	if err != nil {
		return Answer{}, err
	}
	var names []string
	for _, known := range variables {
		if known.Set {
			names = append(names, known.Name)
		}
	}
	if _, ok := exact(v.Name, names); !ok {
		hint := "/config list " + aimed(v.Target())
		if best := nearest(v.Name, names); best != "" {
			return Answer{}, missing("/config unset "+quote(v.App)+" "+best+" to "+quote(v.Environment), "%s is not set on %s. Did you mean %s?", v.Name, v.Target(), best)
		}
		return Answer{}, missing(hint, "%s is not set on %s.", v.Name, v.Target())
	}
	return submit(ctx, c, s, platform.UnsetConfig, v.Target(), nil, engine.ConfigArgs{Name: v.Name})
}

func exact(name string, names []string) (string, bool) {
	for _, n := range names {
		if n == name {
			return n, true
		}
	}
	return "", false
}

var validName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

func variableName(name string) error {
	if validName.MatchString(name) {
		return nil
	}
	return invalid("/config set APP NAME", "That is not a name for a variable: letters, digits and _ only, and no digit first.")
}
