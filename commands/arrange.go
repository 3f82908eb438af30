package commands

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// names are the words that the configuration knows, so that "web" can be told
// from an app and "to production" from a reason.
type names struct {
	apps         []string
	environments []string // of any app
}

// arranged is a line in the order that a parser wants: options first, then the
// arguments slot by slot, "" where one was left out before another.
type arranged struct {
	leaf  *leaf
	flags []option
	args  []string
}

type option struct{ name, value string } // a switch has the value "true"

// argv is a as the parser reads it. Everything behind "--" is an argument, so
// nothing that a person types is ever read as an option by accident.
func (a *arranged) argv() []string {
	var argv []string
	for _, o := range a.flags {
		argv = append(argv, "--"+o.name+"="+o.value)
	}
	return append(append(argv, "--"), a.args...)
}

// line writes a whole again, aimed at app and environment, so that it is read as
// the same.
func (a *arranged) line(app, environment string) string {
	parts, last := []string{"/" + a.leaf.Path}, a.at(environment)
	if app != "" {
		parts = append(parts, quote(app))
	}
	for _, o := range a.flags {
		switch f, _ := a.leaf.flag(o.name); {
		case f.Complete == "environment":
		case f.Switch:
			parts = append(parts, "--"+o.name+"="+o.value)
		default:
			parts = append(parts, "--"+o.name+"="+quote(o.value))
		}
	}
	for i, arg := range a.args {
		p := a.leaf.Args[min(i, len(a.leaf.Args)-1)]
		if p.Complete == "app" {
			continue
		}
		if p.Rest != "" && last != "" { // behind it, it would be part of the text
			parts, last = append(parts, last), ""
		}
		if p.Rest == "" && slices.ContainsFunc(p.Words, func(w string) bool { return w == "to" }) && arg != "" {
			parts = append(parts, "to")
		}
		parts = append(parts, a.quote(arg))
	}
	if last != "" {
		parts = append(parts, last)
	}
	return strings.Join(parts, " ")
}

// at is how environment is written in a line of a.
func (a *arranged) at(environment string) string {
	if _, ok := a.leaf.environment(); !ok || environment == "" {
		return ""
	}
	rest := len(a.leaf.Args) > 0 && a.leaf.Args[len(a.leaf.Args)-1].Rest != ""
	joined := slices.ContainsFunc(a.leaf.Args, func(p Param) bool { return len(p.Words) > 0 })
	switch {
	case rest:
		return "--to=" + quote(environment)
	case joined:
		return "in " + quote(environment)
	}
	return "to " + quote(environment)
}

// quote writes an argument so that it is not taken for a joining word.
func (a *arranged) quote(arg string) string {
	for _, p := range append(slices.Clone(a.leaf.Flags), a.leaf.Args...) {
		if _, joins := fold(arg, p.Words); joins {
			return `"` + arg + `"`
		}
	}
	return quote(arg)
}

// arrange reads words, which follow the command's own, as l's arguments.
func arrange(l *leaf, words []word, known names) (*arranged, error) {
	r := arranger{arranged: arranged{leaf: l}, words: words, known: known}
	for r.at < len(r.words) {
		if err := r.next(); err != nil {
			return nil, err
		}
	}
	for i, p := range l.Args {
		if p.Need != "" && (i >= len(r.args) || r.args[i] == "") {
			return nil, invalid(l.Usage, "/%s needs %s.", l.Path, p.Need)
		}
	}
	return &r.arranged, nil
}

type arranger struct {
	arranged
	words   []word
	at      int
	literal bool // behind "--": no more options
	known   names
}

func (r *arranger) next() error {
	w := r.words[r.at]
	if r.within("raw") {
		return r.take(w)
	}
	switch {
	case w.quoted || r.literal:
		return r.take(w)
	case w.text == "--":
		r.literal = true
		r.at++
		return nil
	case strings.HasPrefix(w.text, "--"), isShort(w.text) && !r.within("text"):
		return r.option(w.text)
	}
	if !r.within("text") {
		if done, err := r.join(w); done || err != nil {
			return err
		}
	}
	return r.take(w)
}

// isShort reports whether text looks like -x. A number below zero does not.
func isShort(text string) bool {
	return len(text) > 1 && text[0] == '-' && !strings.ContainsAny(text[1:2], "0123456789")
}

