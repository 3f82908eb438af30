package commands

import (
	"encoding"
	"strconv"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// Where is the target of a command. Both parts may be left out; Registry.Aim
// fills them before Run.
type Where struct {
	App         string `arg:"" optional:"" complete:"app" placeholder:"APP" help:"The app; the channel's, or the only one, when left out."`
	Environment string `name:"to" aliases:"in,on,env,environment" words:"to,in,on" complete:"environment" placeholder:"ENV" help:"The environment; the channel's, or the only one, when left out."`
}

// Target is what the command is about.
func (w *Where) Target() platform.Target {
	return platform.Target{App: w.App, Environment: w.Environment}
}

func (w *Where) where() (app, environment *string) { return &w.App, &w.Environment }

// Which is an app alone: for commands that are about all its environments.
type Which struct {
	App string `arg:"" optional:"" complete:"app" placeholder:"APP" help:"The app; the channel's, or the only one, when left out."`
}

func (w *Which) where() (app, environment *string) { return &w.App, nil }

// Number is the operation that a command is about: the one whose thread it is
// said in, when left out.
type Number struct {
	ID ID `arg:"" optional:"" complete:"operation" placeholder:"ID" help:"The operation's number; in its thread it may be left out."`
}

func (n *Number) number() *ID { return &n.ID }

// The shapes that Aim knows a command by.
type (
	aimer interface {
		where() (app, environment *string)
	}
	numbered interface{ number() *ID }
	// roamer is a command that may be about everything at once, when neither
	// the line nor the channel says otherwise.
	roamer interface{ roams() bool }
	// sweeper is a command that may be told to be about everything, so that the
	// right to do it everywhere is asked for.
	sweeper interface{ sweeps() bool }
	// asker opens a form when too little was said, so that Aim has nothing to
	// complain of.
	asker interface{ asks(c Call) bool }
	// filler takes more from a form than app and environment.
	filler interface {
		fill(fields map[string]string) error
	}
)

// ID is the number of an operation or schedule, typed with or without "#".
type ID int64

var _ encoding.TextUnmarshaler = (*ID)(nil)

// UnmarshalText reads "214" or "#214"; nothing is the one that is talked about.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = 0
		return nil
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(string(text), "#"), 10, 64)
	if err != nil || n < 0 {
		return invalid("/queue", "“%s” is not the number of an operation.", text)
	}
	*id = ID(n)
	return nil
}

// Span is a length of time, typed as 90m, 2h, 1d or 1w.
type Span time.Duration

// UnmarshalText reads what time.ParseDuration does, and days and weeks.
func (s *Span) UnmarshalText(text []byte) error {
	typed := strings.ToLower(string(text))
	units := map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour}
	d, err := time.ParseDuration(typed)
	for suffix, unit := range units {
		if number, ok := strings.CutSuffix(typed, suffix); ok {
			var n float64
			if n, err = strconv.ParseFloat(number, 64); err == nil {
				d = time.Duration(n * float64(unit))
			}
		}
	}
	if err != nil || d <= 0 || d > 366*24*time.Hour {
		return &fault.Error{
			Kind: fault.Invalid, Op: "commands.span",
			Say: "“" + string(text) + "” is not a length of time that I can use. Write it as 30m, 2h, 1d or 1w.",
		}
	}
	*s = Span(d)
	return nil
}

// Duration is s as the standard library counts.
func (s Span) Duration() time.Duration { return time.Duration(s) }
