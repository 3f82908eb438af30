package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// entry is one line of the ledger of releases. The last line of an id counts.
type entry struct {
	platform.Release
	Dir string `json:"dir"` // "r3-0123abc", below releases
}

// readLines reads a ledger of JSON lines. A line that cannot be read was torn by
// a crash and is left out.
func readLines[T any](p *Provider, path string) ([]T, error) {
	data, err := p.box.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, p.fail("host.ledger", err)
	}
	var list []T
	for line := range bytes.Lines(data) {
		var v T
		if json.Unmarshal(line, &v) == nil {
			list = append(list, v)
		}
	}
	return list, nil
}

func (p *Provider) appendLine(path string, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.fail("host.ledger", p.box.Append(path, line, 0o640))
}

// ledger are the releases, newest first.
func (p *Provider) ledger() ([]entry, error) {
	lines, err := readLines[entry](p, p.inState("releases.jsonl"))
	if err != nil {
		return nil, err
	}
	var list []entry
	for _, line := range lines {
		if i := slices.IndexFunc(list, func(e entry) bool { return e.ID == line.ID }); i >= 0 {
			list[i] = line
		} else {
			list = append(list, line)
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int { return number(b.ID) - number(a.ID) })
	return list, nil
}

// number is the 12 of "r12" and "b12".
func number(id string) int {
	n, _ := strconv.Atoi(strings.TrimLeft(id, "rb"))
	return n
}

func (p *Provider) entry(id string) (entry, error) {
	list, err := p.ledger()
	if err != nil {
		return entry{}, err
	}
	for _, e := range list {
		if e.ID == id {
			return e, nil
		}
	}
	return entry{}, fault.New(fault.Missing, "host.release", "/releases "+p.target.App, "%s has no release %s.", p.target, fault.Quote(id))
}

// live is the release that serves, or would if it were started.
func (p *Provider) live() (*entry, error) {
	list, err := p.ledger()
	if err != nil {
		return nil, err
	}
	for _, e := range list {
		if e.State == platform.ReleaseLive {
			return &e, nil
		}
	}
	return nil, nil
}

// comeback is why and by whom a release is live again.
type comeback struct{ note, by string }

// mark notes the states of releases where they differ, all in one write: no
// reader sees a moment in which nothing is live. What goes live again has it
// from back, which is zero when nothing does.
func (p *Provider) mark(ctx context.Context, states map[string]platform.ReleaseState, back comeback) error {
	return p.locked(ctx, func() error {
		list, err := p.ledger()
		if err != nil {
			return err
		}
		// What goes live is written first: a power cut that keeps half of it leaves
		// two that are live, of which the newer counts, and never none.
		slices.SortStableFunc(list, func(a, b entry) int {
			return cmp.Compare(rank(states[a.ID]), rank(states[b.ID]))
		})
		var lines []byte
		for _, e := range list {
			to, ok := states[e.ID]
			if !ok || to == e.State {
				continue
			}
			e.State = to
			if back != (comeback{}) && to == platform.ReleaseLive {
				e.Note, e.Again, e.AgainBy = back.note, time.Now().UTC(), back.by
			}
			line, err := json.Marshal(e)
			if err != nil {
				return err
			}
			lines = append(append(lines, line...), '\n')
		}
		if lines == nil {
			return nil
		}
		return p.fail("host.ledger", p.box.Append(p.inState("releases.jsonl"), lines, 0o640))
	})
}

func rank(s platform.ReleaseState) int {
	if s == platform.ReleaseLive {
		return 0
	}
	return 1
}

// allot gives the release of operation r its id, the same one each time.
func (p *Provider) allot(ctx context.Context, r platform.Run, src platform.Source) (entry, error) {
	var made entry
	err := p.locked(ctx, func() error {
		list, err := p.ledger()
		if err != nil {
			return err
		}
		last := 0
		for _, e := range list {
			if last = max(last, number(e.ID)); e.Operation == r.Operation && r.Operation != 0 {
				made = e
				return nil
			}
		}
		id := fmt.Sprintf("r%d", last+1)
		made = entry{
			Dir: id + "-" + src.SHA[:min(7, len(src.SHA))],
			Release: platform.Release{
				ID: id, Ref: src.Ref, SHA: src.SHA, Version: src.Version, By: r.Requester,
				At: time.Now().UTC(), State: platform.ReleasePrepared, Operation: r.Operation,
			},
		}
		if made.Version == "" {
			made.Version = src.SHA[:min(7, len(src.SHA))]
		}
		return p.appendLine(p.inState("releases.jsonl"), made)
	})
	return made, err
}

// Releases implements platform.Historian.
func (p *Provider) Releases(_ context.Context, t platform.Target, limit int) ([]platform.Release, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	list, err := p.ledger()
	if err != nil {
		return nil, err
	}
	releases := make([]platform.Release, 0, len(list))
	for _, e := range list {
		releases = append(releases, e.Release)
	}
	if limit > 0 && len(releases) > limit {
		releases = releases[:limit]
	}
	return releases, nil
}
