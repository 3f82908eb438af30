package host

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"maitred/fault"
	"maitred/platform"
)

// runArgs are a one-off command.
type runArgs struct {
	Command []string `json:"command"`
	Release string   `json:"release"` // the one that was live when it was asked for
}

// PlanRun implements platform.Runner. The command is run as it is, without a
// shell, in the directory of the live release.
func (p *Provider) PlanRun(_ context.Context, t platform.Target, command []string) (platform.Plan, error) {
	live, err := p.deployed(t)
	if err != nil {
		return platform.Plan{}, err
	}
	if len(command) == 0 || command[0] == "" {
		return platform.Plan{}, fault.New(fault.Invalid, "host.run", "/run "+t.App+" -- COMMAND", "There is no command to run.")
	}
	if slices.ContainsFunc(command, func(word string) bool { return strings.ContainsRune(word, 0) }) {
		return platform.Plan{}, fault.New(fault.Invalid, "host.run", "", "A command cannot hold a NUL character.")
	}
	return platform.Plan{Steps: []platform.Step{{Name: "run", Action: "run", Args: raw(runArgs{command, live.ID})}}}, nil
}

// runStep runs in the release that is live when the run begins.
func (p *Provider) runStep(_ context.Context, r platform.Run) (work, error) {
	var args runArgs
	if err := readArgs(r, &args); err != nil {
		return work{}, err
	}
	id := struct{ Release string }{args.Release}
	if live, err := p.live(); err != nil {
		return work{}, err
	} else if live != nil {
		id.Release = live.ID
	}
	if err := p.remember(noteOf(r, "run-in"), &id); err != nil {
		return work{}, err
	}
	e, err := p.entry(id.Release)
	return work{
		entry: e, command: args.Command, code: true,
		cut: fmt.Sprintf("The command %s was cut short. Nobody knows how far it came.", fault.Quote(oneLine(strings.Join(args.Command, " "), 80))),
	}, err
}
