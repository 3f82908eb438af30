package commands

import (
	"context"
	"strings"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

// One is one process type of an app, or all of them.
type One struct {
	Process string `arg:"" optional:"" complete:"process" placeholder:"PROCESS" help:"One process type, such as web; all when left out."`
}

// Start is /start APP [PROCESS] [to ENV].
type Start struct {
	submits
	Where
	One
}

// Run submits.
func (p *Start) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	return process(ctx, c, s, platform.Start, p.Target(), p.Process)
}

// Stop is /stop APP [PROCESS] [to ENV].
type Stop struct {
	submits
	Where
	One
}

// Run submits.
func (p *Stop) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	return process(ctx, c, s, platform.Stop, p.Target(), p.Process)
}

// Restart is /restart APP [PROCESS] [to ENV].
type Restart struct {
	submits
	Where
	One
}

// Run submits.
func (p *Restart) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	return process(ctx, c, s, platform.Restart, p.Target(), p.Process)
}

// process submits what concerns the processes of t. A word that is neither an
// app nor a process is told so here, because the person may have meant either.
func process(ctx context.Context, c Call, s Services, kind platform.Kind, t platform.Target, name string) (Answer, error) {
	if name != "" {
		types, err := processTypes(ctx, s, t)
		if err != nil {
			return Answer{}, err
		}
		known, ok := fold(name, types)
		if !ok && len(types) > 0 {
			return Answer{}, noProcess(s, kind, t, name, types)
		}
		if ok {
			name = known
		}
	}
	return submit(ctx, c, s, kind, t, nil, engine.ProcessArgs{Process: name})
}

// processTypes are the process types of t that the platform knows now, and the
// names of the single ones ("web", "web.blue").
func processTypes(ctx context.Context, s Services, t platform.Target) ([]string, error) {
	p, err := s.Apps.Provider(t)
	if err != nil {
		return nil, err
	}
	status, err := p.Status(ctx, t)
	if err != nil {
		return nil, err
	}
	var types []string
	for _, running := range status.Processes {
		for _, name := range []string{running.Type, running.Name} {
			if _, known := fold(name, types); name != "" && !known {
				types = append(types, name)
			}
		}
	}
	return types, nil
}

func noProcess(s Services, kind platform.Kind, t platform.Target, name string, types []string) error {
	hint := "/ps " + aimed(t)
	names := append((&Registry{services: s}).names().apps, types...)
	if best := nearest(name, names); best != "" {
		if _, app := fold(best, (&Registry{services: s}).names().apps); app {
			return missing("/"+kind.Verb()+" "+best, "“%s” is neither an app nor a process of %s. Did you mean the app %s?", name, t, best)
		}
		return missing("/"+kind.Verb()+" "+t.App+" "+best+" to "+t.Environment, "%s has no process “%s”. Did you mean %s?", t, name, best)
	}
	return missing(hint, "“%s” is neither an app nor a process of %s, which has %s.", name, t, list(types, "and"))
}

// Ps is /ps APP [to ENV]: the processes of an app.
type Ps struct{ Where }

// Run asks the platform.
func (p *Ps) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	running, err := s.Apps.Provider(p.Target())
	if err != nil {
		return Answer{}, err
	}
	status, err := running.Status(ctx, p.Target())
	if err != nil {
		return Answer{}, err
	}
	if len(status.Processes) == 0 {
		card := say("No process of %s is running. %s", p.Target(), sentence(status.Evidence))
		card.State, card.Word = chat.Warning, "stopped"
		card.Buttons = []chat.Button{{Label: "Start", Line: "/start " + aimed(p.Target())}}
		return Answer{Card: card}, nil
	}
	clean, err := discreet(ctx, running, p.Target())
	table := rows{{"PROCESS", "STATE", "SINCE", "RELEASE", "COMMAND"}}
	up := 0
	for _, one := range status.Processes {
		command := one.Command
		if command != "" {
			if err != nil {
				command = "(withheld)"
			} else {
				command = clean(command)
			}
		}
		if one.State == "up" {
			up++
		}
		table = append(table, []string{one.Name, one.State, when(one.Since, c), one.Release, command})
	}
	card := say("%s has %s, %d up.", p.Target(), count(len(status.Processes), "process", "processes"), up)
	card.Title, card.Output, card.State = "Processes of "+p.Target().String(), table.String(), chat.Good
	if up < len(status.Processes) {
		card.State, card.Word = chat.Warning, "not all up"
	}
	card.Buttons = []chat.Button{{Label: "Restart", Line: "/restart " + aimed(p.Target()), Confirm: "Restart " + p.Target().String() + "?"}}
	return Answer{Card: card}, nil
}

// Scale is /scale APP PROCESS=COUNT[:SIZE]… [to ENV].
type Scale struct {
	submits
	Where
	To []string `arg:"" optional:"" rest:"text" sep:"none" need:"what to scale to, such as web=2 or web=+1:standard-2x" placeholder:"web=2:SIZE" help:"Process types with their number, and their size where the platform has sizes."`
}

// Run reads the quantities and submits.
func (p *Scale) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	var args engine.ScaleArgs
	for _, text := range p.To {
		q, err := quantity(text)
		if err != nil {
			return Answer{}, err
		}
		args.To = append(args.To, q)
	}
	if _, err := provider[platform.Scaler](s, p.Target(), "scale processes"); err != nil {
		return Answer{}, err
	}
	return submit(ctx, c, s, platform.Scale, p.Target(), nil, args)
}

// quantity reads web=2, web=+1, web=-1 and web=2:standard-2x.
// A size always follows a number.
func quantity(text string) (platform.Quantity, error) {
	name, rest, ok := strings.Cut(text, "=")
	number, size, sized := strings.Cut(rest, ":")
	q := platform.Quantity{Process: name, Size: size, Delta: strings.HasPrefix(number, "+") || strings.HasPrefix(number, "-")}
	n, err := parseCount(number)
	if !ok || name == "" || err != nil || sized && size == "" {
		return q, invalid("/scale APP web=2:SIZE", "“%s” does not say what to scale. Write it as web=2, web=+1 or web=2:standard-2x.", short(text))
	}
	q.Count = n
	return q, nil
}
