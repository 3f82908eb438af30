package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"maitred/fault"
)

// frontJob is the process of the front.
func (p *Provider) frontJob() job {
	return job{box: p.box, dir: p.inState("front"), log: p.path("shared", "log", "front.log")}
}

// front is where the front listens; false when it does not.
func (p *Provider) front() (listening, bool) {
	var l listening
	data, err := p.box.Read(p.path("run", "front.json"))
	if err != nil || json.Unmarshal(data, &l) != nil || l.Asked != p.config.Listen {
		return l, false
	}
	return l, p.frontJob().alive()
}

// Address is where the front listens, "" when it does not. It differs from the
// configured one when that asks for port 0.
func (p *Provider) Address() string {
	if l, ok := p.front(); ok {
		return l.At
	}
	return ""
}

// EnsureFront starts the front when it does not run, and returns when it
// listens. Faults: Refused (the address is taken).
func (p *Provider) EnsureFront(ctx context.Context) error {
	return p.locked(ctx, func() error {
		if err := p.box.Put(p.path("run", "health"), []byte(p.config.Health.Path+"\n"), 0o640); err != nil {
			return p.fail("host.front", err)
		}
		if _, ok := p.front(); ok {
			return nil
		}
		j := p.frontJob()
		if err := j.stop(ctx, p.config.Stop); err != nil { // it listens elsewhere
			return p.fail("host.front", err)
		}
		for _, old := range []string{j.dir, p.path("run", "front.json")} {
			if err := p.box.Remove(old); err != nil {
				return p.fail("host.front", err)
			}
		}
		command := []string{p.config.Executable, "front", "--dir", p.config.Dir, "--listen", p.config.Listen}
		env := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + p.path("shared")}
		if err := j.start(ctx, p.config.Dir, env, command); err != nil {
			return p.fail("host.front", err)
		}
		return p.listens(ctx, j)
	})
}

// listens waits until the front has told where it listens, or has ended.
func (p *Provider) listens(ctx context.Context, j job) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		alive := j.alive()
		if _, ok := p.front(); ok {
			return nil
		}
		if !alive {
			said := strings.Join(j.printed(3), " ")
			f := fault.New(fault.Refused, "host.front", "Choose another listen address in maitred.yml, or stop what uses it.",
				"The front of %s cannot listen at %s.", p.target, p.config.Listen)
			if l, err := net.Listen("tcp", p.config.Listen); err != nil {
				f.Say = fmt.Sprintf("The address %s is in use by another program, so nobody could reach %s.", p.config.Listen, p.target)
			} else {
				_ = l.Close()
			}
			f.Err = fmt.Errorf("front: %s", said)
			return f
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// frontClient asks the app as visitors do.
func (p *Provider) frontClient() *http.Client {
	return client(func(ctx context.Context) (net.Conn, error) {
		l, ok := p.front()
		if !ok {
			return nil, fmt.Errorf("nobody listens at %s", p.config.Listen)
		}
		at := l.At
		if host, port, err := net.SplitHostPort(at); err == nil {
			if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
				at = net.JoinHostPort("localhost", port)
			}
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", at)
	})
}

// busy is how many requests the front has open to slot.
func (p *Provider) busy(ctx context.Context, slot string) (int, error) {
	c := client(func(ctx context.Context) (net.Conn, error) { return p.box.Dial(ctx, p.path("run", "front.sock")) })
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://front/", nil)
	if err != nil {
		return 0, err
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	counts := map[string]int{}
	err = json.NewDecoder(res.Body).Decode(&counts)
	return counts[slot], err
}

// drained waits until the front has no request open to slot, at most as long as
// requests may take. Without a front nobody asks; one that is slow to tell is
// asked again.
func (p *Provider) drained(ctx context.Context, slot string) {
	ctx, cancel := context.WithTimeout(ctx, p.config.Drain)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := p.busy(ctx, slot)
		if _, there := p.front(); err == nil && n == 0 || err != nil && !there {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// held reports that a restore keeps the app stopped, whether or not visitors
// still wait for it.
func (p *Provider) held() bool {
	_, err := p.box.Read(p.path("run", "hold"))
	return err == nil
}

// holdRequests lets visitors wait for at most d; zero lets them go on.
func (p *Provider) holdRequests(d time.Duration) error {
	if d == 0 {
		return p.fail("host.hold", p.box.Remove(p.path("run", "hold")))
	}
	until := strconv.FormatInt(time.Now().Add(d).UnixMilli(), 10)
	return p.fail("host.hold", p.box.Put(p.path("run", "hold"), []byte(until+"\n"), 0o640))
}
