package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"maitred/chat"
	"maitred/platform"
)

// most is how many completions any chat shows.
const most = 25

// Complete suggests how line could be finished, best first. It offers only what
// the asker may do, and never fails: no idea is no suggestion.
func (r *Registry) Complete(ctx context.Context, c Call, line string) []chat.Completion {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	words, err := split(strings.TrimRight(line, `"'\`))
	if err != nil {
		return nil
	}
	partial := word{}
	if n := len(words); n > 0 && !strings.HasSuffix(line, " ") {
		words, partial = words[:n-1], words[n-1]
	}
	f := finisher{r: r, ctx: ctx, c: c, partial: partial.text}
	if len(words) == 0 {
		f.partial = strings.TrimLeft(f.partial, "/")
		f.commands(nil)
		return f.ranked("/")
	}
	head := addressed(words)
	l, rest, err := find(head)
	if err != nil {
		f.commands(head)
	} else if f.may(l) {
		f.arguments(l, rest)
	}
	prefix := "/"
	for _, w := range head {
		if w.quoted {
			w.text = quote(w.text)
		}
		prefix += w.text + " "
	}
	return f.ranked(prefix)
}

// finisher collects ways to finish a word.
type finisher struct {
	r       *Registry
	ctx     context.Context
	c       Call
	partial string
	found   []candidate
}

type candidate struct{ insert, label, help string }

func (f *finisher) offer(insert, help string) {
	if !slices.ContainsFunc(f.found, func(k candidate) bool { return k.insert == insert }) {
		f.found = append(f.found, candidate{insert, insert, help})
	}
}

// ranked are the candidates that fit what was typed: those that begin so before
// those that contain it.
func (f *finisher) ranked(prefix string) []chat.Completion {
	typed := strings.ToLower(f.partial)
	var begin, within []chat.Completion
	for _, k := range f.found {
		one := chat.Completion{Insert: prefix + k.insert, Label: k.label, Help: k.help}
		switch at := strings.Index(strings.ToLower(k.insert), typed); {
		case at == 0:
			begin = append(begin, one)
		case at > 0:
			within = append(within, one)
		}
	}
	begin = append(begin, within...)
	return begin[:min(most, len(begin))]
}

func (f *finisher) may(l *leaf) bool { return may(f.c, f.r.services, l.Verb) }

// commands offers the next word of the commands that begin with said.
func (f *finisher) commands(said []word) {
	for _, l := range leaves() {
		path := l.spell[0]
		if len(path) <= len(said) || !begins(append(slices.Clone(said), word{text: path[len(said)]}), path[:len(said)+1]) || !f.may(l) {
			continue
		}
		next := path[len(said)]
		help := l.Help
		if len(path) > len(said)+1 {
			help = "/" + strings.Join(path[:len(said)+1], " ") + " " + strings.Join(children(path[0]), "|")
		}
		f.offer(next, help)
	}
}

// arguments offers what may follow rest, the words behind the command.
func (f *finisher) arguments(l *leaf, rest []word) {
	if flag, ok := f.valued(l, rest); ok {
		f.values(flag.Complete, f.aim(l, rest[:len(rest)-1]))
		return
	}
	if strings.HasPrefix(f.partial, "-") {
		for _, p := range l.Flags {
			f.offer("--"+p.Name, p.Help)
		}
		return
	}
	a := halfway(l, rest, f.r.names())
	slot := len(a.args)
	t := f.aim(l, rest)
	if slot < len(l.Args) {
		f.slot(l, a, slot, t)
	}
	for _, p := range l.Flags {
		_, given := a.value(p)
		for _, w := range p.Words {
			if !given && f.partial != "" && strings.HasPrefix(w, strings.ToLower(f.partial)) {
				f.offer(w, p.Help)
			}
		}
	}
	if f.partial == "" && slot > 0 {
		for _, p := range l.Flags {
			if _, given := a.value(p); !given && len(p.Words) > 0 {
				f.offer(p.Words[0], p.Help)
			}
		}
	}
}

// slot offers values for one argument, and, where the app may be left out, for
// the one behind it.
func (f *finisher) slot(l *leaf, a *arranged, slot int, t platform.Target) {
	p := l.Args[slot]
	if name, _, at := strings.Cut(f.partial, "@"); p.Complete == "app" && at && l.slot("ref") == 1 {
		if app, ok := fold(name, f.r.names().apps); ok {
			t = f.target(app, t.Environment)
			for _, ref := range f.refs(t) {
				f.offer(app+"@"+ref, "")
			}
		}
		return
	}
	f.values(p.Complete, t)
	for _, choice := range p.Choices {
		f.offer(choice, p.Help)
	}
	if (p.Complete == "app" || number(p)) && slot+1 < len(l.Args) {
		f.slot(l, a, slot+1, t)
	}
}

// valued is the option whose value is being typed.
func (f *finisher) valued(l *leaf, rest []word) (Param, bool) {
	if len(rest) == 0 || rest[len(rest)-1].quoted {
		return Param{}, false
	}
	last := strings.ToLower(rest[len(rest)-1].text)
	if name, ok := strings.CutPrefix(last, "--"); ok {
		p, known := l.flag(name)
		return p, known && !p.Switch
	}
	for _, p := range append(slices.Clone(l.Flags), l.Args...) {
		if slices.Contains(p.Words, last) {
			if p.Complete == "environment" && slices.ContainsFunc(l.Args, func(q Param) bool { return slices.Contains(q.Words, last) }) {
				f.values("environment", f.aim(l, rest[:len(rest)-1]))
				continue
			}
			return p, true
		}
	}
	return Param{}, false
}

// halfway arranges what there is; what cannot be arranged yet counts by words.
func halfway(l *leaf, rest []word, known names) *arranged {
	r := arranger{arranged: arranged{leaf: l}, words: rest, known: known}
	for r.at < len(r.words) {
		before := r.at
		if err := r.next(); err != nil {
			if r.at == before {
				r.at++
			}
			r.args = append(r.args, "")
		}
	}
	return &r.arranged
}

// aim is the target as far as rest and the channel tell.
func (f *finisher) aim(l *leaf, rest []word) platform.Target {
	app, environment := halfway(l, rest, f.r.names()).aimed()
	return f.target(app, environment)
}

func (f *finisher) target(app, environment string) platform.Target {
	channel := f.r.services.Apps.Channel(f.c.Place)
	apps := f.r.services.Apps.Apps()
	if app == "" {
		app = channel.App
	}
	if app == "" && len(apps) == 1 {
		app = apps[0].Name
	}
	found, err := f.r.services.app(app)
	if err != nil {
		return platform.Target{}
	}
	if environment == "" && channel.App == app {
		environment = channel.Environment
	}
	if environment == "" && len(found.Environments) > 0 {
		environment = found.Environments[0]
	}
	return platform.Target{App: found.Name, Environment: environment}
}

// values offers what there is of a sort.
func (f *finisher) values(sort string, t platform.Target) {
	s := f.r.services
	switch sort {
	case "app":
		for _, app := range s.Apps.Apps() {
			f.offer(app.Name, app.Help)
		}
	case "environment":
		if app, err := s.app(t.App); err == nil {
			for _, e := range app.Environments {
				f.offer(e, app.Providers[e])
			}
			return
		}
		for _, e := range f.r.names().environments {
			f.offer(e, "")
		}
	case "command":
		for _, l := range leaves() {
			if f.may(l) {
				f.offer(l.Path, l.Help)
			}
		}
	case "ref":
		for _, ref := range f.refs(t) {
			f.offer(ref, "")
		}
	case "operation", "waiting", "unknown":
		f.operations(sort)
	case "outcome":
		for _, o := range outcomes {
			f.offer(o, "")
		}
	case "schedule":
		schedules, _ := s.Schedules.Schedules(f.ctx)
		for _, one := range schedules {
			f.offer(fmt.Sprint(one.ID), one.Line+" "+spoken(one.Cron, one.Zone))
		}
	default:
		f.platform(sort, t)
	}
}

func (f *finisher) refs(t platform.Target) []string {
	if t.App == "" {
		return nil
	}
	refs, _ := f.r.services.Sources.Refs(f.ctx, t)
	return refs
}

func (f *finisher) operations(sort string) {
	live, _ := f.r.services.Operations.Live(f.ctx)
	voice := f.r.services.voice()
	for _, op := range slices.Backward(live) {
		if sort == "waiting" && op.State != platform.Waiting || sort == "unknown" && op.State != platform.Unknown {
			continue
		}
		f.offer(fmt.Sprint(op.ID), voice.headline(op))
	}
}

// platform offers what only the platform of t knows.
func (f *finisher) platform(sort string, t platform.Target) {
	p, err := f.r.services.Apps.Provider(t)
	if t.App == "" || err != nil {
		return
	}
	switch sort {
	case "release":
		if h, ok := p.(platform.Historian); ok {
			releases, _ := h.Releases(f.ctx, t, most)
			for _, one := range releases {
				f.offer(one.ID, join(one.Version, string(one.State)))
			}
			for _, one := range releases {
				if one.Version != "" {
					f.offer(one.Version, one.ID)
				}
			}
		}
	case "backup", "database":
		if a, ok := p.(platform.Archivist); ok {
			backups, _ := a.Backups(f.ctx, t)
			for _, one := range backups {
				if sort == "backup" {
					f.offer(one.ID, join(one.Database, one.At.UTC().Format("2 Jan 15:04"), one.Grade))
				} else if one.Database != "" {
					f.offer(one.Database, "")
				}
			}
		}
	case "process":
		types, _ := processTypes(f.ctx, f.r.services, t)
		for _, one := range types {
			f.offer(one, "")
		}
	case "variable":
		if v, ok := p.(platform.Configurer); ok {
			variables, _ := v.Variables(f.ctx, t)
			for _, one := range variables {
				f.offer(one.Name, one.Help)
			}
		}
	}
}
