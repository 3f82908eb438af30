package source

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// repo is a repository to resolve things in.
type repo struct {
	t   *testing.T
	dir string
}

func newRepo(t *testing.T) repo {
	t.Helper()
	r := repo{t, filepath.Join(t.TempDir(), "ocpizza")}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	r.commit("first", "menu.txt", "margherita")
	r.git("tag", "v1.0.0")
	r.commit("second", "menu.txt", "funghi")
	r.git("tag", "-a", "v1.1.0", "-m", "annotated")
	r.git("branch", "feature/stars")
	r.commit("third", "menu.txt", "stagioni")
	return r
}

func (r repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=ann", "GIT_AUTHOR_EMAIL=ann@example.org", "GIT_COMMITTER_NAME=ann", "GIT_COMMITTER_EMAIL=ann@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r repo) commit(subject, file, text string) string {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, file), []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.git("add", "-A")
	r.git("commit", "-q", "-m", subject)
	return r.git("rev-parse", "HEAD")
}

func mirrors(t *testing.T) *Mirrors { return New(filepath.Join(t.TempDir(), "mirrors"), nil) }

func TestResolve(t *testing.T) {
	r, m := newRepo(t), mirrors(t)
	sha := func(rev string) string { return r.git("rev-parse", rev+"^{commit}") }
	for ref, want := range map[string]platform.Source{
		"":                     {Ref: "main", SHA: sha("main"), Version: sha("main")[:7]},
		"main":                 {Ref: "main", SHA: sha("main"), Version: sha("main")[:7]},
		"v1.0.0":               {Ref: "v1.0.0", SHA: sha("v1.0.0"), Version: "v1.0.0"},
		"v1.1.0":               {Ref: "v1.1.0", SHA: sha("v1.1.0"), Version: "v1.1.0"},
		"refs/tags/v1.1.0":     {Ref: "v1.1.0", SHA: sha("v1.1.0"), Version: "v1.1.0"},
		"feature/stars":        {Ref: "feature/stars", SHA: sha("v1.1.0"), Version: "v1.1.0"},
		sha("v1.0.0"):          {Ref: sha("v1.0.0"), SHA: sha("v1.0.0"), Version: "v1.0.0"},
		sha("main")[:8]:        {Ref: sha("main")[:8], SHA: sha("main"), Version: sha("main")[:7]},
		"refs/heads/main":      {Ref: "main", SHA: sha("main"), Version: sha("main")[:7]},
		sha("main~1")[:7] + "": {Ref: sha("main~1")[:7], SHA: sha("main~1"), Version: "v1.1.0"},
	} {
		want.Repository = r.dir
		got, err := m.Resolve(t.Context(), r.dir, ref)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", ref, got, err, want)
		}
	}
}

func TestRefsThatAreRefused(t *testing.T) {
	r, m := newRepo(t), mirrors(t)
	r.git("branch", "v1.0.0") // now a branch and a tag, at different commits
	r.git("tag", "same", "main")
	r.git("branch", "same", "main")
	blob := r.git("rev-parse", "HEAD:menu.txt")
	r.git("tag", "menu", blob)
	for name, c := range map[string]struct {
		ref  string
		kind fault.Kind
		want string
	}{
		"a dash":              {"--upload-pack=touch /tmp/x", fault.Invalid, "begin with a dash"},
		"one dash":            {"-", fault.Invalid, "begin with a dash"},
		"branch and tag":      {"v1.0.0", fault.Invalid, "refs/heads/v1.0.0 and refs/tags/v1.0.0"},
		"nothing of the kind": {"v1.0.1", fault.Missing, "v1.0.1"},
		"an expression":       {"main~1", fault.Invalid, "no branch"},
		"a range":             {"main..v1.0.0", fault.Invalid, "no branch"},
		"a path":              {"main:menu.txt", fault.Invalid, "no branch"},
		"a reflog":            {"main@{1}", fault.Invalid, "no branch"},
		"a space":             {"main v1", fault.Invalid, "no branch"},
		"a NUL":               {"main\x00", fault.Invalid, "no branch"},
		"a file":              {"menu", fault.Invalid, "not a commit"},
		"too long":            {strings.Repeat("x", 40_000), fault.Invalid, "too long"},
		"a lost commit":       {strings.Repeat("0123", 10), fault.Missing, "0123"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Resolve(t.Context(), r.dir, c.ref)
			f := fault.Of(err)
			if err == nil || f.Kind != c.kind || !strings.Contains(f.Say, c.want) || f.Hint == "" || len(f.Say) > 400 {
				t.Errorf("got %s %q, hint %q", f.Kind, f.Say, f.Hint)
			}
		})
	}
	if _, err := m.Resolve(t.Context(), r.dir, "same"); err != nil {
		t.Errorf("a branch and a tag at one commit: %v", err)
	}
	_, err := m.Resolve(t.Context(), r.dir, "v1.0.2")
	if hint := fault.Of(err).Hint; !strings.Contains(hint, "v1.0.0") || !strings.Contains(hint, "v1.1.0") {
		t.Errorf("the hint is %q; want the nearest names", hint)
	}
}

