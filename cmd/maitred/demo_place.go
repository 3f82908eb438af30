package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"text/template"

	"maitred/cmd/maitred/sample"
	"maitred/fault"
)

//go:embed demo.yml
var demoConfig string

// demoPlace is the directory of a demo, and what lies where in it. All of it is
// made when it is missing and kept when it is there.
type demoPlace struct {
	dir       string
	own       bool // a temporary one, removed at the end
	listen    string
	appListen string
}

// openDemo checks the addresses and makes the directory.
func openDemo(dir, listen, appListen string) (*demoPlace, error) {
	for flag, address := range map[string]string{"--listen": listen, "--app-listen": appListen} {
		if err := onLoopback(flag, address); err != nil {
			return nil, err
		}
	}
	p := &demoPlace{dir: dir, listen: listen, appListen: appListen}
	var err error
	if dir == "" {
		p.own = true
		p.dir, err = os.MkdirTemp("", "maitred-demo-")
	} else if p.dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(p.dir, 0o700)
	}
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "demo.dir", Err: err,
			Say:  fmt.Sprintf("The directory of the demo cannot be made: %v.", err),
			Hint: "maitred demo --dir ~/maitred-demo"}
	}
	return p, nil
}

// onLoopback refuses an address that others can reach: whoever opens the page
// of the demo chooses who to be.
func onLoopback(flag, address string) error {
	host, port, err := net.SplitHostPort(address)
	if n, bad := strconv.Atoi(port); err == nil && (bad != nil || n < 0 || n > 65535) {
		err = fmt.Errorf("port %q", port)
	}
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Op: "demo.listen", Err: err,
			Say: fmt.Sprintf("%s %q is no address.", flag, address), Hint: flag + " 127.0.0.1:8090"}
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fault.New(fault.Refused, "demo.listen", flag+" 127.0.0.1:"+port,
		"The demo has no passwords, so it listens on this machine only; %s %s can be reached from others.", flag, address)
}

func (p *demoPlace) data() string       { return filepath.Join(p.dir, "data") }
func (p *demoPlace) app() string        { return filepath.Join(p.dir, "app") }
func (p *demoPlace) program() string    { return filepath.Join(p.dir, "bin", "maitred") }
func (p *demoPlace) repository() string { return filepath.Join(p.dir, "ocpizza") }
func (p *demoPlace) config() string     { return filepath.Join(p.dir, "maitred.yml") }

// furnish puts the program, the sample app's repository and maitred.yml into
// the directory.
func (p *demoPlace) furnish(ctx context.Context) error {
	if err := p.copyProgram(); err != nil {
		return cannotFurnish("copy its own program", err)
	}
	if _, err := os.Stat(p.repository()); errors.Is(err, os.ErrNotExist) {
		if err := sample.Repository(ctx, p.repository()); err != nil {
			return cannotFurnish("make the repository of the sample app (is git installed?)", err)
		}
	}
	text, err := p.words()
	if err != nil {
		return err
	}
	if err := replace(p.config(), 0o600, bytes.NewReader(text)); err != nil {
		return cannotFurnish("write "+p.config(), err)
	}
	return nil
}

func cannotFurnish(what string, err error) error {
	return &fault.Error{Kind: fault.Invalid, Op: "demo.furnish", Err: err,
		Say:  fmt.Sprintf("The demo cannot %s: %v.", what, err),
		Hint: "maitred demo --dir a directory with room, below which programs may run"}
}

// words are the demo's maitred.yml.
func (p *demoPlace) words() ([]byte, error) {
	t, err := template.New("demo.yml").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(demoConfig)
	if err != nil {
		return nil, fmt.Errorf("demo config: %w", err)
	}
	var text bytes.Buffer
	err = t.Execute(&text, map[string]string{
		"Data": p.data(), "Listen": p.listen, "Repository": p.repository(), "App": p.app(), "AppListen": p.appListen,
		"Path": filepath.Dir(p.program()) + ":/usr/local/bin:/usr/bin:/bin",
	})
	return text.Bytes(), err
}

// copyProgram keeps a copy of the running binary, because what the demo leaves
// running outlives a binary made by go run.
func (p *demoPlace) copyProgram() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if self == p.program() {
		return nil
	}
	from, err := os.Open(self)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := os.MkdirAll(filepath.Dir(p.program()), 0o755); err != nil {
		return err
	}
	return replace(p.program(), 0o755, from)
}

// replace writes a file in one rename: a program that runs cannot be written
// over, and a reader never sees half a file.
func replace(path string, mode os.FileMode, from io.Reader) (err error) {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return os.Rename(path+".new", path)
}
