package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"maitred/fault"
	"maitred/platform"
)

// Resolve fetches repository and finds the commit that ref names: a branch, a
// tag, a SHA of at least four digits, or refs/heads/… and refs/tags/… in full.
// "" is the default branch. Faults: Missing (with the nearest names), Invalid
// (no name at all, or the name of two things), Unreachable.
func (m *Mirrors) Resolve(ctx context.Context, repository, ref string) (platform.Source, error) {
	if err := checkRef(ref); err != nil {
		return platform.Source{}, err
	}
	if fullSHA.MatchString(ref) {
		if r, err := m.here(repository); err == nil {
			if sha, err := r.commit(ctx, ref); err == nil {
				return r.source(ctx, strings.ToLower(ref), sha, "")
			}
		}
	}
	r, err := m.fresh(ctx, repository)
	if err != nil {
		return platform.Source{}, err
	}
	if ref == "" {
		if ref, err = r.defaultBranch(ctx); err != nil {
			return platform.Source{}, err
		}
		ref = "refs/heads/" + ref
	}
	return r.resolve(ctx, ref)
}

var (
	fullSHA  = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)
	shortSHA = regexp.MustCompile(`^[0-9a-fA-F]{4,40}$`)
	badRef   = regexp.MustCompile(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/$|\.lock$|^/|^@$`)
)

// checkRef refuses what can be no name, before git sees it.
func checkRef(ref string) error {
	hint := "Name a branch, a tag or a commit."
	switch {
	case strings.HasPrefix(ref, "-"):
		return fault.New(fault.Invalid, "source.ref", hint, "A ref cannot begin with a dash, as %s does.", fault.Quote(clip(ref, 80)))
	case len(ref) > 250:
		return fault.New(fault.Invalid, "source.ref", hint, "A ref of %d characters is too long.", len(ref))
	case badRef.MatchString(ref):
		return fault.New(fault.Invalid, "source.ref", hint, "%s is no branch, tag or commit.", fault.Quote(clip(ref, 80)))
	}
	return nil
}

func (r *mirror) resolve(ctx context.Context, ref string) (platform.Source, error) {
	short := ref
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		short = name
	} else if name, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		short = name
	}
	whole := short != ref
	var branch, tag, sha string
	var err error
	if branch, err = r.pointer(ctx, "refs/heads/"+short); err != nil {
		return platform.Source{}, err
	}
	if tag, err = r.pointer(ctx, "refs/tags/"+short); err != nil {
		return platform.Source{}, err
	}
	switch {
	case whole && strings.HasPrefix(ref, "refs/heads/"):
		tag = ""
	case whole:
		branch = ""
	case shortSHA.MatchString(ref):
		if sha, err = r.abbreviated(ctx, ref); err != nil {
			return platform.Source{}, err
		}
	}
	if err := oneOf(short, branch, tag, sha); err != nil {
		return platform.Source{}, err
	}
	found := cmp.Or(tag, branch, sha)
	if found == "" {
		return platform.Source{}, r.unknown(ctx, short)
	}
	if tag == "" {
		return r.source(ctx, short, found, "")
	}
	return r.source(ctx, short, found, short)
}

// oneOf refuses a name that means different commits.
func oneOf(name, branch, tag, sha string) error {
	full := map[string]string{"refs/heads/" + name: branch, "refs/tags/" + name: tag, sha: sha}
	commits, names := map[string]bool{}, []string{}
	for n, commit := range full {
		if commit != "" {
			commits[commit] = true
			names = append(names, n)
		}
	}
	if len(commits) < 2 {
		return nil
	}
	slices.Sort(names)
	return fault.New(fault.Invalid, "source.resolve", "Say which: "+strings.Join(names, " or ")+".",
		"%s names %d things: %s.", fault.Quote(name), len(names), strings.Join(names, " and "))
}

// source is the resolved commit, called by tag, or by the tag that it has.
func (r *mirror) source(ctx context.Context, ref, sha, tag string) (platform.Source, error) {
	if tag == "" {
		tags, err := git(ctx, r.dir, "tag", "--points-at="+sha, "--sort=-version:refname")
		if err != nil {
			return platform.Source{}, r.explain(ctx, err)
		}
		tag, _, _ = strings.Cut(tags, "\n")
	}
	return platform.Source{Repository: r.repository, Ref: ref, SHA: sha, Version: cmp.Or(tag, sha[:7])}, nil
}

// pointer is the commit that a full ref points at, "" when there is none.
func (r *mirror) pointer(ctx context.Context, ref string) (string, error) {
	out, err := git(ctx, r.dir, "show-ref", "--verify", "--hash", "--", ref)
	if exited(err) {
		return "", nil
	}
	if err != nil {
		return "", r.explain(ctx, err)
	}
	sha, err := r.commit(ctx, out)
	if exited(err) {
		return "", fault.New(fault.Invalid, "source.resolve", "Name a branch, a tag or a commit.", "%s is not a commit.", fault.Quote(ref))
	}
	return sha, err
}

// commit is the commit behind a full SHA, which may be a tag's.
func (r *mirror) commit(ctx context.Context, sha string) (string, error) {
	return git(ctx, r.dir, "rev-parse", "--verify", "--quiet", "--end-of-options", sha+"^{commit}")
}

// abbreviated is the commit whose SHA begins with short, "" when there is none.
func (r *mirror) abbreviated(ctx context.Context, short string) (string, error) {
	out, err := git(ctx, r.dir, "rev-parse", "--disambiguate="+strings.ToLower(short))
	if err != nil && !exited(err) {
		return "", r.explain(ctx, err)
	}
	var commits []string
	for object := range strings.FieldsSeq(out) {
		kind, err := git(ctx, r.dir, "cat-file", "-t", object)
		if err == nil && kind == "commit" {
			commits = append(commits, object)
		}
	}
	if len(commits) > 1 {
		return "", fault.New(fault.Invalid, "source.resolve", "Give more of it: "+strings.Join(each(commits, 12), " or ")+".",
			"%d commits begin with %s.", len(commits), short)
	}
	return strings.Join(commits, ""), nil
}

func each(list []string, n int) (cut []string) {
	for _, s := range list {
		cut = append(cut, s[:min(n, len(s))])
	}
	return cut
}

// defaultBranch asks the remote which branch it shows first.
func (r *mirror) defaultBranch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	out, err := git(ctx, "", "ls-remote", "--symref", "--end-of-options", r.repository, "HEAD")
	if err != nil {
		return "", r.explain(ctx, err)
	}
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(line, "ref: refs/heads/"); ok {
			return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(name), "HEAD")), nil
		}
	}
	return "", fault.New(fault.Missing, "source.resolve", "Name a branch, a tag or a commit.",
		"The repository %s has no default branch.", Shown(r.repository))
}

// unknown tells that ref is not there, and what is nearest.
func (r *mirror) unknown(ctx context.Context, ref string) error {
	names, err := r.refs(ctx)
	if err != nil {
		return err
	}
	f := fault.New(fault.Missing, "source.resolve", "Name a branch, a tag or a commit.",
		"There is no branch, tag or commit “%s” in the repository.", clip(ref, 80))
	if near := nearest(ref, names, 3); len(near) > 0 {
		f.Hint = "The nearest: " + strings.Join(near, ", ") + "."
	} else if len(names) == 0 {
		f.Hint = "The repository is empty."
	}
	return f
}

// exited reports that git ran and said no.
func exited(err error) bool {
	var e *exec.ExitError
	return errors.As(err, &e) && e.ExitCode() > 0
}

// nearest are at most n of names that look like ref, best first.
func nearest(ref string, names []string, n int) []string {
	type near struct {
		name string
		far  int
	}
	var list []near
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		d := distance(strings.ToLower(ref), strings.ToLower(name))
		if strings.Contains(strings.ToLower(name), strings.ToLower(ref)) {
			d = 1
		}
		if d <= max(2, len(ref)/2) {
			list = append(list, near{name, d})
		}
	}
	slices.SortStableFunc(list, func(a, b near) int { return a.far - b.far })
	var best []string
	for _, c := range list[:min(n, len(list))] {
		best = append(best, c.name)
	}
	return best
}

// distance is how many letters must change to make a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		left := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := left
			if a[i] != b[j] {
				change++
			}
			left = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Refs are the names of tags and branches, newest first, from the mirror as it
// is. A repository that was never fetched has none.
func (m *Mirrors) Refs(ctx context.Context, repository string) ([]string, error) {
	r, err := m.here(repository)
	if fault.Is(err, fault.Missing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.refs(ctx)
}

func (r *mirror) refs(ctx context.Context) ([]string, error) {
	out, err := git(ctx, r.dir, "for-each-ref", "--sort=-creatordate", "--format=%(refname)", "refs/tags", "refs/heads")
	if err != nil {
		return nil, r.explain(ctx, err)
	}
	var names []string
	seen := map[string]bool{}
	for ref := range strings.FieldsSeq(out) {
		name := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names, nil
}

// Between are the commits in to that are not in from, newest first; an empty
// from is everything. Faults: Missing when the mirror has lost one of them.
func (m *Mirrors) Between(ctx context.Context, repository, from, to string, limit int) ([]platform.Commit, error) {
	r, err := m.here(repository)
	if err != nil {
		return nil, err
	}
	span := to
	if from != "" {
		span = from + ".." + to
	}
	for _, sha := range []string{from, to} {
		if sha != "" && !shortSHA.MatchString(sha) {
			return nil, fault.New(fault.Invalid, "source.between", "", "%s is no commit.", fault.Quote(clip(sha, 80)))
		}
	}
	args := []string{"log", "--no-show-signature", "--format=%H%x1f%an%x1f%s"}
	if limit > 0 {
		args = append(args, fmt.Sprintf("--max-count=%d", limit))
	}
	out, err := git(ctx, r.dir, append(args, "--end-of-options", span, "--")...)
	if exited(err) {
		return nil, &fault.Error{Kind: fault.Missing, Op: "source.between",
			Say: "The repository no longer has the commits between these releases.", Err: err}
	}
	if err != nil {
		return nil, err
	}
	var commits []platform.Commit
	for line := range strings.Lines(out) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), "\x1f", 3)
		if len(parts) == 3 {
			commits = append(commits, platform.Commit{SHA: parts[0], Author: parts[1], Subject: clip(parts[2], 200)})
		}
	}
	return commits, nil
}