// within reports whether the rest of the line, of that sort, has begun.
func (r *arranger) within(sort string) bool {
	last := len(r.leaf.Args) - 1
	return last >= 0 && len(r.args) > last && r.leaf.Args[last].Rest == sort
}

// ahead reports whether the next argument takes the rest of the line.
func (r *arranger) ahead() bool {
	next := len(r.args)
	if r.leaf.slot("app") == 0 && next == 0 {
		next = 1 // the app may have been left out
	}
	return next < len(r.leaf.Args) && r.leaf.Args[next].Rest != ""
}

func (r *arranger) option(text string) error {
	name, value, given := strings.Cut(strings.TrimLeft(text, "-"), "=")
	f, ok := r.leaf.flag(name)
	if !ok || !strings.HasPrefix(text, "--") {
		return r.unknownOption(text, name)
	}
	r.at++
	switch {
	case f.Switch && given && value != "true" && value != "false":
		return invalid(r.leaf.Usage, "--%s takes no value.", f.Name)
	case f.Switch && !given:
		value = "true"
	case !f.Switch && !given:
		if r.at >= len(r.words) || !r.words[r.at].quoted && strings.HasPrefix(r.words[r.at].text, "--") {
			return invalid(r.leaf.Usage, "--%s needs a value.", f.Name)
		}
		value = r.words[r.at].text
		r.at++
	}
	return r.set(f, value)
}

func (r *arranger) unknownOption(text, name string) error {
	var flags []string
	for _, f := range r.leaf.Flags {
		flags = append(flags, f.Name)
	}
	if len(flags) == 0 {
		return invalid(r.leaf.Usage, "/%s has no option %s; it has none at all.", r.leaf.Path, text)
	}
	if best := nearest(name, flags); best != "" {
		_, value, given := strings.Cut(text, "=")
		fixed := "--" + best
		if given {
			fixed += "=" + value
		}
		return invalid(r.instead(r.at, fixed), "/%s has no option %s. Did you mean --%s?", r.leaf.Path, text, best)
	}
	return invalid(r.leaf.Usage, "/%s has no option %s. It has --%s.", r.leaf.Path, text, list(flags, "and --"))
}

func (r *arranger) set(f Param, value string) error {
	for _, o := range r.flags {
		if o.name == f.Name {
			return invalid(r.leaf.Usage, "%s is there twice: %s and %s.", what(f), o.value, value)
		}
	}
	r.flags = append(r.flags, option{f.Name, value})
	return nil
}

func what(f Param) string {
	if f.Complete == "environment" {
		return "The environment"
	}
	return "--" + f.Name
}

// join folds a joining word and what follows it: "to production" becomes --to,
// "to r3" the argument that "to" belongs to.
func (r *arranger) join(w word) (bool, error) {
	env, asEnv := r.leaf.environment()
	asEnv = asEnv && slices.Contains(env.Words, strings.ToLower(w.text))
	slot := r.joined(w.text)
	i := slices.IndexFunc(r.leaf.Flags, func(f Param) bool {
		return f.Complete != "environment" && slices.Contains(f.Words, strings.ToLower(w.text))
	})
	if !asEnv && slot < 0 && i < 0 {
		return false, nil
	}
	if r.at+1 >= len(r.words) {
		if r.ahead() {
			return false, nil // "lock ocpizza on" has a short reason
		}
		return false, invalid(r.leaf.Usage, "Something is missing after “%s”.", w.text)
	}
	next := r.words[r.at+1]
	_, isEnvironment := fold(next.text, r.known.environments)
	switch {
	case asEnv && isEnvironment, asEnv && slot < 0 && i < 0 && !r.ahead():
		r.at += 2
		return true, r.set(env, next.text)
	case slot >= 0:
		r.at++
		for len(r.args) < slot {
			r.args = append(r.args, "")
		}
		return true, r.take(next)
	case i >= 0:
		r.at += 2
		return true, r.set(r.leaf.Flags[i], next.text)
	}
	return false, nil
}

// joined is the slot of the argument that w may stand before, or -1.
func (r *arranger) joined(w string) int {
	for i := len(r.args); i < len(r.leaf.Args); i++ {
		if slices.Contains(r.leaf.Args[i].Words, strings.ToLower(w)) {
			return i
		}
	}
	return -1
}

