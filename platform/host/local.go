package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// local is the machine that maitred itself runs on.
type local struct{}

func (local) Read(path string) ([]byte, error) { return os.ReadFile(path) }

func (local) Tail(path string, offset, n int64) ([]byte, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	from := min(max(offset, info.Size()-n, 0), info.Size())
	data, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	return data, info.Size(), err
}

func (local) Put(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func (local) Append(path string, line []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, mode)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	// A line that a power cut tore must not take the next one with it.
	if info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	if _, err = f.Write(append(bytes.TrimRight(line, "\n"), '\n')); err != nil { // the disk is full: all of it or nothing
		err = errors.Join(err, f.Truncate(info.Size()))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func (local) Truncate(path string) error { return os.Truncate(path, 0) }

func (local) Mkdir(path string, mode fs.FileMode) error { return os.MkdirAll(path, mode) }
func (local) Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}
func (local) Remove(path string) error             { return os.RemoveAll(path) }
func (local) Readlink(path string) (string, error) { return os.Readlink(path) }

func (local) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (local) Link(target, path string) error {
	next := fmt.Sprintf("%s.new", path)
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, next); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (local) Free(path string) (int64, error) {
	var s syscall.Statfs_t
	for {
		err := syscall.Statfs(path, &s)
		if !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return int64(s.Bavail) * s.Bsize, err
		}
		path = filepath.Dir(path)
	}
}

// Lock is advisory and ends with the process, however it ends.
func (local) Lock(ctx context.Context, path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (local) Spawn(s spawn) (<-chan struct{}, error) {
	out, err := os.OpenFile(s.Output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(s.Command[0], s.Command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.Dir, s.Env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // reaped; what came of it stands in its own files
		close(exited)
	}()
	return exited, nil
}

func (local) Alive(pid int, start, boot string) bool {
	if now, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err != nil || strings.TrimSpace(string(now)) != boot {
		return false
	}
	p, ok := process(pid)
	return ok && p.start == start && p.state != "Z" && p.state != "X"
}

// stat is what /proc tells of a process.
type stat struct {
	state, group, start string
}

func process(pid int) (stat, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, false
	}
	// The name in brackets may hold anything, so fields count from its end.
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	if len(fields) < 20 {
		return stat{}, false
	}
	return stat{state: fields[0], group: fields[2], start: fields[19]}, true
}

func (local) Group(pid int, mark string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var members []int
	for _, e := range entries {
		member, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, ok := process(member)
		if !ok || p.group != strconv.Itoa(pid) || p.state == "Z" || p.state == "X" {
			continue
		}
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", member))
		if err == nil && bytes.Contains(append(append([]byte{0}, env...), 0), []byte("\x00"+mark+"\x00")) {
			members = append(members, member)
		}
	}
	return members
}

func (local) Signal(pid int, sig syscall.Signal) error {
	if pid < 2 {
		return fmt.Errorf("signal to process group %d: %w", pid, syscall.EINVAL)
	}
	return syscall.Kill(-pid, sig)
}

func (local) Dial(ctx context.Context, socket string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", socket)
}
