package commands

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"maitred/fault"
	"maitred/platform"
)

// Aim fills in the app and the environment that o leaves out: the channel's,
// else the only one; a fault of kind Invalid asks when there are several, with
// the choices as complete commands. It returns what the order is about: the zero
// Target for what is about nothing in particular, the operation's for what is
// about an operation.
func (r *Registry) Aim(ctx context.Context, c Call, o *Order) (platform.Target, error) {
	if f, ok := o.Command.(filler); ok && len(c.Fields) > 0 {
		if err := f.fill(c.Fields); err != nil {
			return platform.Target{}, err
		}
	}
	if n, ok := o.Command.(numbered); ok {
		return r.aimNumber(ctx, c, o, n.number())
	}
	a, ok := o.Command.(aimer)
	if !ok {
		return platform.Target{}, nil
	}
	if all, ok := o.Command.(sweeper); ok && all.sweeps() {
		return platform.Target{}, nil
	}
	app, environment := a.where()
	typed := typed(c, app, environment)
	if asks, ok := o.Command.(asker); ok && asks.asks(c) && r.unclear(c, typed) {
		return platform.Target{}, nil
	}
	found, err := r.aimApp(c, o, typed)
	if err != nil || found.Name == "" {
		return platform.Target{}, err
	}
	*app = found.Name
	if environment == nil {
		return platform.Target{App: *app}, nil
	}
	if *environment, err = r.aimEnvironment(c, o, found, typed.Environment); err != nil {
		return platform.Target{}, err
	}
	return platform.Target{App: *app, Environment: *environment}, nil
}

// typed is what the line names, or else the form.
func typed(c Call, app, environment *string) platform.Target {
	t := platform.Target{App: *app}
	if t.App == "" {
		t.App = c.Fields["app"]
	}
	if environment != nil {
		t.Environment = *environment
		if t.Environment == "" {
			t.Environment = c.Fields["environment"]
		}
	}
	return t
}

// unclear reports whether a line that names t leaves open which target it means.
func (r *Registry) unclear(c Call, t platform.Target) bool {
	if t.App == "" {
		if t.App = r.services.Apps.Channel(c.Place).App; t.App == "" && len(r.services.Apps.Apps()) > 1 {
			return true
		}
	}
	return false
}

func (r *Registry) aimApp(c Call, o *Order, typed platform.Target) (App, error) {
	apps := r.services.Apps.Apps()
	name := typed.App
	if name == "" {
		name = r.services.Apps.Channel(c.Place).App
	}
	roams, ok := o.Command.(roamer)
	switch {
	case name == "" && len(apps) == 0:
		return App{}, missing("/help", "There is no app yet. Whoever keeps the configuration can add one.")
	case name == "" && len(apps) == 1:
		return apps[0], nil
	case name == "" && ok && roams.roams():
		return App{}, nil
	case name == "":
		var names, lines []string
		for _, app := range apps {
			names = append(names, app.Name)
			lines = append(lines, o.arranged.line(app.Name, typed.Environment))
		}
		return App{}, invalid(strings.Join(lines, "\n"), "Which app: %s?", list(names, "or"))
	}
	return r.services.app(name)
}

// app finds a configured app.
func (s Services) app(name string) (App, error) {
	apps := s.Apps.Apps()
	i := slices.IndexFunc(apps, func(a App) bool { return strings.EqualFold(a.Name, name) })
	if i >= 0 {
		return apps[i], nil
	}
	var names []string
	for _, app := range apps {
		names = append(names, app.Name)
	}
	if best := nearest(name, names); best != "" {
		return App{}, missing("/status "+best, "There is no app called “%s”. Did you mean %s?", name, best)
	}
	return App{}, missing("/apps", "There is no app called “%s”.", name)
}

func (r *Registry) aimEnvironment(c Call, o *Order, app App, typed string) (string, error) {
	if typed == "" {
		return r.impliedEnvironment(c, o, app)
	}
	if known, ok := fold(typed, app.Environments); ok {
		return known, nil
	}
	best := nearest(typed, app.Environments)
	if best == "" {
		lines := make([]string, len(app.Environments))
		for i, e := range app.Environments {
			lines[i] = o.arranged.line(app.Name, e)
		}
		return "", missing(strings.Join(lines, "\n"), "%s has no environment called “%s”. It has %s.", app.Name, typed, list(app.Environments, "and"))
	}
	return "", missing(o.arranged.line(app.Name, best), "%s has no environment called “%s”. Did you mean %s?", app.Name, typed, best)
}

func (r *Registry) impliedEnvironment(c Call, o *Order, app App) (string, error) {
	if t := r.services.Apps.Channel(c.Place); t.Environment != "" && (t.App == "" || t.App == app.Name) {
		if known, ok := fold(t.Environment, app.Environments); ok {
			return known, nil
		}
	}
	switch len(app.Environments) {
	case 0:
		return "", missing("/apps", "%s has no environment. Whoever keeps the configuration can add one.", app.Name)
	case 1:
		return app.Environments[0], nil
	}
	lines := make([]string, len(app.Environments))
	for i, e := range app.Environments {
		lines[i] = o.arranged.line(app.Name, e)
	}
	return "", invalid(strings.Join(lines, "\n"), "Which environment of %s: %s?", app.Name, list(app.Environments, "or"))
}

// aimNumber finds the operation that o is about: the one that it names, else
// the one in whose thread it was said.
func (r *Registry) aimNumber(ctx context.Context, c Call, o *Order, id *ID) (platform.Target, error) {
	if *id == 0 {
		*id = ID(c.Subject)
	}
	if *id == 0 {
		return platform.Target{}, r.whichOperation(ctx, o)
	}
	op, err := r.services.Operations.Operation(ctx, int64(*id))
	if fault.Is(err, fault.Missing) {
		return platform.Target{}, missing("/queue", "There is no operation #%d.", *id)
	}
	return op.Target, err
}

// whichOperation asks for the number, with the operations that can be meant.
func (r *Registry) whichOperation(ctx context.Context, o *Order) error {
	live, err := r.services.Operations.Live(ctx)
	if err != nil {
		return err
	}
	wanted := map[string]func(platform.State) bool{
		"approve":    func(s platform.State) bool { return s == platform.Waiting },
		"reject":     func(s platform.State) bool { return s == platform.Waiting },
		"breakglass": func(s platform.State) bool { return s == platform.Waiting },
		"settle":     func(s platform.State) bool { return s == platform.Unknown },
	}[o.Verb]
	var lines []string
	for _, op := range live {
		if wanted == nil || wanted(op.State) {
			line := fmt.Sprintf("/%s %d", o.Verb, op.ID)
			if rest := spelledArgs(o.arranged.args); rest != "" {
				line += " " + rest
			}
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return invalid("/queue", "Which operation? None can be meant right now.")
	}
	return invalid(strings.Join(lines, "\n"), "Which operation? Say its number, or say it in its thread.")
}

func spelledArgs(args []string) string {
	var out []string
	for _, a := range args {
		if a != "" {
			out = append(out, quote(a))
		}
	}
	return strings.Join(out, " ")
}

func missing(hint, say string, args ...any) error {
	return fault.New(fault.Missing, "commands.aim", hint, say, args...)
}