func TestRepositoriesThatAreRefused(t *testing.T) {
	m := mirrors(t)
	marker := filepath.Join(t.TempDir(), "ran")
	for _, address := range []string{
		"", "ext::sh -c 'touch " + marker + "'", "EXT::touch " + marker, "fd::3", "--upload-pack=touch " + marker, "-u", "relative/path",
		"ftp://example.org/x", "javascript://x", "https://example.org/\nx", "host:path::x",
	} {
		_, err := m.Resolve(t.Context(), address, "main")
		if f := fault.Of(err); f.Kind != fault.Invalid || f.Hint == "" {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a program of the address was run")
	}
}

func TestARepositoryThatCannotBeReached(t *testing.T) {
	m := mirrors(t)
	_, err := m.Resolve(t.Context(), filepath.Join(t.TempDir(), "nowhere"), "main")
	if f := fault.Of(err); f.Kind != fault.Unreachable || !strings.Contains(f.Say, "There is no git repository") {
		t.Errorf("a path without a repository: %v", err)
	}
	if _, err = m.Resolve(t.Context(), "http://127.0.0.1:1/x.git", "main"); !fault.Is(err, fault.Unreachable) {
		t.Errorf("an address that refuses: %v", err)
	}
	for _, address := range []string{"http://user:hunter22@127.0.0.1:1/x.git", "https://hunter22@127.0.0.1:1/x.git", "ssh://git:hunter22%zz@127.0.0.1:1/x.git"} {
		_, err = m.Resolve(t.Context(), address, "main")
		if f := fault.Of(err); f.Kind != fault.Invalid || strings.Contains(f.Error(), "hunter22") {
			t.Errorf("an address with a secret: %v", err)
		}
	}

	// A server that takes the connection and says nothing.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := m.Resolve(ctx, fmt.Sprintf("http://%s/x.git", silent.Addr()), "main"); err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("a silent server ended with %v after %s", err, time.Since(began))
	}
}

func TestTheMirrorFollowsAndForgetsNothingThatWasDeployed(t *testing.T) {
	r, m := newRepo(t), mirrors(t)
	if names, err := m.Refs(t.Context(), r.dir); err != nil || names != nil {
		t.Errorf("before the first fetch the refs are %v, %v", names, err)
	}
	src, err := m.Resolve(t.Context(), r.dir, "main")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := m.File(t.Context(), src, "menu.txt"); err != nil { // a deploy looks at it
		t.Fatal(err)
	}
	r.git("reset", "-q", "--hard", "v1.0.0")
	r.git("branch", "-D", "feature/stars")
	newest := r.commit("rewritten", "menu.txt", "calzone")
	after, err := m.Resolve(t.Context(), r.dir, "main")
	if err != nil || after.SHA != newest {
		t.Fatalf("main is %+v, %v; want %s", after, err, newest)
	}
	names, err := m.Refs(t.Context(), r.dir)
	if err != nil || slices.Contains(names, "feature/stars") || !slices.Contains(names, "v1.1.0") {
		t.Errorf("the refs are %v, %v", names, err)
	}
	r2, err := m.here(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := git(t.Context(), r2.dir, "gc", "--quiet", "--prune=now"); err != nil {
		t.Fatal(err)
	}
	commits, err := m.Between(t.Context(), r.dir, src.SHA, after.SHA, 10)
	if err != nil || len(commits) != 1 || commits[0] != (platform.Commit{SHA: newest, Author: "ann", Subject: "rewritten"}) {
		t.Errorf("between them are %+v, %v", commits, err)
	}
	if all, err := m.Between(t.Context(), r.dir, "", src.SHA, 0); err != nil || len(all) != 3 || all[0].Subject != "third" {
		t.Errorf("in all there are %+v, %v", all, err)
	}
	if some, err := m.Between(t.Context(), r.dir, "", src.SHA, 2); err != nil || len(some) != 2 {
		t.Errorf("two of them are %+v, %v", some, err)
	}
	if _, err := m.Between(t.Context(), r.dir, "--output=/tmp/x", src.SHA, 2); !fault.Is(err, fault.Invalid) {
		t.Errorf("an option for a commit: %v", err)
	}
	if _, err := m.Between(t.Context(), r.dir, strings.Repeat("abcd", 10), src.SHA, 2); !fault.Is(err, fault.Missing) {
		t.Errorf("a lost commit: %v", err)
	}
}

func TestManyMayResolveAtOnce(t *testing.T) {
	r, m := newRepo(t), mirrors(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := m.Resolve(t.Context(), r.dir, "v1.1.0"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func FuzzRef(f *testing.F) {
	for _, s := range []string{"main", "-x", "a..b", "v1.0.0", "refs/heads/x", "@", "a\nb", "x.lock"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		if checkRef(ref) != nil || ref == "" {
			return
		}
		if strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, "\x00\n :~^") || strings.Contains(ref, "..") {
			t.Errorf("%q passes", ref)
		}
	})
}
