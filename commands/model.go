package commands

import (
	"io"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/kong"
)

// Verb describes one command for help, completion, manifests and the reference
// page. It is read from the tags of the Grammar.
type Verb struct {
	Path    string   `json:"path"` // "backup capture": what roles and approval rules name
	Group   string   `json:"group"`
	Help    string   `json:"help"`
	Detail  string   `json:"detail,omitempty"`
	Role    string   `json:"role"`  // who is usually given it; "anybody" needs no right
	Usage   string   `json:"usage"` // "/deploy APP[@REF] [REF] [to ENV]"
	Example string   `json:"example,omitempty"`
	Args    []Param  `json:"args,omitempty"`
	Flags   []Param  `json:"flags,omitempty"`
	Aliases []string `json:"aliases,omitempty"` // other spellings of the path
}

// Param is one argument or option of a Verb.
type Param struct {
	Name     string   `json:"name"`
	Shown    string   `json:"shown"` // as in Usage: "APP", "--for 2h"
	Help     string   `json:"help"`
	Complete string   `json:"complete,omitempty"`
	Words    []string `json:"words,omitempty"` // joining words that may stand before it
	Need     string   `json:"need,omitempty"`
	Rest     string   `json:"rest,omitempty"`
	Default  string   `json:"default,omitempty"`
	Choices  []string `json:"choices,omitempty"`
	Switch   bool     `json:"switch,omitempty"` // takes no value

	aliases []string
}

// leaf is a Verb with the struct that carries it out.
type leaf struct {
	Verb
	kind    reflect.Type // of the command's struct
	spell   [][]string   // the path and its aliases, word by word
	readers sync.Pool    // of *reader
}

// leaves are the commands, in the order of the Grammar.
var leaves = sync.OnceValue(func() []*leaf {
	root, err := newParser(new(Grammar))
	if err != nil {
		panic(err) // the Grammar is a constant; a test builds it
	}
	var out []*leaf
	for _, node := range root.Model.Leaves(true) {
		out = append(out, newLeaf(node))
	}
	return out
})

// newParser is kong without its habits of a command line: it prints nothing,
// exits nowhere and adds no --help.
func newParser(grammar any) (*kong.Kong, error) {
	return kong.New(grammar, kong.Name(""), kong.NoDefaultHelp(), kong.Exit(func(int) {}), kong.Writers(io.Discard, io.Discard))
}

func newLeaf(node *kong.Node) *leaf {
	l := &leaf{kind: node.Target.Type()}
	spell := [][]string{nil}
	for n := node; n != nil && n.Type == kong.CommandNode; n = n.Parent {
		var longer [][]string
		for _, name := range append([]string{n.Name}, n.Aliases...) {
			for _, tail := range spell {
				longer = append(longer, append([]string{name}, tail...))
			}
		}
		spell = longer
		if g := n.Group; g != nil && l.Group == "" {
			l.Group = g.Key
		}
	}
	l.spell = spell
	l.Path = strings.Join(spell[0], " ")
	for _, s := range spell[1:] {
		l.Aliases = append(l.Aliases, strings.Join(s, " "))
	}
	l.Help, l.Role, l.Example, l.Detail = node.Help, node.Tag.Get("role"), node.Tag.Get("example"), node.Tag.Get("detail")
	for _, p := range node.Positional {
		l.Args = append(l.Args, newParam(p))
	}
	for _, f := range node.Flags {
		if !f.Hidden {
			l.Flags = append(l.Flags, newParam(f.Value))
		}
	}
	l.Usage = usage(l.Verb)
	return l
}

func newParam(v *kong.Value) Param {
	p := Param{
		Name: v.Name, Help: v.Help, Complete: v.Tag.Get("complete"), Need: v.Tag.Get("need"),
		Rest: v.Tag.Get("rest"), Default: v.Default, Switch: v.IsBool(), aliases: v.Tag.Aliases,
	}
	if v.Enum != "" {
		p.Choices = slices.DeleteFunc(v.EnumSlice(), func(c string) bool { return c == "" })
	}
	if words := v.Tag.Get("words"); words != "" {
		p.Words = strings.Split(words, ",")
	}
	shown := v.Tag.PlaceHolder
	if shown == "" {
		shown = strings.ToUpper(v.Name)
	}
	switch {
	case p.Switch:
		p.Shown = "--" + v.Name
	case v.Flag != nil && len(p.Words) > 0:
		p.Shown = p.Words[0] + " " + shown
	case v.Flag != nil:
		p.Shown = "--" + v.Name + " " + shown
	case len(p.Words) > 0:
		p.Shown = p.Words[0] + " " + shown
	default:
		p.Shown = shown
	}
	return p
}

// usage writes how a command is spelled. The app is shown without brackets:
// leaving it out is a convenience of channels, not the rule.
func usage(v Verb) string {
	text := "/" + v.Path
	var ref bool
	for _, p := range v.Args {
		ref = ref || p.Complete == "ref"
	}
	for _, p := range v.Args {
		switch {
		case p.Complete == "app" && ref:
			text += " APP[@REF]"
		case p.Complete == "app" || p.Need != "":
			text += " " + p.Shown
		default:
			text += " [" + p.Shown + "]"
		}
	}
	for _, f := range v.Flags {
		text += " [" + f.Shown + "]"
	}
	return text
}

// param finds the flag called name, by its name or an alias.
func (l *leaf) flag(name string) (Param, bool) {
	for _, f := range l.Flags {
		if f.Name == name || slices.Contains(f.aliases, name) {
			return f, true
		}
	}
	return Param{}, false
}

// slot is the position of the argument that is one of what, or -1.
func (l *leaf) slot(what string) int {
	return slices.IndexFunc(l.Args, func(p Param) bool { return p.Complete == what })
}

// environment is the option that names the environment.
func (l *leaf) environment() (Param, bool) {
	i := slices.IndexFunc(l.Flags, func(p Param) bool { return p.Complete == "environment" })
	if i < 0 {
		return Param{}, false
	}
	return l.Flags[i], true
}
