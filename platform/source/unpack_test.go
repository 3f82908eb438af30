package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"maitred/fault"
	"maitred/platform"
)

// pack makes a .tar.gz of entries; the body of a file is its size in x.
func pack(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, h := range entries {
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, endless{}, h.Size); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []io.Closer{w, zip} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func file(name string, size int64) tar.Header { return tar.Header{Name: name, Size: size} }
func dir(name string) tar.Header              { return tar.Header{Name: name, Typeflag: tar.TypeDir} }
func link(name, to string) tar.Header {
	return tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}
}
func hard(name, to string) tar.Header {
	return tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeLink}
}

func put(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "delivery.tar.gz")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHostileArchivesAreRefusedWhole(t *testing.T) {
	good := file("app/good.txt", 10)
	whole := pack(t, good, file("b", 100_000))
	for name, data := range map[string][]byte{
		"a path that leads out":       pack(t, good, file("../evil", 1)),
		"one that comes back first":   pack(t, good, file("app/../../evil", 1)),
		"one that only looks so":      pack(t, good, file("app/../evil", 1)),
		"an absolute path":            pack(t, good, file("/etc/evil", 1)),
		"a backslash":                 pack(t, good, file(`..\evil`, 1)),
		"a line break":                pack(t, good, file("a\nb", 1)),
		"a link that leads out":       pack(t, good, link("l", "../../etc/passwd")),
		"an absolute link":            pack(t, good, link("l", "/etc/passwd")),
		"a link out by another link":  pack(t, good, dir("a/b"), link("a/b/up", ".."), link("l", "a/b/up/../..")),
		"links that go around":        pack(t, good, link("a", "b"), link("b", "a")),
		"a file through a link":       pack(t, good, link("d", "app"), file("d/evil", 1)),
		"a file instead of a link":    pack(t, good, link("l", "app"), file("l", 1)),
		"a file below a file":         pack(t, good, file("app/good.txt/evil", 1)),
		"a name twice":                pack(t, good, good),
		"a hard link out":             pack(t, good, hard("h", "../../etc/passwd")),
		"a hard link to a link":       pack(t, good, link("l", "app"), hard("h", "l")),
		"a hard link to what follows": pack(t, good, hard("h", "later"), file("later", 1)),
		"a device":                    pack(t, good, tar.Header{Name: "dev", Typeflag: tar.TypeChar}),
		"a block device":              pack(t, good, tar.Header{Name: "dev", Typeflag: tar.TypeBlock}),
		"a pipe":                      pack(t, good, tar.Header{Name: "pipe", Typeflag: tar.TypeFifo}),
		"its own root as a file":      pack(t, good, file(".", 1)),
		"a path too deep":             pack(t, good, file(strings.Repeat("d/", 80)+"f", 1)),
		"a name too long":             pack(t, good, file(strings.Repeat("n", 300), 1)),
		"too many bytes for its size": pack(t, good, file("zeros", 200<<20)),
		"half of it":                  whole[:len(whole)/2],
		"no end":                      whole[:len(whole)-4],
		"a broken sum":                append(append([]byte{}, whole[:len(whole)-6]...), 1, 2, 3, 4, 5, 6),
		"a plain tar":                 []byte(strings.Repeat("x", 1024)),
		"nothing":                     nil,
	} {
		t.Run(name, func(t *testing.T) {
			m, path := mirrors(t), put(t, data)
			_, err := m.ResolveArchive(t.Context(), path)
			if f := fault.Of(err); f.Kind != fault.Invalid || f.Say == "" || f.Hint == "" {
				t.Fatalf("got %v", err)
			}
			// Should somebody export it all the same, nothing is left of it.
			sum, err := hashOf(path)
			if err != nil {
				t.Fatal(err)
			}
			src := archiveOf(path, sum)
			to := filepath.Join(t.TempDir(), "release")
			if _, err := m.Export(t.Context(), src, to, nil); err == nil {
				t.Error("it was exported")
			}
			if _, err := os.Lstat(to); err == nil {
				t.Error("something of it was unpacked")
			}
		})
	}
}