// take puts w into the next slot, past those that it cannot be meant for.
func (r *arranger) take(w word) error {
	r.at++
	slot := len(r.args)
	if slot >= len(r.leaf.Args) {
		if last := len(r.leaf.Args) - 1; last >= 0 && r.leaf.Args[last].Rest != "" {
			r.args = append(r.args, w.text)
			return nil
		}
		return r.tooMany(w)
	}
	switch p := r.leaf.Args[slot]; {
	case p.Complete == "app":
		return r.app(w)
	case number(p) && slot+1 < len(r.leaf.Args) && w.text != "" && !isNumber(w.text):
		r.args = append(r.args, "")
		r.at--
		return nil
	}
	r.args = append(r.args, w.text)
	return nil
}

func number(p Param) bool {
	return p.Complete == "operation" || p.Complete == "waiting" || p.Complete == "unknown"
}

func isNumber(text string) bool {
	text = strings.TrimPrefix(text, "#")
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsDigit(r) })
}

// app takes w as APP or APP@REF. When it is no app and a later argument could be
// meant, the app was left out; but what is nearly an app is a slip.
func (r *arranger) app(w word) error {
	name, ref, hasRef := w.text, "", false
	if r.leaf.slot("ref") == 1 {
		name, ref, hasRef = strings.Cut(w.text, "@")
	}
	app, known := fold(name, r.known.apps)
	switch {
	case known || hasRef && name == "":
		r.args = append(r.args, app)
	case hasRef, len(r.leaf.Args) == 1, r.slip(w, name):
		return r.unknownApp(name, ref)
	default:
		r.args = append(r.args, "")
		r.at-- // it is the next argument
		return nil
	}
	if hasRef {
		if ref == "" {
			return invalid(r.leaf.Usage, "A branch, tag or commit is missing after “%s@”.", name)
		}
		r.args = append(r.args, ref)
	}
	return nil
}

// slip reports whether name is an app but for a slip or two of the finger.
func (r *arranger) slip(w word, name string) bool {
	if w.quoted {
		return false
	}
	return slices.ContainsFunc(r.known.apps, func(app string) bool {
		return distance(strings.ToLower(name), strings.ToLower(app)) <= min(2, len(app)/3)
	})
}

func (r *arranger) unknownApp(name, ref string) error {
	if len(r.known.apps) == 0 {
		return missing("/help", "There is no app yet. Whoever keeps the configuration can add one.")
	}
	best := nearest(name, r.known.apps)
	if why, ok := r.leaf.flag("why"); ok && best == "" && ref == "" {
		return missing(fmt.Sprintf("/%s --%s %s", r.leaf.Path, why.Name, quote(plain(r.words[r.at-1:]))),
			"There is no app called “%s”; there is %s. A reason stands behind --%s.", name, list(r.known.apps, "and"), why.Name)
	}
	if best == "" {
		return missing("/apps", "There is no app called “%s”. There is %s.", name, list(r.known.apps, "and"))
	}
	if ref != "" {
		ref = "@" + ref
	}
	return missing(r.instead(r.at-1, best+ref), "There is no app called “%s”. Did you mean %s?", name, best)
}

func (r *arranger) tooMany(w word) error {
	if r.leaf.slot("ref") == 1 && len(r.args) == 2 && r.args[1] != "" {
		return invalid(r.leaf.Usage, "“%s” is one word too many: the version is already %s. An environment is written “to %s”.", w.text, r.args[1], w.text)
	}
	return invalid(r.leaf.Usage, "“%s” is one word too many.", w.text)
}

// instead is the line with the word at i replaced.
func (r *arranger) instead(i int, replacement string) string {
	text := "/" + r.leaf.Path
	for j, w := range r.words {
		switch {
		case j == i:
			text += " " + replacement
		case w.quoted:
			text += " " + quote(w.text)
		default:
			text += " " + w.text
		}
	}
	return text
}

// plain are words as the text that they are.
func plain(words []word) string {
	var texts []string
	for _, w := range words {
		texts = append(texts, w.text)
	}
	return strings.Join(texts, " ")
}

func spelled(words []word) string {
	var b strings.Builder
	for _, w := range words {
		fmt.Fprintf(&b, " %s", quote(w.text))
	}
	return strings.TrimSpace(b.String())
}
