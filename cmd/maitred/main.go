// Command maitred is the whole bot: `maitred demo` shows it on this machine,
// `maitred serve` runs it for a team, and a few small subcommands help with
// both. How its rooms connect is in build.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"maitred/config"
	"maitred/fault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the process at once
	os.Exit(run(ctx, terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr}, os.Args[1:]))
}

// terminal is what a subcommand reads and prints.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

// subcommand is one thing that the program can be asked to do.
type subcommand struct {
	name   string
	usage  string // what follows the name
	help   string
	hidden bool
	run    func(ctx context.Context, t terminal, args []string) error
}

// subcommands are all, in the order of the help.
func subcommands() []subcommand {
	return []subcommand{
		{name: "demo", usage: "[--listen ADDRESS] [--app-listen ADDRESS] [--dir DIR]", help: "show everything on this machine, with a chat page and a sample app", run: demo},
		{name: "serve", usage: "--config FILE", help: "run maitred for a team; SIGHUP reads the file again", run: serve},
		{name: "check", usage: "[--audit] FILE", help: "tell every mistake in a configuration; with --audit verify the audit's chain", run: check},
		{name: "say", usage: "[flags] TEXT", help: "say something to a running maitred and print its answer", run: say},
		{name: "token", usage: "", help: "make a token for a person or service, and its hash for the configuration", run: token},
		{name: "backup-store", usage: "--config FILE TO", help: "copy maitred's own data to a file, also while it runs", run: backupStore},
		{name: "manifest", usage: "slack [--config FILE] [--url URL]", help: "print what api.slack.com/apps makes the Slack app from", run: manifest},
		{name: "version", usage: "", help: "print the version", run: version},
		{name: "front", hidden: true, run: front},
		{name: "sample-app", hidden: true, run: sampleApp},
	}
}

// run does what args ask for and returns the exit code: 0 done, 1 refused or
// failed, 2 not understood.
func run(ctx context.Context, t terminal, args []string) int {
	if len(args) == 0 {
		usage(t.err)
		return 2
	}
	if slices.Contains([]string{"help", "--help", "-help", "-h"}, args[0]) {
		usage(t.out)
		return 0
	}
	all := subcommands()
	i := slices.IndexFunc(all, func(s subcommand) bool { return s.name == strings.TrimPrefix(args[0], "--") })
	if i < 0 {
		fmt.Fprintf(t.err, "maitred: There is no subcommand %q.\n", args[0])
		usage(t.err)
		return 2
	}
	return exitCode(t, all[i].run(ctx, t, args[1:]))
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "maitred takes the orders of a team's deployments in chat.\n\nUsage:")
	for _, s := range subcommands() {
		if !s.hidden {
			fmt.Fprintf(w, "  %s\n      %s\n", strings.TrimSpace("maitred "+s.name+" "+s.usage), s.help)
		}
	}
}

// quiet is an end that has told its reason already.
type quiet int

func (q quiet) Error() string { return fmt.Sprintf("exit code %d", int(q)) }

// exitCode prints why a subcommand ended, for whoever typed it.
func exitCode(t terminal, err error) int {
	var code quiet
	var problems config.Problems
	var known *fault.Error
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &problems):
		fmt.Fprintln(t.err, problems.Error())
	case errors.As(err, &known):
		fmt.Fprintf(t.err, "maitred: %s\n", known.Say)
		if known.Hint != "" {
			fmt.Fprintf(t.err, "  %s\n", known.Hint)
		}
		if known.Err != nil && known.Kind == fault.Internal {
			fmt.Fprintf(t.err, "  (%v)\n", known.Err)
		}
	default:
		fmt.Fprintf(t.err, "maitred: %v\n", err)
	}
	return 1
}

// flags reads the flags of a subcommand, which may stand among its arguments,
// and returns the arguments.
func flags(t terminal, name string, args []string, declare func(*flag.FlagSet)) ([]string, error) {
	f := flag.NewFlagSet("maitred "+name, flag.ContinueOnError)
	f.SetOutput(t.err)
	declare(f)
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, quiet(2) // flag has told it
		}
		left := f.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// mistyped is a fault for a line that a subcommand cannot understand.
func mistyped(name, say string, args ...any) error {
	for _, s := range subcommands() {
		if s.name == name {
			return fault.New(fault.Invalid, name, strings.TrimSpace("maitred "+name+" "+s.usage), say, args...)
		}
	}
	return fault.New(fault.Invalid, name, "maitred help", say, args...)
}

func version(_ context.Context, t terminal, _ []string) error {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		fmt.Fprintln(t.out, "maitred")
		return nil
	}
	text := "maitred " + build.Main.Version
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" && !strings.Contains(build.Main.Version, s.Value[:min(12, len(s.Value))]) {
			text += " (" + s.Value[:min(12, len(s.Value))] + ")"
		}
	}
	fmt.Fprintf(t.out, "%s, %s\n", text, build.GoVersion)
	return nil
}
