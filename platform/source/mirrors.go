// Package source turns what people call a version into a tree of files: bare
// mirrors of git repositories, and archives that are checked entry by entry
// before anything of them is used.
package source

import (
	"sync"

	"go.uber.org/zap"
)

// Mirrors keeps a bare mirror of each repository below one directory. It is
// safe for concurrent use.
type Mirrors struct {
	dir string
	log *zap.Logger

	mu    sync.Mutex
	repos map[string]*mirror
}

type mirror struct{ mu sync.Mutex }

// New keeps mirrors below dir, which is made when it is first needed.
func New(dir string, log *zap.Logger) *Mirrors {
	if log == nil {
		log = zap.NewNop()
	}
	return &Mirrors{dir: dir, log: log, repos: map[string]*mirror{}}
}
