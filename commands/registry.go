// Package commands understands what people say. Every command is declared once,
// as a struct whose tags are the grammar, the help and the completion; its Run
// either looks and answers, or submits an operation whose card is the answer.
// The voice in this package words operations, events and faults for every chat.
package commands

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"maitred/fault"
)

// Order is a line that was understood.
type Order struct {
	Verb    string  // "backup capture"
	Line    string  // as typed
	Command Command // filled with what the line says

	arranged *arranged
}

// Open reports whether every known person may say it, whatever their roles.
func (o *Order) Open() bool { return o.arranged.leaf.Role == "anybody" }

// Repeatable reports whether o may be carried out again when nobody knows
// whether it was: it only reads, or the engine recognises it by its key.
func (o *Order) Repeatable() bool {
	_, once := o.Command.(interface{ once() })
	return !once
}

// Submits reports whether carrying o out submits an operation.
func (o *Order) Submits() bool {
	_, operates := o.Command.(interface{ operates() })
	return operates
}

// Reads reports whether o changes nothing: it looks and answers.
func (o *Order) Reads() bool { return o.Repeatable() && !o.Submits() }

// Registry understands lines and carries them out.
type Registry struct {
	services Services
}

// New returns the Registry of all commands.
func New(s Services) *Registry { return &Registry{services: s} }

// Verbs are all commands, in the order in which people should meet them.
func (r *Registry) Verbs() []Verb { return Verbs() }

// Verbs are all commands, in the order in which people should meet them.
func Verbs() []Verb {
	var verbs []Verb
	for _, l := range leaves() {
		verbs = append(verbs, l.Verb)
	}
	return verbs
}

// Parse reads line, with or without a leading "/" and maitred's name. Its faults
// say what was not understood and how it is spelled.
func (r *Registry) Parse(line string) (*Order, error) {
	words, err := split(line)
	if err != nil {
		return nil, err
	}
	words = addressed(words)
	if len(words) == 0 {
		words = []word{{text: "help"}}
	}
	l, rest, err := find(words)
	if err != nil {
		if r.Sensitive(line) != line || strings.Contains(line, redacted) {
			return nil, leaked()
		}
		return nil, err
	}
	known := r.names()
	if strict, ok := reflect.New(l.kind).Interface().(interface{ refuse([]word, names) error }); ok {
		if err := strict.refuse(rest, known); err != nil {
			return nil, err
		}
	}
	a, err := arrange(l, rest, known)
	if err != nil {
		return nil, err
	}
	command, err := a.parse()
	if err != nil {
		return nil, err
	}
	return &Order{Verb: l.Path, Line: line, Command: command, arranged: a}, nil
}

// Run carries o out. The order was aimed, and the caller has made sure that the
// person may give it.
func (r *Registry) Run(ctx context.Context, c Call, o *Order) (Answer, error) {
	return o.Command.Run(ctx, c, r.services)
}

func (r *Registry) names() names {
	var known names
	for _, app := range r.services.Apps.Apps() {
		known.apps = append(known.apps, app.Name)
		for _, e := range app.Environments {
			if !slices.Contains(known.environments, e) {
				known.environments = append(known.environments, e)
			}
		}
	}
	return known
}

// addressed takes off what only says who is spoken to: "/", "maitred", "@maitred:".
func addressed(words []word) []word {
	for len(words) > 0 && !words[0].quoted {
		bare := strings.TrimLeft(words[0].text, "/")
		name := strings.ToLower(strings.TrimRight(strings.TrimLeft(bare, "@"), ":,"))
		if bare != "" && name != "maitred" {
			return append([]word{{text: bare}}, words[1:]...)
		}
		words = words[1:]
	}
	return words
}

// find is the command that words begin with, and the words after it.
func find(words []word) (*leaf, []word, error) {
	var best *leaf
	var length int
	for _, l := range leaves() {
		for _, path := range l.spell {
			if len(path) > length && begins(words, path) {
				best, length = l, len(path)
			}
		}
	}
	if best != nil {
		return best, words[length:], nil
	}
	return nil, nil, unknownCommand(words)
}

func begins(words []word, path []string) bool {
	if len(words) < len(path) {
		return false
	}
	for i, p := range path {
		if !strings.EqualFold(words[i].text, p) {
			return false
		}
	}
	return true
}

// unknownCommand says which command was most likely meant, and how the line
// reads with it.
func unknownCommand(words []word) error {
	first := words[0].text
	if subs := children(first); len(subs) > 0 {
		return unknownChild(strings.ToLower(first), words[1:], subs)
	}
	if l := byLastWord(first); l != nil {
		return invalid(instead(l.Path, words[1:]), "There is no command “%s” alone. Did you mean “%s”?", first, l.Path)
	}
	best := nearest(first, firstWords())
	if best == "" {
		return invalid("/help", "I do not know the command “%s”.", short(first))
	}
	return invalid(instead(best, words[1:]), "I do not know the command “%s”. Did you mean “%s”?", short(first), best)
}