func TestLimits(t *testing.T) {
	few := Limits{Entries: 3, Total: 1000, Ratio: 200}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"entries": {pack(t, file("a", 1), file("b", 1), file("c", 1), file("d", 1)), "more than 3 entries"},
		"bytes":   {pack(t, file("a", 600), file("b", 600)), "unpacks to more than"},
		"one":     {pack(t, file("a", 2000)), "2000 bytes"},
	} {
		if _, _, err := CheckArchive(put(t, c.data), few); !strings.Contains(fault.Of(err).Say, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAGoodArchive(t *testing.T) {
	m := mirrors(t)
	data := pack(t, dir("./"), dir("app"), tar.Header{Name: "app/run.sh", Size: 5, Mode: 0o4777}, file("app/data", 7),
		link("current", "app/data"), link("app/up", "../app"), hard("copy", "app/data"))
	path := put(t, data)
	src, err := m.ResolveArchive(t.Context(), path)
	if err != nil || src.Archive != path || src.Version != "delivery" || len(src.SHA) != 64 {
		t.Fatalf("it is %+v, %v", src, err)
	}
	to := filepath.Join(t.TempDir(), "release")
	sum, err := m.Export(t.Context(), src, to, nil)
	if err != nil || sum.Bytes != 12 {
		t.Fatalf("exported %+v, %v", sum, err)
	}
	for name, mode := range map[string]fs.FileMode{"app/run.sh": 0o750, "app/data": 0o640, "app": 0o750 | fs.ModeDir, "current": 0o640, "copy": 0o640} {
		info, err := os.Stat(filepath.Join(to, name))
		if err != nil || info.Mode()&^umask() != mode&^umask() {
			t.Errorf("%s is %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	if data, found, err := m.File(t.Context(), src, "app/data"); err != nil || !found || string(data) != "xxxxxxx" {
		t.Errorf("the file is %q, %t, %v", data, found, err)
	}
	if _, found, err := m.File(t.Context(), src, "Procfile"); err != nil || found {
		t.Errorf("a file that is not there: %t, %v", found, err)
	}
	if err := os.WriteFile(path, pack(t, file("other", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Export(t.Context(), src, to+"2", nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("an archive that has changed: %v", err)
	}
}

func umask() fs.FileMode { return 0o777 &^ 0o750 }

func TestArchivesOverHTTP(t *testing.T) {
	data := pack(t, file("a", 3))
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Path != "/v7.tar.gz" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
	defer server.Close()
	m := mirrors(t)
	src, err := m.ResolveArchive(t.Context(), server.URL+"/v7.tar.gz")
	if err != nil || src.Version != "v7" {
		t.Fatalf("it is %+v, %v", src, err)
	}
	before := asked
	if _, err := m.Export(t.Context(), src, filepath.Join(t.TempDir(), "r"), nil); err != nil || asked != before {
		t.Errorf("exported with %v, downloaded %d times more", err, asked-before)
	}
	if _, err := m.ResolveArchive(t.Context(), server.URL+"/v8.tar.gz"); !fault.Is(err, fault.Unreachable) {
		t.Errorf("an archive that is not there: %v", err)
	}
	if _, err := m.ResolveArchive(t.Context(), "/nowhere/x.tar.gz"); !fault.Is(err, fault.Missing) {
		t.Errorf("a path that is not there: %v", err)
	}
	if _, err := m.ResolveArchive(t.Context(), "x.tar.gz"); !fault.Is(err, fault.Invalid) {
		t.Errorf("a relative path: %v", err)
	}
}

func TestExportOfACommit(t *testing.T) {
	r, m := newRepo(t), mirrors(t)
	if err := os.Symlink("menu.txt", filepath.Join(r.dir, "today")); err != nil {
		t.Fatal(err)
	}
	r.commit("a link", "run.sh", "echo")
	src, err := m.Resolve(t.Context(), r.dir, "main")
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "release")
	room := fault.New(fault.Refused, "test", "", "There is no room.")
	if _, err := m.Export(t.Context(), src, to, func(Summary) error { return room }); !fault.Is(err, fault.Refused) {
		t.Errorf("without room: %v", err)
	}
	if _, err := os.Lstat(to); err == nil {
		t.Error("something was left")
	}
	if _, err := m.Export(t.Context(), src, to, nil); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(to, "today")); err != nil || string(text) != "stagioni" {
		t.Errorf("the menu of today is %q, %v", text, err)
	}
	if err := os.Symlink("../../secret", filepath.Join(r.dir, "out")); err != nil {
		t.Fatal(err)
	}
	r.commit("a link out", "x", "x")
	if src, err = m.Resolve(t.Context(), r.dir, "main"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Export(t.Context(), src, to+"2", nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("a commit with a link that leads out: %v", err)
	}
}

// Whatever an archive holds, what is unpacked stays below its directory.
func TestNothingIsWrittenOutside(t *testing.T) {
	m := mirrors(t)
	names := rapid.SampledFrom([]string{"a", "b", "a/b", "a/b/c", "../a", "a/..", "/a", "b/../../x", "./a", "c/./d", "..", "."})
	rapid.Check(t, func(rt *rapid.T) {
		base, err := os.MkdirTemp("", "unpack")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(base)
		var entries []tar.Header
		for range rapid.IntRange(1, 8).Draw(rt, "entries") {
			h := tar.Header{Name: names.Draw(rt, "name"), Typeflag: rapid.SampledFrom([]byte{tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink}).Draw(rt, "type")}
			switch h.Typeflag {
			case tar.TypeReg:
				h.Size = 1
			case tar.TypeSymlink, tar.TypeLink:
				h.Linkname = names.Draw(rt, "to")
			}
			entries = append(entries, h)
		}
		path := filepath.Join(base, "x.tar.gz")
		if err := os.WriteFile(path, pack(t, entries...), 0o600); err != nil {
			rt.Fatal(err)
		}
		sum, err := hashOf(path)
		if err != nil {
			rt.Fatal(err)
		}
		to := filepath.Join(base, "in", "release")
		if err := os.Mkdir(filepath.Join(base, "in"), 0o700); err != nil {
			rt.Fatal(err)
		}
		_, failed := m.Export(t.Context(), archiveOf(path, sum), to, nil)
		err = filepath.WalkDir(base, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			in := strings.HasPrefix(name, to)
			if !in && name != base && name != path && name != filepath.Join(base, "in") {
				rt.Errorf("%s lies outside", name)
			}
			if in && failed != nil {
				rt.Errorf("%s is left of an archive that was refused", name)
			}
			if e.Type()&fs.ModeSymlink != 0 {
				if real, err := filepath.EvalSymlinks(name); err == nil && real != to && !strings.HasPrefix(real, to+"/") {
					rt.Errorf("%s leads to %s", name, real)
				}
			}
			return nil
		})
		if err != nil {
			rt.Fatal(err)
		}
	})
}

func FuzzCheckArchive(f *testing.F) {
	f.Add(pack(f, file("a", 3), dir("b"), link("c", "a")))
	f.Add(pack(f, file("../a", 3)))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := put(t, data)
		if _, _, err := CheckArchive(path, Limits{Entries: 100, Total: 1 << 20, Ratio: 100}); err != nil && fault.Of(err).Kind != fault.Invalid {
			t.Errorf("refused with %v", err)
		}
	})
}

func archiveOf(path, sum string) platform.Source {
	return platform.Source{Archive: path, SHA: sum}
}
