package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shows is what a visitor of address sees, "" when nobody answers.
func shows(address string) string {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get("http://" + address + "/")
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return ""
	}
	if m := inPage.FindSubmatch(page); m != nil {
		return string(m[1])
	}
	return string(page)
}

func TestDemoIsReadyWithTheFirstRelease(t *testing.T) {
	d := newDemo(t)
	took := d.start()
	t.Logf("ready in %s", took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Errorf("the demo was ready in %s; want less than 5 s", took)
	}
	if got := shows(d.app); got != "v1.0.0" {
		t.Errorf("the app shows %q; want v1.0.0", got)
	}
	if page := shows(d.listen); !strings.Contains(page, "<html") {
		t.Errorf("the chat page is %.200q", page)
	}
}

func TestDemoGoesOnWhereItWasKilled(t *testing.T) {
	d := newDemo(t)
	d.start()
	a := d.say("lead", "/deploy ocpizza@v1.1.0")
	d.until(a.Operation, "ended", hasEnded)
	d.kill()
	if got := shows(d.app); got != "v1.1.0" {
		t.Errorf("without maitred the app shows %q; want v1.1.0", got)
	}
	d.start()
	if o, err := d.look(t.Context(), a.Operation); err != nil || o.State != "succeeded" {
		t.Errorf("after a restart operation %d is %s, %v", a.Operation, o.State, err)
	}
	if code := d.interrupt(); code != 0 {
		t.Errorf("Ctrl-C ends with %d\n%s", code, d.printed)
	}
	if got := shows(d.app); got != "v1.1.0" {
		t.Errorf("after Ctrl-C the app shows %q; want v1.1.0, since the directory is kept", got)
	}
	d.app = freePort(t) // another --app-listen than before
	d.start()
	if got := shows(d.app); got != "v1.1.0" {
		t.Errorf("at another address the app shows %q; want v1.1.0", got)
	}
	d.kill()
	if err := stopLeftovers(context.Background(), d.dir); err != nil { // the machine goes down
		t.Fatal(err)
	}
	d.start()
	if got := shows(d.app); got != "v1.1.0" {
		t.Errorf("after a start of the machine the app shows %q; want v1.1.0", got)
	}
}

// TestDemoCanBeInterruptedAtOnce presses Ctrl-C while it starts.
func TestDemoCanBeInterruptedAtOnce(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{10, 100, 300, 600} {
		tmp, err := os.MkdirTemp("", "maitred-")
		if err != nil {
			t.Fatal(err)
		}
		process := exec.Command(path, "demo", "--listen", freePort(t), "--app-listen", freePort(t))
		process.Env = append(os.Environ(), "TMPDIR="+tmp)
		printed := &printed{}
		process.Stdout, process.Stderr = printed, printed
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(after*time.Millisecond, func() { process.Process.Signal(os.Interrupt) })
		// A signal that comes before maitred listens to signals ends it, too.
		if err := process.Wait(); err != nil && process.ProcessState.ExitCode() >= 0 {
			t.Errorf("after %d ms: %v\n%s", after, err, printed)
		}
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 || len(leftovers(tmp)) > 0 {
			t.Errorf("after %d ms it left %v and the processes %v, %v", after, left, leftovers(tmp), err)
		}
		os.RemoveAll(tmp)
	}
}

// TestDemoLeavesNothing looks for what a demo in a temporary directory leaves.
func TestDemoLeavesNothing(t *testing.T) {
	d := newDemo(t)
	t.Setenv("TMPDIR", d.dir)
	d.temporary = true
	d.start()
	homes, err := filepath.Glob(filepath.Join(d.dir, "maitred-demo-*"))
	if err != nil || len(homes) != 1 {
		t.Fatalf("temporary directories: %v, %v", homes, err)
	}
	if len(leftovers(homes[0])) == 0 {
		t.Error("nothing runs in the temporary directory: there is nothing to prove")
	}
	if code := d.interrupt(); code != 0 {
		t.Errorf("Ctrl-C ends with %d\n%s", code, d.printed)
	}
	if _, err := os.Stat(homes[0]); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", homes[0], err)
	}
	if pids := leftovers(homes[0]); len(pids) > 0 {
		t.Errorf("processes are left: %v", pids)
	}
}

func TestDemoSaysWhyItCannotStart(t *testing.T) {
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a listener off loopback": {[]string{"--listen", "0.0.0.0:0"}, "listens on this machine only"},
		"an app off loopback":     {[]string{"--app-listen", "0.0.0.0:0"}, "listens on this machine only"},
		"the port is in use":      {[]string{"--listen", taken.Addr().String(), "--app-listen", freePort(t)}, "already listens on " + taken.Addr().String()},
		"the app's is in use":     {[]string{"--listen", freePort(t), "--app-listen", taken.Addr().String()}, taken.Addr().String()},
		"a word too many":         {[]string{"please"}, "please"},
	} {
		t.Run(name, func(t *testing.T) {
			tmp, err := os.MkdirTemp("", "maitred-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(tmp)
			process := exec.CommandContext(t.Context(), path, append([]string{"demo"}, c.args...)...)
			process.Env = append(os.Environ(), "TMPDIR="+tmp)
			out, err := process.CombinedOutput()
			if err == nil || process.ProcessState.ExitCode() < 1 {
				t.Errorf("it ended with %v", err)
			}
			if !strings.Contains(string(out), c.want) {
				t.Errorf("it said %q; want %q in it", out, c.want)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}

// TestDemoInADirectoryInUse starts a second demo where one runs: it is refused,
// and has changed nothing.
func TestDemoInADirectoryInUse(t *testing.T) {
	d := newDemo(t)
	d.start()
	look := func() (text string) {
		for _, name := range []string{"maitred.yml", "bin/maitred"} {
			info, err := os.Stat(filepath.Join(d.dir, name))
			if err != nil {
				t.Fatal(err)
			}
			text += name + info.ModTime().String()
		}
		return text
	}
	before := look()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "demo", "--dir", d.dir, "--listen", freePort(t), "--app-listen", freePort(t)).CombinedOutput()
	if err == nil || !strings.Contains(string(out), fmt.Sprintf("Another maitred (pid %d) already uses %s.", d.process.Process.Pid, d.dir)) {
		t.Errorf("a second demo in one directory says %q, %v", out, err)
	}
	if after := look(); after != before {
		t.Errorf("it changed what was there: %s; before: %s", after, before)
	}
}
