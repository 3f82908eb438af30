package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"maitred/fault"
)

func TestKeysAreMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var all [8]*Keys
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			k, err := OpenKeys(dir, true)
			if err != nil {
				t.Error(err)
			}
			all[i] = k
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed, err := all[0].Seal([]byte("hunter22"))
	if err != nil || bytes.Contains(sealed, []byte("hunter22")) {
		t.Fatalf("sealed %q, %v", sealed, err)
	}
	for _, k := range all {
		if plain, err := k.Open(sealed); err != nil || string(plain) != "hunter22" {
			t.Errorf("another opening of the keys: %q, %v", plain, err)
		}
		if !bytes.Equal(k.Audit, all[0].Audit) {
			t.Error("another opening has another audit key")
		}
	}
	for _, name := range []string{"seal.key", "audit.key"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".key-*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := all[0].Open(sealed); err == nil {
		t.Error("a changed value was opened")
	}
	if _, err := all[0].Open(sealed[:3]); err == nil {
		t.Error("a short value was opened")
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		kind  fault.Kind
		want  string
	}{
		"gone":           {os.Remove, fault.Missing, "is gone, and the data that it belongs to is not"},
		"damaged":        {func(p string) error { return os.WriteFile(p, []byte("nonsense"), 0o600) }, fault.Invalid, "is damaged"},
		"short":          {func(p string) error { return os.WriteFile(p, []byte("abcd"), 0o600) }, fault.Invalid, "is damaged"},
		"open to others": {func(p string) error { return os.Chmod(p, 0o644) }, fault.Invalid, "Others on this machine may read"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := OpenKeys(dir, true); err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(filepath.Join(dir, "seal.key")); err != nil {
				t.Fatal(err)
			}
			_, err := OpenKeys(dir, false)
			if f := fault.Of(err); err == nil || f.Kind != c.kind || !strings.Contains(f.Say, c.want) || f.Hint == "" {
				t.Errorf("it says %v", err)
			}
		})
	}
}

func TestReferencesAreOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(file, []byte("postgres://u:from-a-file@db/m\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAITRED_TEST_URL", "postgres://u:from-the-environment@db/m")
	for reference, want := range map[string]string{
		"sqlite":                     "",
		"postgres://u@db/m":          "postgres://u@db/m",
		"${env:MAITRED_TEST_URL}":    "postgres://u:from-the-environment@db/m",
		"${file:" + file + "}":       "postgres://u:from-a-file@db/m",
		"${env:MAITRED_NOT_SET}":     "MAITRED_NOT_SET is not set",
		"${file:/does/not/exist}":    "/does/not/exist cannot be read",
		"${file:" + os.DevNull + "}": "is empty",
	} {
		c, err := Parse("maitred.yml", []byte(strings.Replace(good, "data_dir: data", "data_dir: data\ndatabase: "+reference, 1)))
		if err != nil {
			t.Fatalf("%s: %v", reference, err)
		}
		url, err := c.DatabaseURL()
		if err != nil {
			url = fault.Of(err).Say
			if _, err := c.Secrets(); err == nil {
				t.Errorf("%s: the secrets were read all the same", reference)
			}
		}
		if !strings.Contains(url, want) || want == "" && url != "" {
			t.Errorf("%s is %q; want %q", reference, url, want)
		}
	}
}
