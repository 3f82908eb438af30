package main

import (
	"context"

	"maitred/chat"
	"maitred/commands"
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

// Resolve finds ref in the repository of t.
func (s *sources) Resolve(ctx context.Context, t platform.Target, ref string) (platform.Source, error) {
	repository, err := s.repository(t)
	if err != nil {
		return platform.Source{}, err
	}
	return s.mirrors.Resolve(ctx, repository, ref)
}

// Refs are the branches and tags of t, as the mirror has them.
func (s *sources) Refs(ctx context.Context, t platform.Target) ([]string, error) {
	repository, err := s.repository(t)
	if err != nil {
		return nil, err
	}
	return s.mirrors.Refs(ctx, repository)
}

// Between are the commits that a deploy of t would add.
func (s *sources) Between(ctx context.Context, t platform.Target, from, to string, limit int) ([]platform.Commit, error) {
	repository, err := s.repository(t)
	if err != nil {
		return nil, err
	}
	return s.mirrors.Between(ctx, repository, from, to, limit)
}

func (s *sources) repository(t platform.Target) (string, error) {
	app, ok := s.apps.now.Load().config.Apps.Get(t.App)
	if !ok {
		return "", fault.New(fault.Missing, "sources.repository", "/apps", "There is no app %q in the configuration.", t.App)
	}
	return app.Repository, nil
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
