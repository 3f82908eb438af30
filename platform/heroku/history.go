package heroku

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/platform"
)

// A rollback is a new release on Heroku, with the slug and the variables of an
// old one. Here it is the old one, live again: people go back to v411 and see
// v411 live, and an undo leaves the release that was there before.

// history is what Heroku tells of the releases, newest first.
type history struct {
	raw    []heroku.Release
	builds map[string]heroku.Build // by slug
	notes  note
}

var (
	rolledBack = regexp.MustCompile(`^Rollback to v(\d+)$`)
	pushed     = regexp.MustCompile(`^Deploy ([0-9a-f]{7,40})$`)
	// marker is what maitred writes into the description of a build.
	marker = regexp.MustCompile(`^(.*) \(maitred #(\d+), (.*)\)$`)
)

func mark(version string, r platform.Run) string {
	return fmt.Sprintf("%s (maitred #%d, %s)", version, r.Operation, strings.NewReplacer("\n", " ", "(", "", ")", "").Replace(r.Requester))
}

// history reads at least the n newest releases, all when n is zero, and the
// builds that they came from.
func (p *Provider) history(ctx context.Context, n int) (history, error) {
	h := history{builds: map[string]heroku.Build{}}
	width := 1000
	if n > 0 {
		width = min(1000, n+30) // rollbacks and first releases are no releases of their own
	}
	raw, err := p.client.ReleaseList(pages(ctx, n), p.config.App, &heroku.ListRange{Field: "version", Max: width, Descending: true})
	if err != nil {
		return h, p.fail("heroku.releases", err)
	}
	if n > 0 && len(raw) >= n && !slices.ContainsFunc(raw, func(r heroku.Release) bool { return r.Current }) {
		return p.history(ctx, 0) // what runs is older than a row of failures
	}
	if h.raw, err = p.complete(ctx, raw); err != nil {
		return h, err
	}
	if h.builds, err = p.behind(ctx, h.raw); err != nil {
		return h, err
	}
	h.notes, err = p.noted(ctx)
	return h, err
}

