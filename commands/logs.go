package commands

import (
	"context"
	"fmt"
	"strings"

	"maitred/chat"
	"maitred/fault"
	"maitred/platform"
)

// Logs is /logs APP [to ENV] [--lines N] [--grep TEXT] [--process P] [--since 1h].
type Logs struct {
	Where
	Lines   int    `name:"lines" default:"50" placeholder:"50" help:"How many lines, 500 at most."`
	Grep    string `name:"grep" placeholder:"TEXT" help:"Only lines that contain this."`
	Process string `name:"process" complete:"process" placeholder:"PROCESS" help:"Only what this process printed."`
	Since   Span   `name:"since" placeholder:"1h" help:"Only what is younger than this."`
}

// Run reads the lines and takes the app's secrets out of them.
func (l *Logs) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	if l.Lines < 1 || l.Lines > 500 {
		return Answer{}, invalid("/logs "+aimed(l.Target())+" --lines=500", "--lines is between 1 and 500.")
	}
	running, err := s.Apps.Provider(l.Target())
	if err != nil {
		return Answer{}, err
	}
	reader, err := platform.Need[platform.LogReader](running, "show logs")
	if err != nil {
		return Answer{}, err
	}
	clean, err := discreet(ctx, running, l.Target())
	if err != nil {
		return Answer{}, &fault.Error{Kind: fault.Unreachable, Op: "commands.logs", Err: err, Hint: "/logs " + aimed(l.Target()),
			Say: fmt.Sprintf("The logs are withheld: the secrets of %s could not be read, so nobody can take them out.", l.Target())}
	}
	q := platform.LogQuery{Lines: l.Lines, Grep: l.Grep, Process: l.Process}
	if l.Since > 0 {
		q.Since = c.Now.Add(-l.Since.Duration())
	}
	lines, err := reader.Logs(ctx, l.Target(), q)
	if err != nil {
		return Answer{}, err
	}
	if len(lines) == 0 {
		return Answer{Card: say("%s printed nothing%s.", l.Target(), l.narrowed())}, nil
	}
	var out strings.Builder
	for _, line := range lines {
		if !line.At.IsZero() {
			out.WriteString(line.At.UTC().Format("15:04:05") + " ")
		}
		if line.Process != "" {
			out.WriteString("[" + line.Process + "] ")
		}
		out.WriteString(clean(line.Text) + "\n")
	}
	return Answer{Card: chat.Card{
		Title: "Logs of " + l.Target().String(), Output: strings.TrimRight(out.String(), "\n"),
		Text: fmt.Sprintf("The last %s of %s%s, times in UTC.", count(len(lines), "line", "lines"), l.Target(), l.narrowed()),
	}}, nil
}

func (l *Logs) narrowed() string {
	var parts string
	if l.Process != "" {
		parts += " from " + l.Process
	}
	if l.Grep != "" {
		parts += fmt.Sprintf(" with “%s”", l.Grep)
	}
	if l.Since > 0 {
		parts += " in the last " + chat.Span(l.Since.Duration())
	}
	return parts
}
