package host

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"maitred/platform"
)

const logTail = 1 << 20

// Logs implements platform.LogReader: what the slots printed, in the order of
// time. A line that begins with an RFC 3339 time has it; one without stays
// behind the line that its slot printed before.
func (p *Provider) Logs(_ context.Context, t platform.Target, q platform.LogQuery) ([]platform.LogLine, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	if q.Lines <= 0 {
		q.Lines = 100
	}
	wanted := strings.TrimPrefix(strings.TrimPrefix(q.Process, "web"), ".")
	if wanted != "" && !slices.Contains(slots, wanted) {
		return nil, p.web(q.Process)
	}
	var order []tenant
	for _, slot := range slots {
		if tenant, ok := p.tenant(slot); ok && (wanted == "" || wanted == slot) {
			order = append(order, tenant)
		}
	}
	slices.SortFunc(order, func(a, b tenant) int { return a.Started.Compare(b.Started) })
	var lines []dated
	for _, tenant := range order {
		var printed []platform.LogLine
		for _, suffix := range []string{".1", ""} {
			data, size, err := p.box.Tail(p.path("shared", "log", tenant.Slot+".log"+suffix), 0, logTail)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, p.fail("host.logs", err)
			}
			if size > int64(len(data)) { // the first line may be half of one
				_, rest, _ := strings.Cut(string(data), "\n")
				data = []byte(rest)
			}
			printed = append(printed, read(string(data), "web."+tenant.Slot)...)
		}
		lines = append(lines, date(printed, tenant.Started)...)
	}
	slices.SortStableFunc(lines, func(a, b dated) int { return a.when.Compare(b.when) })
	return last(lines, q), nil
}

// dated is a line with the time by which it is put in order.
type dated struct {
	platform.LogLine
	when time.Time
}

// date gives lines of one slot their place in time. What nothing before it dates
// is as old as what comes next, else as the start of the slot.
func date(lines []platform.LogLine, started time.Time) []dated {
	if i := slices.IndexFunc(lines, func(l platform.LogLine) bool { return !l.At.IsZero() }); i >= 0 {
		started = lines[i].At
	}
	out := make([]dated, len(lines))
	for i, line := range lines {
		if !line.At.IsZero() {
			started = line.At
		}
		out[i] = dated{line, started}
	}
	return out
}

// last are the newest of lines that q asks for.
func last(lines []dated, q platform.LogQuery) (out []platform.LogLine) {
	for _, line := range lines {
		old := !q.Since.IsZero() && !line.At.IsZero() && line.At.Before(q.Since)
		if !old && strings.Contains(line.Text, q.Grep) {
			out = append(out, line.LogLine)
		}
	}
	return out[max(0, len(out)-q.Lines):]
}

func read(data, process string) (lines []platform.LogLine) {
	for text := range strings.Lines(data) {
		text = strings.ToValidUTF8(strings.TrimRight(text, "\r\n"), "?")
		line := platform.LogLine{Process: process, Text: text}
		if first, rest, ok := strings.Cut(text, " "); ok {
			if at, err := time.Parse(time.RFC3339, first); err == nil {
				line.At, line.Text = at, rest
			}
		}
		lines = append(lines, line)
	}
	return lines
}
