package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// job is a detached process and the directory that tells about it: pid (who it
// is), rc (how it ended) and, unless it has a log elsewhere, log. It outlives
// maitred; whoever finds the directory can wait for it or stop it.
type job struct {
	box transport
	dir string
	log string
}

// wrapper claims the directory, so that of two that were started for one job
// only one goes on, notes who it is, and at the end how it ended. A pid is noted
// with its start time and the machine's boot, because pids come again. SIGTERM
// is left to the command, which is in the same group.
const wrapper = `umask 027
d=$1; shift
nth() { shift "$1"; echo "$1"; }
read -r boot </proc/sys/kernel/random/boot_id
read -r line </proc/$$/stat
start=$(nth 20 ${line##*) })
echo "$$ $start $boot" >"$d/pid.$$" && ln "$d/pid.$$" "$d/pid" 2>/dev/null || { rm -f "$d/pid.$$"; exit 1; }
rm -f "$d/pid.$$"
trap : TERM INT HUP
"$@"
rc=$?
echo $rc >"$d/rc.$$" && mv "$d/rc.$$" "$d/rc"`

// shell runs a line as an app's author wrote it.
func shell(line string) []string { return []string{"/bin/sh", "-c", line} }

// start begins command unless the job was begun before, and returns when the
// job is on record: also when ctx ends in that moment, because what is not on
// record cannot be stopped.
func (j job) start(ctx context.Context, dir string, env, command []string) error {
	if err := j.box.Mkdir(j.dir, 0o750); err != nil {
		return err
	}
	if j.begun() {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	exited, err := j.box.Spawn(spawn{
		Dir: dir, Env: append(env, j.mark()), Output: j.log,
		Command: append([]string{"/bin/sh", "-c", wrapper, "maitred", j.dir}, command...),
	})
	if err != nil {
		return err
	}
	tick, limit := time.NewTicker(2*time.Millisecond), time.NewTimer(onRecord)
	defer tick.Stop()
	defer limit.Stop()
	for {
		if j.begun() {
			return nil
		}
		select {
		case <-tick.C:
		case <-exited:
			if j.begun() {
				return nil
			}
			return fmt.Errorf("start %s: the process ended before it was on record", j.dir)
		case <-limit.C:
			return fmt.Errorf("start %s: the process did not come on record", j.dir)
		}
	}
}

const onRecord = 30 * time.Second // sh needs milliseconds

func (j job) mark() string { return "MAITRED_JOB=" + j.dir }

// ident is who a job is.
type ident struct {
	pid         int
	start, boot string
}

func (j job) ident() (ident, bool) {
	data, err := j.box.Read(filepath.Join(j.dir, "pid"))
	fields := strings.Fields(string(data))
	if err != nil || len(fields) != 3 {
		return ident{}, false
	}
	pid, err := strconv.Atoi(fields[0])
	return ident{pid, fields[1], fields[2]}, err == nil
}

// begun reports that the job was started, whether or not it runs.
func (j job) begun() bool { _, ok := j.ident(); return ok }

// alive reports that the job, or something that it left in its group, runs.
func (j job) alive() bool {
	id, ok := j.ident()
	return ok && (j.box.Alive(id.pid, id.start, id.boot) || len(j.box.Group(id.pid, j.mark())) > 0)
}

// exit is the job's exit code; false while there is none.
func (j job) exit() (int, bool) {
	data, err := j.box.Read(filepath.Join(j.dir, "rc"))
	if err != nil {
		return 0, false
	}
	rc, err := strconv.Atoi(strings.TrimSpace(string(data)))
	return rc, err == nil
}

// errCut says that a job ended and nobody noted how.
var errCut = errors.New("the process was cut short")

// wait follows the job to its end, copying what it prints to out. What the
// command leaves running in its group has a moment to end, and is then stopped.
// When ctx ends the job is stopped, unless it is maitred that stops.
func (j job) wait(ctx context.Context, out io.Writer) (int, error) {
	f := follower{job: j, out: out}
	var ended time.Time
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// Life is looked at before the exit code: whoever was dead then has
		// written it, if ever.
		alive := j.alive()
		f.copy(!alive)
		if rc, ok := j.exit(); ok {
			if orElse(&ended, time.Now()); !alive {
				return rc, nil
			} else if time.Since(ended) > cancelGrace {
				fmt.Fprintln(out, "What the command left running is stopped.")
				if err := j.stop(ctx, cancelGrace); err != nil {
					return 0, err
				}
			}
		}
		if !alive {
			if _, ok := j.exit(); ok {
				continue // it ended between the two looks
			}
			return 0, errCut
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), platform.ErrStopping) {
				return 0, ctx.Err()
			}
			err := j.stop(context.WithoutCancel(ctx), cancelGrace)
			f.copy(true)
			return 0, errors.Join(ctx.Err(), err)
		}
	}
}

const (
	cancelGrace = 2 * time.Second
	stepLogCap  = 32 << 20
	longLine    = 64 << 10
)

// follower copies what a job prints, line by line, so that what must not be
// shown is never cut in two.
type follower struct {
	job   job
	out   io.Writer
	shown int64
}

func (f *follower) copy(all bool) {
	for {
		data, size, err := f.job.box.Tail(f.job.log, f.shown, 1<<20)
		if err != nil {
			return
		}
		if f.shown = max(f.shown, size-int64(len(data))); !all && len(data) < longLine {
			data = data[:bytes.LastIndexByte(data, '\n')+1]
		}
		if len(data) > 0 {
			_, _ = f.out.Write(data)
			f.shown += int64(len(data))
		}
		if f.shown < size && all {
			continue
		}
		if size > stepLogCap && f.job.box.Truncate(f.job.log) == nil {
			f.shown = 0 // it appends, so it goes on at the new end
		}
		return
	}
}

// stop ends the job and its whole group: SIGTERM, and after grace SIGKILL. It
// returns when nothing of it runs.
func (j job) stop(ctx context.Context, grace time.Duration) error {
	id, ok := j.ident()
	if !ok || !j.alive() {
		return nil
	}
	if err := j.signal(id, syscall.SIGTERM); err != nil {
		return err
	}
	kill := time.NewTimer(grace)
	defer kill.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	killed := time.Time{}
	for j.alive() {
		select {
		case <-tick.C:
			if !killed.IsZero() && time.Since(killed) > 10*time.Second {
				return fault.New(fault.Internal, "host.stop", "Look at it on the machine.", "Process %d does not end, not even by force.", id.pid)
			}
		case <-kill.C:
			killed = time.Now()
			if err := j.signal(id, syscall.SIGKILL); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (j job) signal(id ident, sig syscall.Signal) error {
	if !j.alive() {
		return nil
	}
	if err := j.box.Signal(id.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// printed are the last lines of the job's log.
func (j job) printed(n int) []string {
	data, _, err := j.box.Tail(j.log, 0, 16<<10)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return lines[max(0, len(lines)-n):]
}