// behind are the builds of releases, by slug. What a slug came from never
// changes, so Heroku is asked only about slugs that are new.
func (p *Provider) behind(ctx context.Context, list []heroku.Release) (map[string]heroku.Build, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(list, func(r heroku.Release) bool {
		_, ok := p.slugs[slug(r)]
		return !ok && slug(r) != ""
	}) {
		builds, err := p.builds(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range list { // a slug may come from elsewhere: a promotion
			p.slugs[slug(r)] = heroku.Build{}
		}
		for _, b := range builds {
			if b.Slug != nil {
				p.slugs[b.Slug.ID] = b
			}
		}
	}
	found := map[string]heroku.Build{}
	for _, r := range list {
		found[slug(r)] = p.slugs[slug(r)]
	}
	return found, nil
}

func slug(r heroku.Release) string {
	if r.Slug == nil {
		return ""
	}
	return r.Slug.ID
}

// complete adds the release that the live one goes back to, when it is older
// than what was read.
func (p *Provider) complete(ctx context.Context, raw []heroku.Release) ([]heroku.Release, error) {
	h := history{raw: raw}
	for _, r := range raw {
		for r.Current {
			m := rolledBack.FindStringSubmatch(r.Description)
			if m == nil {
				break
			}
			to, _ := strconv.Atoi(m[1])
			i := slices.IndexFunc(raw, func(o heroku.Release) bool { return o.Version == to })
			if i >= 0 {
				r = raw[i]
				r.Current = true
				continue
			}
			old, err := p.client.ReleaseInfo(ctx, p.config.App, m[1])
			if err != nil {
				return nil, p.fail("heroku.releases", err)
			}
			h.raw = append(h.raw, *old)
			r = *old
			r.Current = true
		}
	}
	return h.raw, nil
}

// builds are all builds, newest first.
func (p *Provider) builds(ctx context.Context) ([]heroku.Build, error) {
	list, err := p.client.BuildList(pages(ctx, 0), p.config.App, &heroku.ListRange{Field: "id", Max: 1000})
	slices.SortStableFunc(list, func(a, b heroku.Build) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return list, p.fail("heroku.builds", err)
}

// origin is the release that r brought back, r itself when it is no rollback.
func (h history) origin(r heroku.Release) heroku.Release {
	for range len(h.raw) {
		m := rolledBack.FindStringSubmatch(r.Description)
		if m == nil {
			break
		}
		to, _ := strconv.Atoi(m[1])
		i := slices.IndexFunc(h.raw, func(o heroku.Release) bool { return o.Version == to })
		if i < 0 {
			break
		}
		r = h.raw[i]
	}
	return r
}

// leads reports that r is release number to, or brought it back; to may be older
// than what was read.
func (h history) leads(r heroku.Release, to int) bool {
	return h.origin(r).Version == to || r.Description == fmt.Sprintf("Rollback to v%d", to)
}

// current is the release that Heroku runs.
func (h history) current() (heroku.Release, bool) {
	i := slices.IndexFunc(h.raw, func(r heroku.Release) bool { return r.Current })
	if i < 0 || h.raw[i].Slug == nil {
		return heroku.Release{}, false
	}
	return h.raw[i], true
}

// live is the release that serves, as people know it; nil before the first.
func (h history) live() *platform.Release {
	now, ok := h.current()
	if !ok {
		return nil
	}
	r := h.tell(h.origin(now), now)
	return &r
}

// list are the releases as people know them, newest first.
func (h history) list(limit int) []platform.Release {
	now, _ := h.current()
	var list []platform.Release
	for _, r := range h.raw {
		if r.Slug == nil || rolledBack.MatchString(r.Description) && h.origin(r).Version != r.Version {
			continue
		}
		if list = append(list, h.tell(r, now)); limit > 0 && len(list) == limit {
			break
		}
	}
	return list
}

// tell is r in maitred's words; now is the release that Heroku runs.
func (h history) tell(r, now heroku.Release) platform.Release {
	out := platform.Release{ID: name(r), By: r.User.Email, At: r.CreatedAt, Note: r.Description, Version: name(r)}
	if b := h.builds[slug(r)]; b.ID != "" {
		m, known := h.made(b)
		if b.SourceBlob.Version != nil {
			out.SHA, out.Version = *b.SourceBlob.Version, short(*b.SourceBlob.Version)
		}
		if known {
			out.Version = m.Version
		}
		if known && b.Release != nil && b.Release.ID == r.ID {
			out.By, out.Operation, out.Note = m.By, m.Operation, ""
		}
	} else if m := pushed.FindStringSubmatch(r.Description); m != nil {
		out.SHA, out.Version, out.Note = m[1], short(m[1]), ""
	}
	switch {
	case now.Version == r.Version || now.Version != 0 && h.origin(now).Version == r.Version:
		out.State = platform.ReleaseLive
		if now.Version != r.Version {
			out.Note = fmt.Sprintf("live again as %s", name(now))
		}
	case r.Status == "pending":
		out.State = platform.ReleasePrepared
	case r.Status != "succeeded" || h.notes.Failed[r.Version] != 0:
		out.State = platform.ReleaseFailed
	case !r.EligibleForRollback:
		out.State = platform.ReleasePruned
	default:
		out.State = platform.ReleaseSuperseded
	}
	return out
}

// made is by what a build was made, when that was maitred.
func (h history) made(b heroku.Build) (built, bool) {
	if b.SourceBlob.Checksum != nil {
		if m, ok := h.notes.Builds[*b.SourceBlob.Checksum]; ok {
			return m, true
		}
	}
	if b.SourceBlob.VersionDescription == nil {
		return built{}, false
	}
	m := marker.FindStringSubmatch(*b.SourceBlob.VersionDescription)
	if m == nil {
		return built{}, false
	}
	op, err := strconv.ParseInt(m[2], 10, 64)
	return built{Operation: op, By: m[3], Version: m[1]}, err == nil
}

func name(r heroku.Release) string { return "v" + strconv.Itoa(r.Version) }

func short(sha string) string { return sha[:min(7, len(sha))] }

// Releases implements platform.Historian.
func (p *Provider) Releases(ctx context.Context, t platform.Target, limit int) ([]platform.Release, error) {
	if err := p.mine(t); err != nil {
		return nil, err
	}
	h, err := p.history(ctx, limit)
	return h.list(limit), err
}
