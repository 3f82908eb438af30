package herokutest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// session is a command that a one-off dyno or a release phase runs: for real,
// with a shell, in the files of the slug.
type session struct {
	app     *App
	release *release
	name    string
	command string
	env     map[string]string
	output  *stream // nil when the output goes to the logs
	secret  string
	hold    string // the kind that can hold it
	limit   time.Duration
	dyno    *dyno
	ended   func(code int)
	cmd     *exec.Cmd
	over    bool
}

func (h *Heroku) session(a *App, n *release, name, command string, env map[string]string, out *stream) *session {
	return &session{app: a, release: n, name: name, command: command, env: env, output: out, hold: Dynos}
}

// end stops the command, with the lock held.
func (s *session) end() {
	if s.cmd != nil && s.cmd.Process != nil && !s.over {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	}
	s.over = true
}

// start runs the command when the dyno is up.
func (h *Heroku) start(s *session) {
	h.sockets[h.id()] = s
	h.later(s.hold, func() {
		if s.over {
			h.finish(s, 143)
			return
		}
		h.streams.Add(1)
		go func() {
			defer h.streams.Done()
			out := h.printer(s)
			code := h.run(s, nil, out)
			_ = out.Close()
			h.mu.Lock()
			defer h.mu.Unlock()
			h.finish(s, code)
			h.tell()
		}()
	})
}

// printed is output that is taken elsewhere; Close waits until all of it is there.
type printed struct {
	*io.PipeWriter
	drained chan struct{}
}

func (p printed) Close() error {
	err := p.PipeWriter.Close()
	<-p.drained
	return err
}

// printer takes output to the stream or the logs, line by line.
func (h *Heroku) printer(s *session) io.WriteCloser {
	r, w := io.Pipe()
	p := printed{w, make(chan struct{})}
	go func() {
		defer close(p.drained)
		for text := bufio.NewReader(r); ; {
			l, err := text.ReadString('\n')
			if l != "" {
				h.mu.Lock()
				if s.output != nil {
					s.output.write(l)
				}
				s.app.log("app", s.name, strings.TrimRight(l, "\r\n"))
				h.tell()
				h.mu.Unlock()
			}
			if err != nil {
				return
			}
		}
	}()
	return p
}

// run runs the command to its end, and tells its exit code.
func (h *Heroku) run(s *session, in *terminal, out io.Writer) int {
	cmd := exec.Command("/bin/sh", "-c", s.command)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.release.slug.dir, out, out
	var keys io.WriteCloser
	if in != nil {
		keys, _ = cmd.StdinPipe()
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.release.slug.dir, "DYNO=" + s.name}
	h.mu.Lock()
	for name, value := range s.app.config {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	for name, value := range s.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if s.dyno != nil {
		s.dyno.state = "up"
	}
	s.cmd = cmd
	var err error
	if s.over {
		err = errors.New("stopped before it began")
	} else {
		s.app.log("heroku", s.name, "State changed from starting to up")
		err = cmd.Start()
	}
	h.tell()
	h.mu.Unlock()
	if err == nil {
		if in != nil {
			go h.typing(s, in, keys)
		}
		if s.limit > 0 {
			alarm := time.AfterFunc(s.limit, func() { h.mu.Lock(); s.end(); h.mu.Unlock() })
			defer alarm.Stop()
		}
		err = cmd.Wait()
	}
	exit := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	case exit != nil:
		return 137
	}
	return 143
}

// typing takes what somebody types to the command; who goes away ends it.
func (h *Heroku) typing(s *session, in *terminal, keys io.WriteCloser) {
	_, _ = io.Copy(keys, in)
	_ = keys.Close()
	_, _ = io.Copy(io.Discard, in.from)
	h.mu.Lock()
	defer h.mu.Unlock()
	s.end()
}

// finish takes the dyno away. The lock is held.
func (h *Heroku) finish(s *session, code int) {
	s.over = true
	s.app.dynos = slices.DeleteFunc(s.app.dynos, func(d *dyno) bool { return d.session == s })
	s.app.log("heroku", s.name, fmt.Sprintf("Process exited with status %d", code))
	s.app.log("heroku", s.name, "State changed from up to complete")
	if s.ended != nil {
		s.ended(code)
	}
}

// meet answers on the rendezvous port, over TLS.
func (h *Heroku) meet() {
	for {
		conn, err := h.rendezvous.Accept()
		if err != nil {
			return
		}
		if !h.enter() {
			_ = conn.Close()
			return
		}
		go func() {
			defer h.streams.Done()
			defer conn.Close()
			h.attach(conn)
		}()
	}
}

// attach runs a session over one connection: the secret, a greeting, then bytes
// both ways until the command ends.
func (h *Heroku) attach(conn net.Conn) {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-h.closed:
			_ = conn.Close()
		case <-stop:
		}
	}()
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	text := bufio.NewReader(conn)
	secret, err := text.ReadString('\n')
	if err != nil {
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	h.mu.Lock()
	s := h.sockets[strings.TrimSpace(secret)]
	taken := s == nil || s.secret == "" || s.cmd != nil || s.over
	h.mu.Unlock()
	if taken {
		return
	}
	_, _ = io.WriteString(conn, "rendezvous\r\n")
	if !h.wait(stop, func() bool { return !h.held[s.hold] }) {
		return
	}
	typed := &terminal{from: text, over: make(chan struct{})}
	code := h.run(s, typed, conn)
	h.mu.Lock()
	h.finish(s, code)
	h.tell()
	h.mu.Unlock()
	select { // a client whose input ended says so, and must find the line open
	case <-typed.over:
	case <-time.After(250 * time.Millisecond):
	}
}

// terminal ends the input at the byte that ends it on a terminal.
type terminal struct {
	from io.Reader
	over chan struct{} // closed when the input has ended
}

func (t *terminal) Read(p []byte) (int, error) {
	n, err := t.from.Read(p)
	if at := slices.Index(p[:n], 4); at >= 0 {
		n, err = at, io.EOF
	}
	if err != nil {
		close(t.over)
	}
	return n, err
}

// selfSigned is the certificate of the rendezvous server.
func selfSigned() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "herokutest"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
