package host

import (
	"context"
	"io/fs"
	"net"
	"syscall"
)

// transport is the machine that an app lives on: its files, processes and
// sockets. The rest of this package touches them through it alone, so that
// another machine is another transport. Paths are absolute.
type transport interface {
	// Read is the content of a file; fs.ErrNotExist when there is none.
	Read(path string) ([]byte, error)
	// Tail is at most the last n bytes of a file from offset on, and its size.
	Tail(path string, offset, n int64) ([]byte, int64, error)
	// Put makes path hold data, wholly or not at all, durably.
	Put(path string, data []byte, mode fs.FileMode) error
	// Append adds lines durably, in one write.
	Append(path string, lines []byte, mode fs.FileMode) error
	// Truncate empties a file whose writer appends.
	Truncate(path string) error
	Mkdir(path string, mode fs.FileMode) error
	Rename(from, to string) error
	// Remove removes path and what is below it; nothing there is no error.
	Remove(path string) error
	List(dir string) ([]string, error)
	// Link makes path a symbolic link to target in one move.
	Link(target, path string) error
	Readlink(path string) (string, error)
	// Free is how many bytes may be written below path.
	Free(path string) (int64, error)
	// Lock keeps other maitreds out of path until unlock is called.
	Lock(ctx context.Context, path string) (unlock func(), err error)

	// Spawn starts a detached process in a session of its own and returns; exited
	// is closed when it has ended while we watched.
	Spawn(s spawn) (exited <-chan struct{}, err error)
	// Alive reports that the process pid is the one that began at start since
	// the machine's boot.
	Alive(pid int, start, boot string) bool
	// Group are the members of the process group pid that carry mark in their
	// environment.
	Group(pid int, mark string) []int
	Signal(pid int, sig syscall.Signal) error // to the group pid
	// Dial connects to a unix socket.
	Dial(ctx context.Context, socket string) (net.Conn, error)
}

// spawn is what Spawn starts.
type spawn struct {
	Dir     string
	Command []string
	Env     []string
	Output  string // the file that takes both outputs
}
