package sample

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed tree
var tree embed.FS

// commits are the history of ocpizza, oldest first. Each lays the files of a
// folder of tree over those that are there.
var commits = []struct{ folder, author, date, subject, tag, branch string }{
	{folder: "1-readme", author: "Chiara", date: "2026-03-02T09:00:00Z", subject: "Say what ocpizza is"},
	{folder: "2-menu", author: "Chiara", date: "2026-03-02T17:30:00Z", subject: "Serve the menu and take orders", tag: "v1.0.0"},
	{folder: "3-specials", author: "Ben", date: "2026-03-09T10:15:00Z", subject: "Keep the specials of the week and notes in the database"},
	{folder: "4-bake", author: "Ada", date: "2026-03-10T11:40:00Z", subject: "Heat the ovens before a release is served"},
	{folder: "5-show", author: "Chiara", date: "2026-03-11T16:05:00Z", subject: "Show the special and ask for a note", tag: "v1.1.0"},
	{folder: "6-pay", author: "Ben", date: "2026-03-16T18:55:00Z", subject: "Take payments by card", tag: "v1.2.0", branch: "payments"},
}

// Repository makes the git repository of ocpizza in dir, which must not exist
// yet. The same commits have the same SHAs everywhere.
func Repository(ctx context.Context, dir string) error {
	building := dir + ".new"
	if err := os.RemoveAll(building); err != nil {
		return err
	}
	if err := os.MkdirAll(building, 0o755); err != nil {
		return err
	}
	g := git{dir: building}
	if err := g.run(ctx, nil, "init", "--quiet", "--initial-branch=main"); err != nil {
		return err
	}
	for _, c := range commits {
		files, err := fs.Sub(tree, "tree/"+c.folder)
		if err != nil {
			return err
		}
		if c.branch != "" {
			if err := g.run(ctx, nil, "checkout", "--quiet", "-b", c.branch); err != nil {
				return err
			}
		}
		if err := lay(building, files); err != nil {
			return err
		}
		mail := strings.ToLower(c.author) + "@ocpizza.example"
		who := []string{
			"GIT_AUTHOR_NAME=" + c.author, "GIT_AUTHOR_EMAIL=" + mail, "GIT_AUTHOR_DATE=" + c.date,
			"GIT_COMMITTER_NAME=" + c.author, "GIT_COMMITTER_EMAIL=" + mail, "GIT_COMMITTER_DATE=" + c.date,
		}
		steps := [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", c.subject}}
		if c.tag != "" {
			steps = append(steps, []string{"tag", "--annotate", "--message", "ocpizza " + c.tag, c.tag})
		}
		for _, args := range steps {
			if err := g.run(ctx, who, args...); err != nil {
				return err
			}
		}
	}
	if err := g.run(ctx, nil, "checkout", "--quiet", "main"); err != nil {
		return err
	}
	return os.Rename(building, dir)
}

// lay writes files over what is in dir.
func lay(dir string, files fs.FS) error {
	return fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		if entry.IsDir() {
			return os.MkdirAll(path, 0o755)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		return os.Chmod(path, 0o644) // whatever the umask is: the mode is part of the commit
	})
}

// git runs git as if nobody had configured it.
type git struct{ dir string }

func (g git) run(ctx context.Context, env []string, args ...string) error {
	c := exec.CommandContext(ctx, "git", args...)
	c.Dir = g.dir
	c.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "LANG=C", "TZ=UTC",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
	}, env...)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, out)
	}
	return nil
}
