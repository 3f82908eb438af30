package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"maitred/config"
	"maitred/fault"
)

func TestDemoStaysOnThisMachine(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:8080": "", "localhost:0": "", "[::1]:8080": "", "127.8.8.8:80": "",
		"0.0.0.0:8080": "refused", ":8080": "refused", "192.168.1.4:8080": "refused", "[::]:80": "refused", "example.org:80": "refused",
		"8080": "invalid", "127.0.0.1:pizza": "invalid", "": "invalid", "127.0.0.1:70000": "invalid",
	} {
		got := ""
		if err := onLoopback("--listen", address); err != nil {
			got = fault.Of(err).Kind.String()
		}
		if got != want {
			t.Errorf("%q is %q; want %q", address, got, want)
		}
	}
}

func TestDemoConfigIsAccepted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `a "quoted" dir: #1`)
	p, err := openDemo(dir, "127.0.0.1:8080", "127.0.0.1:8081")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second start finds everything there
		if err := p.furnish(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(p.config())
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != p.data() || c.Listen != p.listen {
		t.Errorf("data is in %q and the page on %q; want %q, %q", c.DataDir, c.Listen, p.data(), p.listen)
	}
	out, err := exec.Command("git", "-C", p.repository(), "tag", "--list").Output()
	if err != nil || string(out) != "v1.0.0\nv1.1.0\nv1.2.0\n" {
		t.Errorf("tags: %s, %v", out, err)
	}
	if info, err := os.Stat(p.program()); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the copy of the program: %v, %v", info, err)
	}
}

func TestDemoDirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := openDemo(filepath.Join(file, "demo"), "127.0.0.1:0", "127.0.0.1:0")
	if !fault.Is(err, fault.Invalid) || fault.Of(err).Hint == "" {
		t.Errorf("got %v; want a sentence and a hint", err)
	}
}
