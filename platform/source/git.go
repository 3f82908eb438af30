package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"maitred/fault"
)

// git runs git in the bare repository dir ("" is nowhere) and returns what it
// prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	var out bytes.Buffer
	err := gitTo(ctx, &out, dir, args...)
	return strings.TrimRight(out.String(), "\n"), err
}

// gitTo is git with its output going to w. The error carries what git said.
func gitTo(ctx context.Context, w io.Writer, dir string, args ...string) error {
	if dir != "" {
		args = append([]string{"--git-dir=" + dir}, args...)
	}
	cmd := exec.CommandContext(ctx, "git", args...)
	var said tail
	cmd.Stdout, cmd.Stderr, cmd.Env = w, &said, gitEnvironment()
	// git has children of its own (ssh, index-pack): the group goes as one. It is
	// asked first, because a git that is killed leaves its lock files behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var kill *time.Timer
	cmd.Cancel = func() error {
		kill = time.AfterFunc(lastWord, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
	}
	cmd.WaitDelay = 2 * lastWord
	defer func() {
		if kill != nil {
			kill.Stop()
		}
	}()
	if err := cmd.Run(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if errors.Is(err, exec.ErrNotFound) {
			return err
		}
		return &gitError{said: strings.TrimSpace(said.String()), err: err}
	}
	return nil
}

const lastWord = 2 * time.Second

// gitError is git's refusal in its own words.
type gitError struct {
	said string
	err  error
}

func (e *gitError) Error() string { return fmt.Sprintf("git: %v: %s", e.err, e.said) }
func (e *gitError) Unwrap() error { return e.err }

// gitEnvironment lets git ask nobody, run no foreign program, and see nothing of
// maitred but where keys are found.
func gitEnvironment() []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "LANG=C", "LC_ALL=C",
		"GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=true", "SSH_ASKPASS=true",
		"GIT_SSH_COMMAND=ssh -o BatchMode=yes -o ConnectTimeout=15",
		"GIT_ALLOW_PROTOCOL=file:git:http:https:ssh",
		"GIT_OPTIONAL_LOCKS=0", "GIT_NO_REPLACE_OBJECTS=1",
	}
	settings := [][2]string{
		{"protocol.ext.allow", "never"}, {"core.hooksPath", "/dev/null"}, {"core.fsmonitor", "false"},
		{"gc.auto", "0"}, {"init.defaultBranch", "main"}, {"advice.detachedHead", "false"},
	}
	env = append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", len(settings)))
	for i, s := range settings {
		env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", i, s[0]), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", i, s[1]))
	}
	for _, name := range []string{"SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "https_proxy", "http_proxy", "no_proxy"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// explain turns what git says of a repository into a fault.
func (r *mirror) explain(ctx context.Context, err error) error {
	var e *gitError
	if !errors.As(err, &e) {
		if errors.Is(err, exec.ErrNotFound) {
			return &fault.Error{Kind: fault.Internal, Op: "source.git", Say: "git is not installed where maitred runs.", Hint: "apt-get install git", Err: err}
		}
		return err
	}
	f := &fault.Error{Kind: fault.Unreachable, Op: "source.fetch", Err: errors.New(strings.ReplaceAll(e.Error(), r.repository, Shown(r.repository)))}
	said := strings.ToLower(e.said)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(said, part) {
				return true
			}
		}
		return false
	}
	switch name := Shown(r.repository); {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case has("no space left on device"):
		f.Kind, f.Say = fault.Refused, fmt.Sprintf("The disk is full, so the repository %s could not be fetched.", name)
		f.Hint = "Free some space below " + r.dir + " and try again."
	case blocked(err):
		f.Kind, f.Say = fault.Busy, fmt.Sprintf("Another git is at work in the mirror of %s, or was killed there.", name)
		f.Hint = fmt.Sprintf("Try again in %s; what a killed one left is removed then.", staleLock)
	case has("dubious ownership"):
		f.Kind, f.Say = fault.Refused, fmt.Sprintf("The repository %s belongs to another user, and git does not read it.", name)
		f.Hint = "git config --global --add safe.directory " + name
	case has("permission denied (", "authentication failed", "could not read username", "access denied"):
		f.Say = fmt.Sprintf("The repository %s does not let maitred in.", name)
		f.Hint = "Check the key or token of the user that runs maitred."
	case has("does not appear to be a git repository", "repository not found", "not found"):
		f.Say = fmt.Sprintf("There is no git repository at %s, or maitred may not see it.", name)
		f.Hint = "Check the app's repository in maitred.yml."
	default:
		f.Say = fmt.Sprintf("The repository %s cannot be reached.", name)
		f.Hint = "Try again, or look at the repository's server."
	}
	return f
}

// local explains a failure of this machine's own disk.
func local(err error, path string) error {
	f := &fault.Error{Kind: fault.Internal, Op: "source.disk", Err: err}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f.Kind, f.Say, f.Hint = fault.Refused, fmt.Sprintf("The disk is full below %s.", path), "Free some space and try again."
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		f.Kind, f.Say, f.Hint = fault.Refused, fmt.Sprintf("maitred may not write below %s.", path), "Check the owner of that directory."
	default:
		return err
	}
	return f
}

// Shown is repository without the password that its address may carry.
func Shown(repository string) string {
	u, err := url.Parse(repository)
	if scheme, rest, ok := strings.Cut(repository, "://"); err != nil && ok {
		return scheme + "://" + rest[strings.LastIndex(rest, "@")+1:]
	}
	if err != nil || u.User == nil {
		return repository
	}
	u.User = nil
	return u.String()
}

// tail keeps the last of what is written.
type tail struct{ data []byte }

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if over := len(t.data) - tailSize; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(string(t.data), "?") }

// clip cuts s to at most n bytes, at a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
