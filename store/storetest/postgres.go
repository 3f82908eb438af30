// Package storetest proves a store, and lends one to the tests of other rooms:
// on SQLite in a directory, and on a real PostgreSQL that it starts itself.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Postgres returns the URL of a new, empty database in a PostgreSQL that is
// started once for the test process and ends with it. Where PostgreSQL is not
// installed the test is skipped, or fails when MAITRED_REQUIRE is "all".
func Postgres(t testing.TB) string {
	t.Helper()
	server, err := cluster()
	if errors.Is(err, exec.ErrNotFound) {
		const say = "PostgreSQL is not installed, so nothing is proved on it here: apt-get install postgresql"
		if os.Getenv("MAITRED_REQUIRE") == "all" {
			t.Fatal(say)
		}
		t.Skip("LEFT OUT: " + say)
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	return newDatabase(t, server, "")
}

// copyDatabase is the URL of a new database with what is in that of url.
func copyDatabase(t testing.TB, url string) string {
	t.Helper()
	cut := strings.LastIndex(url, "/") + 1
	return newDatabase(t, url[:cut], " TEMPLATE "+url[cut:])
}

func newDatabase(t testing.TB, server, template string) string {
	t.Helper()
	name := "test_" + strings.ToLower(rand.Text())
	administer(t, server, "CREATE DATABASE "+name+template)
	t.Cleanup(func() { administer(t, server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") })
	return server + name
}

func administer(t testing.TB, server, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, server+"postgres")
	if err != nil {
		t.Fatalf("connect to PostgreSQL: %v", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// cluster starts PostgreSQL and returns its URL up to the name of a database.
var cluster = sync.OnceValues(func() (string, error) {
	bin, err := binaries()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "maitred-postgres-")
	if err != nil {
		return "", err
	}
	who, err := unprivileged(dir)
	if err != nil {
		return "", err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata="+filepath.Join(dir, "data"), "--auth=trust", "--username=maitred", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	initdb.SysProcAttr, initdb.Dir = &syscall.SysProcAttr{Credential: who}, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	for try := 1; ; try++ {
		url, err := start(bin, dir, who)
		if err == nil || try == 3 {
			return url, err
		}
	}
})

// keeper holds the end of the pipe whose closing ends the cluster. It is never
// closed by us: the kernel does it when the test process is gone, however it
// went, so that a test which was killed leaves no server behind.
var keeper *os.File

// start runs the server below a shell that ends it, and its files, when the
// test process is gone.
func start(bin, dir string, who *syscall.Credential) (string, error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer read.Close()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", err
	}
	defer log.Close()
	const script = `"$1" -D "$2/data" -c port="$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c logging_collector=off <&- &
server=$!
read gone
kill -INT $server
wait $server
rm -rf "$2"`
	shell := exec.Command("/bin/sh", "-c", script, "sh", filepath.Join(bin, "postgres"), dir, strconv.Itoa(port))
	// A group of its own, so that a Ctrl-C reaches the server by the pipe alone.
	shell.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
	shell.Dir, shell.Stdin, shell.Stdout, shell.Stderr = dir, read, log, log
	if err := shell.Start(); err != nil {
		return "", err
	}
	go shell.Wait()
	keeper = write
	url := fmt.Sprintf("postgres://maitred@127.0.0.1:%d/", port)
	if err := answers(url); err != nil {
		keeper.Close()
		said, _ := os.ReadFile(log.Name())
		return "", fmt.Errorf("%w: %s", err, said)
	}
	return url, nil
}

// answers waits until the server lets us in.
func answers(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, url+"postgres")
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// binaries finds the newest PostgreSQL that is installed.
func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
		return filepath.Dir(found[0]), nil
	}
	path, err := exec.LookPath("initdb")
	return filepath.Dir(path), err
}

func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// unprivileged is who runs the server: we, or the user postgres when we are
// root, because the server refuses to run as root.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err := errors.Join(err1, err2, os.Chown(dir, uid, gid)); err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
