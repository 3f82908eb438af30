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

// Logs implements platform.LogReader: what the slots printed, the one that was
// started last at the end. A line that begins with an RFC 3339 time has it.
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
	var lines []platform.LogLine
	for _, tenant := range order {
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
			lines = append(lines, read(string(data), "web."+tenant.Slot, q)...)
		}
	}
	return lines[max(0, len(lines)-q.Lines):], nil
}

func read(data, process string, q platform.LogQuery) (lines []platform.LogLine) {
	for text := range strings.Lines(data) {
		text = strings.ToValidUTF8(strings.TrimRight(text, "\r\n"), "?")
		line := platform.LogLine{Process: process, Text: text}
		if first, rest, ok := strings.Cut(text, " "); ok {
			if at, err := time.Parse(time.RFC3339, first); err == nil {
				line.At, line.Text = at, rest
			}
		}
		if !strings.Contains(text, q.Grep) || !q.Since.IsZero() && !line.At.IsZero() && line.At.Before(q.Since) {
			continue
		}
		lines = append(lines, line)
	}
	return lines
}
