package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"maitred/fault"
)

// alone takes the directory for this demo, before anything in it is written:
// what a running demo reads must not change under it. The kernel gives the lock
// back when the process is gone, however it went.
func (p *demoPlace) alone() (release func() error, err error) {
	f, err := os.OpenFile(filepath.Join(p.dir, "demo.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, cannotFurnish("use "+p.dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		pid, unread := os.ReadFile(f.Name())
		who := "Another demo"
		if text := strings.TrimSpace(string(pid)); unread == nil && text != "" {
			who = fmt.Sprintf("Another demo (pid %s)", text)
		}
		return nil, &fault.Error{Kind: fault.Busy, Op: "demo.lock", Err: err,
			Say:  fmt.Sprintf("%s already runs in %s. Nothing there was changed.", who, p.dir),
			Hint: "Open the page of that one, stop it, or start this one with another --dir."}
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		return nil, cannotFurnish("use "+p.dir, errors.Join(err, f.Close()))
	}
	return f.Close, nil
}
