package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap/zaptest"

	"maitred/config"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/source"
)

func TestSourcesFindDeliveredArchives(t *testing.T) {
	dir := t.TempDir()
	deliver(t, filepath.Join(dir, "in", "v1.3.0.tar.gz"), map[string]string{"Procfile": "web: ./serve\n"})
	deliver(t, filepath.Join(dir, "secret.tar.gz"), map[string]string{"key": "none of theirs"})
	target := platform.Target{App: "shop", Environment: "production"}
	of := func(archives string) *sources {
		c, err := config.Parse("maitred.yml", []byte(strings.ReplaceAll(strings.ReplaceAll(`data_dir: DIR/data
people: {ann: {roles: [all]}}
roles: {all: {may: ["*"]}}
apps:
  shop:
    ARCHIVES
    environments:
      production: {provider: host, host: {dir: DIR/app, trusted: true, listen: "127.0.0.1:1"}}
`, "ARCHIVES", archives), "DIR", dir)))
		if err != nil {
			t.Fatal(err)
		}
		mirrors := source.New(filepath.Join(dir, "mirrors"), zaptest.NewLogger(t))
		k := &catalogue{mirrors: mirrors, log: zaptest.NewLogger(t)}
		if err := k.set(c); err != nil {
			t.Fatal(err)
		}
		return &sources{apps: k, mirrors: mirrors}
	}

	s := of("archives: " + filepath.Join(dir, "in"))
	src, err := s.Resolve(context.Background(), target, "v1.3.0.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	if src.Version != "v1.3.0" || src.Archive != filepath.Join(dir, "in", "v1.3.0.tar.gz") || len(src.SHA) != 64 {
		t.Errorf("the archive is %+v", src)
	}
	refs, err := s.Refs(context.Background(), target)
	if err != nil || !slices.Equal(refs, []string{"v1.3.0.tar.gz"}) {
		t.Errorf("completion offers %v, %v", refs, err)
	}

	for name, tt := range map[string]struct {
		sources *sources
		ref     string
		kind    fault.Kind
	}{
		"a path leads nowhere":            {s, "../secret.tar.gz", fault.Invalid},
		"an absolute path leads nowhere":  {s, filepath.Join(dir, "secret.tar.gz"), fault.Invalid},
		"an option is no name":            {s, "-x.tar.gz", fault.Invalid},
		"an archive that is not there":    {s, "v9.tar.gz", fault.Missing},
		"a branch of an app without git":  {s, "main", fault.Invalid},
		"an app that is not so delivered": {of("repository: " + dir), "v1.3.0.tar.gz", fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			src, err := tt.sources.Resolve(context.Background(), target, tt.ref)
			if !fault.Is(err, tt.kind) || fault.Of(err).Say == "" {
				t.Errorf("%q gave %+v, %v; want a fault %v", tt.ref, src, err, tt.kind)
			}
		})
	}
}

// deliver writes a .tar.gz with the files.
func deliver(t *testing.T, file string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zipped := gzip.NewWriter(f)
	w := tar.NewWriter(zipped)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
}
