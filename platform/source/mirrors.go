// Package source turns what people call a version into a tree of files: bare
// mirrors of git repositories, and archives that are checked entry by entry
// before anything of them is used.
package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// Mirrors keeps a bare mirror of each repository below one directory. It is
// safe for concurrent use.
type Mirrors struct {
	dir string
	log *zap.Logger

	mu    sync.Mutex
	repos map[string]*mirror
}

// New keeps mirrors below dir, which is made when it is first needed.
func New(dir string, log *zap.Logger) *Mirrors {
	if log == nil {
		log = zap.NewNop()
	}
	return &Mirrors{dir: dir, log: log, repos: map[string]*mirror{}}
}

// mirror is one bare repository. Its turn is held while it is changed.
type mirror struct {
	repository string
	dir        string
	turn       chan struct{}

	mu      sync.Mutex
	fetched time.Time // when the last fetch began
}

func (m *Mirrors) of(repository string) (*mirror, error) {
	if err := CheckRepository(repository); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.repos[repository]
	if !ok {
		sum := sha256.Sum256([]byte(repository))
		name := plainName.ReplaceAllString(strings.TrimSuffix(path.Base(repository), ".git"), "-")
		r = &mirror{
			repository: repository,
			dir:        filepath.Join(m.dir, name+"-"+hex.EncodeToString(sum[:6])+".git"),
			turn:       make(chan struct{}, 1),
		}
		m.repos[repository] = r
	}
	return r, nil
}

// fresh is the mirror after a fetch that began after the call did. Callers that
// wait for the same fetch share it.
func (m *Mirrors) fresh(ctx context.Context, repository string) (*mirror, error) {
	r, err := m.of(repository)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	shared := r.fetched.After(asked)
	r.mu.Unlock()
	if shared {
		return r, nil
	}
	began := time.Now()
	if err := r.fetch(ctx); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.fetched = began
	r.mu.Unlock()
	m.log.Debug("repository fetched", zap.String("repository", Shown(repository)), zap.Duration("took", time.Since(began)))
	return r, nil
}

// here is the mirror as it is, without a fetch. Faults: Missing when it was
// never fetched.
func (m *Mirrors) here(repository string) (*mirror, error) {
	r, err := m.of(repository)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(r.dir, "HEAD")); err != nil {
		return nil, &fault.Error{
			Kind: fault.Missing, Op: "source.mirror",
			Say: fmt.Sprintf("The repository %s was not fetched yet.", Shown(repository)), Err: err,
		}
	}
	return r, nil
}

// fetch brings branches and tags up to date. Commits that were deployed are kept
// by refs of our own, also when their branch is rewritten.
func (r *mirror) fetch(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Dir(r.dir), 0o700); err != nil {
		return local(err, filepath.Dir(r.dir))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fetchLimit, fault.New(fault.Unreachable, "source.fetch", "Try again, or look at the repository's server.",
		"The repository %s did not answer within %s.", Shown(r.repository), chat.Span(fetchLimit)))
	defer cancel()
	if _, err := git(ctx, "", "init", "--quiet", "--bare", "--end-of-options", r.dir); err != nil {
		return r.explain(ctx, err)
	}
	bring := func() error {
		_, err := git(ctx, r.dir, "fetch", "--quiet", "--prune", "--no-auto-gc", "--no-write-fetch-head", "--no-recurse-submodules",
			"--end-of-options", r.repository, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
		return err
	}
	err := bring()
	if blocked(err) && r.unlock() {
		err = bring()
	}
	return r.explain(ctx, err)
}

const (
	fetchLimit = 2 * time.Minute
	staleLock  = 10 * time.Minute // no git of ours takes so long over refs
)

// blocked reports that another git holds a lock file, or held it when it died.
func blocked(err error) bool {
	var e *gitError
	return errors.As(err, &e) && strings.Contains(e.said, ".lock") && strings.Contains(e.said, "File exists")
}

// unlock removes the lock files that a git has left which was killed, and
// reports whether there were any. Those of one that may still run stay.
func (r *mirror) unlock() bool {
	found := false
	_ = filepath.WalkDir(r.dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".lock" {
			return nil // what cannot be read cannot be unlocked either
		}
		if info, err := d.Info(); err == nil && time.Since(info.ModTime()) > staleLock {
			found = os.Remove(file) == nil || found
		}
		return nil
	})
	return found
}

var (
	plainName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)
	scheme    = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)
	scpLike   = regexp.MustCompile(`^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^:]`)
)

var schemes = map[string]bool{"https": true, "http": true, "ssh": true, "git": true, "file": true}

// CheckRepository refuses addresses that git would take for an option or for a
// program to run, and those that hold a secret: it would stand in every list of
// processes while git runs. Faults: Invalid.
func CheckRepository(repository string) error {
	refuse := func(why string) error {
		return fault.New(fault.Invalid, "source.repository", "Use https://…, ssh://…, user@host:path or an absolute path.",
			"The repository %s %s.", fault.Quote(clip(Shown(repository), 200)), why)
	}
	found := scheme.FindStringSubmatch(repository)
	switch {
	case repository == "":
		return refuse("has no address")
	case strings.HasPrefix(repository, "-"):
		return refuse("begins with a dash")
	case strings.ContainsFunc(repository, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return refuse("has control characters in its address")
	case found != nil && !schemes[strings.ToLower(found[1])]:
		return refuse("has a kind of address that is not allowed, " + found[1])
	case found != nil && secretIn(repository):
		return refuse("holds a password or token; git finds those in ~/.git-credentials or ~/.netrc of the user that runs maitred")
	case found != nil:
		return nil
	case strings.Contains(repository, "::"):
		return refuse("would run a program (::), which is not allowed")
	case !filepath.IsAbs(repository) && !scpLike.MatchString(repository):
		return refuse("is no address and no absolute path")
	}
	return nil
}

// secretIn reports that an address holds a password, or over http a user, who
// for many servers is a token.
func secretIn(repository string) bool {
	u, err := url.Parse(repository)
	if err != nil {
		return strings.Contains(repository, "@") // nobody can tell what stands before it
	}
	_, password := u.User.Password()
	return password || u.User != nil && strings.HasPrefix(u.Scheme, "http")
}
