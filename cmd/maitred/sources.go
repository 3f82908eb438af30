package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"maitred/chat"
	"maitred/commands"
	"maitred/config"
	"maitred/fault"
	"maitred/notifications"
	"maitred/platform"
	"maitred/platform/source"
	"maitred/store"
)

// sources are the mirrors, asked by target: commands.Sources.
type sources struct {
	apps    *catalogue
	mirrors *source.Mirrors
}

var _ commands.Sources = (*sources)(nil)

// Resolve finds ref in the repository of t, or the archive of that name where
// archives of t are delivered.
func (s *sources) Resolve(ctx context.Context, t platform.Target, ref string) (platform.Source, error) {
	app, err := s.app(t)
	if err != nil {
		return platform.Source{}, err
	}
	if isArchive(ref) {
		return s.archive(ctx, t, app, ref)
	}
	if app.Repository == "" {
		return platform.Source{}, fault.New(fault.Invalid, "sources.resolve", fmt.Sprintf("/deploy %s@NAME.tar.gz", t.App),
			"%s is delivered as archives, and %q does not name one.", t.App, ref)
	}
	return s.mirrors.Resolve(ctx, app.Repository, ref)
}

// archive finds a delivered archive. Its name is a name and never a path, so
// that a line in a chat cannot reach any other file or host.
func (s *sources) archive(ctx context.Context, t platform.Target, app config.App, name string) (platform.Source, error) {
	if app.Archives == "" {
		return platform.Source{}, fault.New(fault.Invalid, "sources.archive", fmt.Sprintf("/deploy %s", t.App),
			"No place is configured where archives of %s are delivered (apps: %s: archives:).", t.App, t.App)
	}
	if strings.ContainsAny(name, "/\\") || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") {
		return platform.Source{}, fault.New(fault.Invalid, "sources.archive", fmt.Sprintf("/deploy %s@NAME.tar.gz", t.App),
			"%q is a path. Say the name of an archive alone.", name)
	}
	if filepath.IsAbs(app.Archives) {
		return s.mirrors.ResolveArchive(ctx, filepath.Join(app.Archives, name))
	}
	return s.mirrors.ResolveArchive(ctx, strings.TrimSuffix(app.Archives, "/")+"/"+url.PathEscape(name))
}

// Refs are the branches and tags of t, as the mirror has them, and the archives
// that lie in its directory, newest first.
func (s *sources) Refs(ctx context.Context, t platform.Target) ([]string, error) {
	app, err := s.app(t)
	if err != nil {
		return nil, err
	}
	var refs []string
	if app.Repository != "" {
		if refs, err = s.mirrors.Refs(ctx, app.Repository); err != nil {
			return nil, err
		}
	}
	if filepath.IsAbs(app.Archives) {
		refs = append(refs, delivered(app.Archives)...)
	}
	return refs, nil
}

// delivered are the names of the archives in a directory, newest first. One that
// cannot be read suggests nothing.
func delivered(dir string) []string {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	age := map[string]time.Time{}
	var names []string
	for _, f := range files {
		info, err := f.Info()
		if err != nil || !info.Mode().IsRegular() || !isArchive(f.Name()) {
			continue
		}
		names = append(names, f.Name())
		age[f.Name()] = info.ModTime()
	}
	slices.SortFunc(names, func(a, b string) int { return age[b].Compare(age[a]) })
	return names
}

func isArchive(ref string) bool {
	return strings.HasSuffix(ref, ".tar.gz") || strings.HasSuffix(ref, ".tgz")
}

// Between are the commits that a deploy of t would add.
func (s *sources) Between(ctx context.Context, t platform.Target, from, to string, limit int) ([]platform.Commit, error) {
	app, err := s.app(t)
	if err != nil {
		return nil, err
	}
	return s.mirrors.Between(ctx, app.Repository, from, to, limit)
}

func (s *sources) app(t platform.Target) (config.App, error) {
	app, ok := s.apps.now.Load().config.Apps.Get(t.App)
	if !ok {
		return config.App{}, fault.New(fault.Missing, "sources.app", "/apps", "There is no app %q in the configuration.", t.App)
	}
	return app, nil
}

// subjects finds the operation that a thread is about.
type subjects struct{ store *store.Store }

func (s subjects) find(ctx context.Context, at chat.Place) (int64, bool) {
	subject, ok, err := s.store.SubjectOf(ctx, at)
	if err != nil || !ok {
		return 0, false
	}
	if subject.Kind == notifications.EventSubject {
		e, err := s.store.Event(ctx, subject.ID)
		return e.Operation, err == nil
	}
	return subject.ID, subject.Kind == notifications.OperationSubject
}
