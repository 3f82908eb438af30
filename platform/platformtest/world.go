package platformtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"maitred/platform"
)

// world is what a Fake changes: the place where its apps live. With a dir it is
// a file, locked while it is used, and survives every process; without, it is
// memory.
type world struct {
	mu      sync.Mutex
	dir     string
	targets map[string]*app
	journal []Entry
}

// app is one target of a world.
type app struct {
	Releases    []platform.Release   // oldest first
	Live        string               // id of the release that answers
	Stopped     bool                 // nothing answers
	Data        string               // what is in the database
	Migrated    string               // version whose migrations the database has
	Backups     []copied             // oldest first
	Maintenance platform.Maintenance //
	Variables   map[string]string    //
	Processes   map[string]int       // type → how many
	Restarts    int                  //
	Printed     []platform.LogLine   // by commands and deploys
	Work        map[string]*work     // attach steps by Run.Key and action
	Before      map[string]before    // what a step found, by Run.Key, so that a repeated step does not forget it
	Values      map[string]*string   // what a variable was before, by Run.Key; nil when unset
}

// copied is a backup with what is in it.
type copied struct {
	platform.Backup
	Data     string
	Migrated string
}

// work is what Start began elsewhere. It goes on by itself, so it is known by
// when it is due; its effect happens once, when somebody looks after that.
type work struct {
	Began   time.Time
	Due     time.Time
	Script  Script // how it goes; taken when it began
	Stopped bool
	Done    bool
	Result  platform.Result
}

// before is what a step found and its undo puts back.
type before struct {
	Live        string               `json:"live,omitempty"`
	Stopped     bool                 `json:"stopped,omitempty"`
	Maintenance platform.Maintenance `json:"maintenance,omitzero"`
	Backup      string               `json:"backup,omitempty"`
	Processes   map[string]int       `json:"processes,omitempty"`
}

// change lets fn change the app t and stores what it did, also when fn fails.
func (w *world) change(t platform.Target, fn func(a *app) error) (err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir == "" {
		return fn(w.of(t))
	}
	unlock, err := w.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := w.load(); err != nil {
		return err
	}
	err = fn(w.of(t))
	return errors.Join(err, w.save())
}

// look reads the app t.
func (w *world) look(t platform.Target, fn func(a app)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dir != "" {
		unlock, err := w.lock()
		if err != nil {
			return err
		}
		defer unlock()
		if err := w.load(); err != nil {
			return err
		}
	}
	fn(*w.of(t))
	return nil
}

func (w *world) of(t platform.Target) *app {
	a, ok := w.targets[t.String()]
	if !ok {
		a = &app{
			Variables: map[string]string{}, Processes: map[string]int{"web": 1},
			Work: map[string]*work{}, Before: map[string]before{}, Values: map[string]*string{},
		}
		w.targets[t.String()] = a
	}
	return a
}

// lock keeps other processes out until the returned function is called, or
// until this process dies.
func (w *world) lock() (func(), error) {
	f, err := os.OpenFile(filepath.Join(w.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { f.Close() }, nil
}

func (w *world) load() error {
	raw, err := os.ReadFile(filepath.Join(w.dir, "world.json"))
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	w.targets = nil // Unmarshal would merge into what is there
	if err := json.Unmarshal(raw, &w.targets); err != nil {
		return fmt.Errorf("read the fake world: %w", err)
	}
	return nil
}

// save replaces the file in one rename, so that a kill leaves the old or the
// new world.
func (w *world) save() error {
	raw, err := json.Marshal(w.targets)
	if err != nil {
		return err
	}
	next := filepath.Join(w.dir, "world.next")
	if err := os.WriteFile(next, raw, 0o600); err != nil {
		return err
	}
	return os.Rename(next, filepath.Join(w.dir, "world.json"))
}