func unknownChild(parent string, rest []word, subs []string) error {
	if len(rest) == 0 {
		return invalid("/"+parent+" "+subs[0], "“%s” needs a word more: %s.", parent, list(subs, "or"))
	}
	best := nearest(rest[0].text, subs)
	if best == "" {
		return invalid("/help "+parent, "“%s %s” is no command. After “%s” comes %s.", parent, short(rest[0].text), parent, list(subs, "or"))
	}
	return invalid(instead(parent+" "+best, rest[1:]), "“%s %s” is no command. Did you mean “%s %s”?", parent, short(rest[0].text), parent, best)
}

func instead(path string, rest []word) string {
	return strings.TrimSpace("/" + path + " " + spelled(rest))
}

// short keeps a word that was not understood from filling the screen.
func short(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return text
}

func children(parent string) []string {
	var out []string
	for _, l := range leaves() {
		if path := l.spell[0]; len(path) > 1 && strings.EqualFold(path[0], parent) {
			out = append(out, path[1])
		}
	}
	return out
}

func byLastWord(word string) *leaf {
	var found *leaf
	for _, l := range leaves() {
		if path := l.spell[0]; len(path) > 1 && len(word) > 2 && strings.EqualFold(path[1], word) {
			if found != nil {
				return nil // two commands end so
			}
			found = l
		}
	}
	return found
}

func firstWords() []string {
	var out []string
	for _, l := range leaves() {
		if first := l.spell[0][0]; !slices.Contains(out, first) {
			out = append(out, first)
		}
	}
	return out
}

// parse fills a new command with a.
func (a *arranged) parse() (Command, error) {
	command, err := a.leaf.read(a.argv())
	if err != nil {
		return nil, a.misread(err)
	}
	return command, nil
}

// misread words what the parser did not accept. Most of it was caught before;
// what is left are values of the wrong kind.
func (a *arranged) misread(err error) error {
	var said *fault.Error
	if errors.As(err, &said) {
		if said.Hint == "" {
			said.Hint = a.leaf.Usage
		}
		return said
	}
	for _, p := range append(slices.Clone(a.leaf.Args), a.leaf.Flags...) {
		value, given := a.value(p)
		if !given {
			continue
		}
		if len(p.Choices) > 0 && !slices.Contains(p.Choices, value) {
			return a.noChoice(p, value)
		}
		if strings.Contains(err.Error(), "--"+p.Name) || strings.Contains(err.Error(), "<"+p.Name+">") {
			return &fault.Error{Kind: fault.Invalid, Op: "commands.parse", Hint: a.leaf.Usage, Err: err,
				Say: "“" + short(value) + "” does not fit " + p.Shown + " of /" + a.leaf.Path + "."}
		}
	}
	return &fault.Error{Kind: fault.Invalid, Op: "commands.parse", Hint: a.leaf.Usage, Err: err,
		Say: "I did not understand that line."}
}

func (a *arranged) noChoice(p Param, value string) error {
	best := nearest(value, p.Choices)
	if best == "" {
		return invalid(a.leaf.Usage, "“%s” does not fit; it is one of %s.", short(value), list(p.Choices, "or"))
	}
	fixed := arranged{leaf: a.leaf, flags: slices.Clone(a.flags), args: slices.Clone(a.args)}
	for i, q := range a.leaf.Args {
		if q.Name == p.Name && i < len(fixed.args) {
			fixed.args[i] = best
		}
	}
	for i, o := range fixed.flags {
		if o.name == p.Name {
			fixed.flags[i].value = best
		}
	}
	app, environment := fixed.aimed()
	return invalid(fixed.line(app, environment), "“%s” does not fit; it is one of %s. Did you mean %s?", short(value), list(p.Choices, "or"), best)
}

func (a *arranged) value(p Param) (string, bool) {
	for _, o := range a.flags {
		if o.name == p.Name {
			return o.value, true
		}
	}
	for i, q := range a.leaf.Args {
		if q.Name == p.Name && i < len(a.args) {
			return a.args[i], true
		}
	}
	return "", false
}

// aimed is the app and environment that were named.
func (a *arranged) aimed() (app, environment string) {
	if slot := a.leaf.slot("app"); slot >= 0 && slot < len(a.args) {
		app = a.args[slot]
	}
	if f, ok := a.leaf.environment(); ok {
		environment, _ = a.value(f)
	}
	return app, environment
}
