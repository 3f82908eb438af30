package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// may says which rooms a room may import. Everybody may import chat and fault,
// and those two nothing. A room that is not in the table has no neighbours yet:
// give it a line, with a reason.
var may = map[string][]string{
	"chat":            nil,
	"fault":           nil,
	"platform":        nil,
	"platform/engine": {"platform"},
	"platform/source": {"platform"},
	"platform/host":   {"platform", "platform/source"},
	"platform/heroku": {"platform", "platform/source"},
	"notifications":   nil,
	"commands":        {"platform", "platform/engine", "notifications"},
	"bot":             {"commands"},
	"bot/webchat":     {"bot", "commands"},
	"bot/schedule":    {"bot", "commands"},
	"bot/slack":       {"bot", "commands"},
	"store":           below,
	"web":             below,
	"config":          below,
	"cmd/maitred":     {"*"},

	"cmd/maitred/sample": nil,          // the demo's app: no part of maitred
	"commands/gen":       {"commands"}, // writes docs/commands.md
}

// below is every room that store, web and config may import: all but each other.
var below = []string{"platform", "platform/engine", "platform/source", "platform/host", "platform/heroku", "notifications", "commands", "bot", "bot/webchat", "bot/schedule", "bot/slack"}

// leaves are the rooms that an SDK stays in.
var leaves = map[string][]string{
	"github.com/dbos-inc/":            {"platform/engine"},
	"github.com/alecthomas/kong":      {"commands"},
	"github.com/pressly/goose":        {"store"},
	"github.com/jackc/pgx/v5/pgxpool": {"store", "platform/engine"}, // the engine is handed the pool
	"github.com/jackc/pgx/":           {"store"},
	"modernc.org/sqlite":              {"store", "platform/host", "cmd/maitred/sample"}, // host backs up the databases of apps
	"database/sql":                    {"store", "platform/host", "platform/engine", "cmd/maitred/sample"},
	"go.yaml.in/yaml":                 {"config"},
	"golang.org/x/crypto/":            {"config"},
	"github.com/prometheus/client_golang/prometheus/promhttp": {"web"},
	"github.com/heroku/":           {"platform/heroku"},
	"github.com/slack-go/slack":    {"bot/slack"},
	"github.com/gorilla/websocket": {"bot/slack"},
	"github.com/robfig/cron":       {"commands", "bot/schedule"},
}

// room is a package of maitred, as go list tells it.
type roomOf struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
	TestGoFiles     []string
	XTestGoFiles    []string
}

func (r roomOf) name() string {
	if r.ImportPath == "maitred" {
		return "."
	}
	return strings.TrimPrefix(r.ImportPath, "maitred/")
}

// test reports whether the room is a test room, which doubles what it stands
// beside, or is in one.
func (r roomOf) test() bool {
	return slices.ContainsFunc(strings.Split(r.name(), "/"), func(word string) bool { return strings.HasSuffix(word, "test") })
}

func rooms(t *testing.T) []roomOf {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles,TestGoFiles,XTestGoFiles", "maitred/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []roomOf
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var r roomOf
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
}

func TestRoomsImportWhomTheyMay(t *testing.T) {
	for _, r := range rooms(t) {
		if r.test() {
			continue
		}
		allowed, known := may[r.name()]
		if !known {
			t.Errorf("%s is not in the table of rooms", r.name())
		}
		for _, i := range r.Imports {
			other, ours := strings.CutPrefix(i, "maitred/")
			switch {
			case ours && strings.HasSuffix(other, "test"):
				t.Errorf("%s imports the test room %s", r.name(), other)
			case ours && (r.name() == "chat" || r.name() == "fault"):
				t.Errorf("%s imports %s; it should import nothing of maitred", r.name(), other)
			case ours && other != "chat" && other != "fault" && !slices.Contains(allowed, other) && !slices.Contains(allowed, "*"):
				t.Errorf("%s may not import %s", r.name(), other)
			case !ours:
				checkLeaf(t, r.name(), i)
			}
		}
	}
}

// checkLeaf finds the longest entry of the table that an import falls under.
func checkLeaf(t *testing.T, room, imported string) {
	t.Helper()
	rule := ""
	for prefix := range leaves {
		if strings.HasPrefix(imported, prefix) && len(prefix) > len(rule) {
			rule = prefix
		}
	}
	if rule != "" && !slices.Contains(leaves[rule], room) {
		t.Errorf("%s imports %s, which belongs in %s", room, imported, strings.Join(leaves[rule], " and "))
	}
}

func TestRoomsAreCalledWhatTheyAre(t *testing.T) {
	for _, r := range rooms(t) {
		for _, word := range strings.Split(r.name(), "/") {
			if slices.Contains([]string{"internal", "pkg", "util", "utils", "common", "types", "models", "helpers"}, word) {
				t.Errorf("%s: %q says nothing about what is in it", r.name(), word)
			}
		}
	}
}

func TestFilesCanBeReadInOneSitting(t *testing.T) {
	const warn, most = 500, 600
	for _, r := range rooms(t) {
		for _, file := range slices.Concat(r.GoFiles, r.TestGoFiles, r.XTestGoFiles) {
			switch n := lines(t, filepath.Join(r.Dir, file)); {
			case n > most:
				t.Errorf("%s has %d lines", path.Join(r.name(), file), n)
			case n > warn:
				t.Logf("%s has %d lines", path.Join(r.name(), file), n)
			}
		}
	}
}

func lines(t *testing.T, file string) (n int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		n++
	}
	return n
}
