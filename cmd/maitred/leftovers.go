package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// leftovers are the processes that outlive maitred on purpose and belong to the
// directory of a demo: those whose program is in it (the front, the app), and
// those that a job in it started (its builds). Somebody's shell that stands in
// the directory is none.
func leftovers(dir string) []int {
	homes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil // the pattern is a constant
	}
	var pids []int
	for _, home := range homes {
		pid, err := strconv.Atoi(filepath.Base(home))
		if err != nil || pid == os.Getpid() {
			continue
		}
		// What cannot be read is another user's, or has just ended.
		program, _ := os.Readlink(filepath.Join(home, "exe"))
		environ, _ := os.ReadFile(filepath.Join(home, "environ"))
		if strings.HasPrefix(program, dir+"/") || bytes.Contains(environ, []byte("MAITRED_JOB="+dir+"/")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// stopLeftovers asks them to end, and ends those that do not.
func stopLeftovers(ctx context.Context, dir string) error {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		for _, pid := range leftovers(dir) {
			syscall.Kill(pid, sig) // one that has ended meanwhile is what is wanted
		}
		for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			if len(leftovers(dir)) == 0 {
				return nil
			}
			if ctx.Err() != nil {
				break
			}
		}
	}
	return fmt.Errorf("processes below %s do not end: %v", dir, leftovers(dir))
}
