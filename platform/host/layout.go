package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"maitred/fault"
)

// The home of an app:
//
//	releases/<id>-<sha7>/        the tree of a release
//	current, blue, green         links to the release that is live, or in a slot
//	run/{blue,green}.sock        where the slots serve
//	run/active.sock              link to the slot that the front asks
//	run/hold                     while it is there, the front lets requests wait
//	run/front.json               where the front listens
//	shared/env                   variables of the app, 0640
//	shared/maintenance.on        while it is there, visitors see maintenance.html
//	shared/log/                  what the slots print
//	backups/                     copies of the database
//	.maitred/                    ledgers, step directories, notes of operations
func (p *Provider) path(parts ...string) string {
	return filepath.Join(append([]string{p.config.Dir}, parts...)...)
}

// inState is a path of maitred's own notes.
func (p *Provider) inState(parts ...string) string {
	return p.path(append([]string{".maitred"}, parts...)...)
}

// ready makes the directories.
func (p *Provider) ready() error {
	for _, dir := range []string{
		"releases", "run", "shared/log", "backups", ".maitred/steps", ".maitred/slots", ".maitred/notes",
	} {
		if err := p.box.Mkdir(p.path(dir), 0o750); err != nil {
			return p.fail("host.prepare", err)
		}
	}
	return nil
}

// locked runs fn while nobody else, in this maitred or another, changes the
// files of the app. It is for short changes only.
func (p *Provider) locked(ctx context.Context, fn func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.ready(); err != nil {
		return err
	}
	unlock, err := p.box.Lock(ctx, p.inState("lock"))
	if err != nil {
		return p.fail("host.lock", err)
	}
	defer unlock()
	return fn()
}

// recall reads the note of that name into v; false when there is none.
func (p *Provider) recall(name string, v any) (bool, error) {
	data, err := p.box.Read(p.note(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, p.fail("host.note", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("note %s: %w", name, err)
	}
	return true, nil
}

// remember keeps v as the note of that name, unless there is one: then v
// becomes what was noted. So a step that runs again after a crash still knows
// what it found the first time.
func (p *Provider) remember(name string, v any) error {
	if found, err := p.recall(name, v); found || err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := p.ready(); err != nil {
		return err
	}
	return p.fail("host.note", p.box.Put(p.note(name), data, 0o600))
}

func (p *Provider) note(name string) string {
	return p.inState("notes", fileName(name)+".json")
}

// fileName makes a key usable as the name of a file.
func fileName(key string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, key)
}

// fail words what goes wrong on the machine itself. A fault stays what it is.
func (p *Provider) fail(op string, err error) error {
	var f *fault.Error
	if err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	f = &fault.Error{Kind: fault.Refused, Op: op, Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.Say = fmt.Sprintf("The disk of %s is full.", p.target)
		f.Hint = fmt.Sprintf("Free some space below %s and try again.", p.config.Dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		f.Say = fmt.Sprintf("maitred may not write below %s.", p.config.Dir)
		f.Hint = "Check who owns that directory, and that its disk is writable."
	case errors.Is(err, syscall.ENOTDIR):
		f.Say = fmt.Sprintf("Something that is no directory is in the way below %s.", p.config.Dir)
	default:
		return fmt.Errorf("%s: %w", op, err)
	}
	return f
}
