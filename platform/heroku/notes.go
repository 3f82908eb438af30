package heroku

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// Notes keep what Heroku has no place for: who put the maintenance page up and
// why, how many dynos ran before a stop, what a step found before it changed
// anything. All replicas of maitred must see the same notes.
type Notes interface {
	// Read returns the note called name, nil when there is none.
	Read(ctx context.Context, name string) ([]byte, error)
	// Change replaces the note called name by what fn makes of it, whole, while
	// nobody else changes it.
	Change(ctx context.Context, name string, fn func(old []byte) ([]byte, error)) error
}

// Files are Notes in a directory of this machine.
func Files(dir string) Notes { return files(dir) }

type files string

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func (f files) path(name string) string {
	return filepath.Join(string(f), unsafe.ReplaceAllString(name, "_")+".json")
}

func (f files) Read(_ context.Context, name string) ([]byte, error) {
	data, err := os.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (f files) Change(ctx context.Context, name string, fn func([]byte) ([]byte, error)) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	lock, err := os.OpenFile(f.path(name)+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // which lets the lock go, too
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	old, err := f.Read(ctx, name)
	if err != nil {
		return err
	}
	data, err := fn(old)
	if err != nil {
		return err
	}
	part, err := os.OpenFile(f.path(name)+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return err
	}
	return os.Rename(part.Name(), f.path(name))
}

// note is all that is kept of one target.
type note struct {
	Maintenance platform.Maintenance       `json:"maintenance,omitzero"`
	Running     map[string]int             `json:"running,omitempty"` // dynos by type, before the last stop
	Failed      map[int]int64              `json:"failed,omitempty"`  // releases that were taken back, and by which operation
	Builds      map[string]built           `json:"builds,omitempty"`  // by the checksum of their source
	Backups     map[string]made            `json:"backups,omitempty"` // by the id of the transfer
	Before      map[string]json.RawMessage `json:"before,omitempty"`  // what a step found, by its key
}

// built says how a build came to be.
type built struct {
	Operation int64  `json:"operation"`
	By        string `json:"by"`
	Version   string `json:"version"`
}

// made says how a backup came to be.
type made struct {
	Operation int64  `json:"operation"`
	By        string `json:"by"`
	Why       string `json:"why,omitempty"`
	Release   string `json:"release,omitempty"`
	Restored  bool   `json:"restored,omitempty"`
}

const kept = 200 // operations whose steps are remembered

func (p *Provider) noted(ctx context.Context) (note, error) {
	var n note
	data, err := p.notes.Read(ctx, p.target.String())
	if err == nil && data != nil {
		err = json.Unmarshal(data, &n)
	}
	return n, broken(err)
}

func broken(err error) error {
	if err == nil || errors.As(err, new(*fault.Error)) {
		return err
	}
	return &fault.Error{Kind: fault.Internal, Op: "heroku.notes", Say: "What maitred remembers of the app cannot be read or written.", Err: err}
}

// keep changes the note.
func (p *Provider) keep(ctx context.Context, fn func(n *note)) error {
	return broken(p.notes.Change(ctx, p.target.String(), func(old []byte) ([]byte, error) {
		var n note
		if old != nil {
			if err := json.Unmarshal(old, &n); err != nil {
				return nil, err
			}
		}
		fn(&n)
		return json.Marshal(n)
	}))
}

// before keeps found as what the step called key found before it changed
// anything, and returns what it found the first time.
func before[T any](ctx context.Context, p *Provider, r platform.Run, key string, found T) (T, error) {
	raw, err := json.Marshal(found)
	if err != nil {
		return found, err
	}
	err = p.keep(ctx, func(n *note) {
		if n.Before == nil {
			n.Before = map[string]json.RawMessage{}
		}
		for old := range n.Before {
			op, _, _ := strings.Cut(old, "/")
			if id, err := strconv.ParseInt(op, 10, 64); err == nil && id < r.Operation-kept {
				delete(n.Before, old)
			}
		}
		if was, ok := n.Before[key]; ok {
			raw = was
			return
		}
		n.Before[key] = raw
	})
	if err != nil {
		return found, err
	}
	var first T
	return first, json.Unmarshal(raw, &first)
}

// was is what the step called key found, if it came so far.
func was[T any](ctx context.Context, p *Provider, key string) (found T, ok bool, err error) {
	n, err := p.noted(ctx)
	if err != nil {
		return found, false, err
	}
	raw, ok := n.Before[key]
	if !ok {
		return found, false, nil
	}
	if err := json.Unmarshal(raw, &found); err != nil {
		return found, false, broken(fmt.Errorf("note of %s: %w", key, err))
	}
	return found, true, nil
}

// upSince is a maintenance page that goes up now.
func upSince(r platform.Run, why string) platform.Maintenance {
	return platform.Maintenance{On: true, By: r.Requester, Why: why, Since: time.Now().UTC()}
}
