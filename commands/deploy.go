package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// Deploy is /deploy APP[@REF] [REF] [to ENV]: put a ref of an app live. Said
// without an app where several can be meant, it opens a form.
type Deploy struct {
	submits
	Where
	Version
}

// Version is the ref of a command that deploys.
type Version struct {
	Ref string `arg:"" optional:"" complete:"ref" placeholder:"REF" help:"A branch, tag or commit; the default branch when left out."`
}

// Run resolves the ref and submits.
func (d *Deploy) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	if d.App == "" {
		return Answer{Form: whichApp(s, "Deploy", "/deploy"), Private: true}, nil
	}
	src, err := d.resolve(ctx, s, "/deploy", d.Target())
	if err != nil {
		return Answer{}, err
	}
	return submit(ctx, c, s, platform.Deploy, d.Target(), &src, nil)
}

func (d *Deploy) asks(c Call) bool { return d.Ref == "" && mayAsk(c) }

func (v *Version) fill(fields map[string]string) error {
	if v.Ref == "" {
		v.Ref = strings.TrimSpace(fields["ref"])
	}
	return nil
}

// resolve finds the ref. One that is not there is answered with the line as it
// was meant, or with those for the newest refs that begin alike.
func (v *Version) resolve(ctx context.Context, s Services, line string, t platform.Target) (platform.Source, error) {
	src, err := s.Sources.Resolve(ctx, t, v.Ref)
	if !fault.Is(err, fault.Missing) || v.Ref == "" {
		return src, err
	}
	refs, failed := s.Sources.Refs(ctx, t)
	if failed != nil || len(refs) == 0 {
		return src, err
	}
	f := &fault.Error{Kind: fault.Missing, Op: "commands.resolve", Err: err, Say: fmt.Sprintf("%s has no branch, tag or commit “%s”.", t.App, clip(v.Ref, 80))}
	alike := slices.DeleteFunc(slices.Clone(refs), func(ref string) bool { return !strings.EqualFold(ref[:1], v.Ref[:1]) })
	if len(alike) == 0 {
		alike = slices.Clone(refs)
	}
	meant := alike[:min(3, len(alike))]
	if best := nearest(v.Ref, refs); best != "" {
		meant = []string{best}
		f.Say += fmt.Sprintf(" Did you mean %s?", best)
	}
	for i, ref := range meant {
		meant[i] = fmt.Sprintf("%s %s to %s", line, quote(t.App+"@"+ref), quote(t.Environment))
	}
	f.Hint = strings.Join(meant, "\n")
	return src, f
}

// mayAsk reports whether a form can be shown to whoever said the line.
func mayAsk(c Call) bool {
	return (c.Source == chat.Typed || c.Source == chat.Clicked || c.Source == "") && len(c.Fields) == 0
}

// whichApp asks for everything that a deploy needs.
func whichApp(s Services, what, line string) *chat.Form {
	known := (&Registry{services: s}).names()
	f := &chat.Form{
		Title: what, Line: line, Submit: what,
		Text: what + " which app, where, and which version of it?",
		Fields: []chat.FormField{
			{Name: "app", Label: "App", Kind: chat.ChoiceField, Choices: known.apps, Required: true, Complete: "app"},
			{Name: "ref", Label: "Branch, tag or commit", Kind: chat.TextField, Complete: "ref", Help: "The default branch when empty."},
		},
	}
	if len(known.environments) > 1 {
		f.Fields = append(f.Fields, chat.FormField{Name: "environment", Label: "Environment", Kind: chat.ChoiceField, Choices: known.environments, Required: true, Complete: "environment"})
	}
	return f
}
