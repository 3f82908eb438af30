package herokutest

import (
	"strconv"
	"time"
)

// What takes its time on Heroku; each can be held.
const (
	Builds       = "build"
	Releases     = "release" // release phases
	Transfers    = "transfer"
	Dynos        = "dyno" // dynos that start
	Provisioning = "addon"
	Promotions   = "promotion"
	Maintenances = "maintenance"
	Certificates = "certificate"
)

// Hold keeps work of a kind from progressing until Resume.
func (h *Heroku) Hold(kind string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held[kind] = true
}

// Resume lets work of a kind go on.
func (h *Heroku) Resume(kind string) {
	h.mu.Lock()
	parked := h.parked[kind]
	delete(h.parked, kind)
	delete(h.held, kind)
	h.mu.Unlock()
	for _, done := range parked {
		h.settle(kind, done)
	}
}

// later calls done, with the lock held, when work of this kind has taken its time.
func (h *Heroku) later(kind string, done func()) {
	if h.isClosed() {
		return
	}
	h.streams.Add(1)
	go func() {
		defer h.streams.Done()
		select {
		case <-time.After(h.opt.Takes):
			h.settle(kind, done)
		case <-h.closed:
		}
	}()
}

func (h *Heroku) settle(kind string, done func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isClosed() {
		return
	}
	if h.held[kind] {
		h.parked[kind] = append(h.parked[kind], done)
		return
	}
	done()
	h.tell()
}

func (h *Heroku) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// enter counts a stream that Close waits for; the lock is not held.
func (h *Heroku) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isClosed() {
		return false
	}
	h.streams.Add(1)
	return true
}

// wait waits until ok holds, which is asked with the lock held. It is false when
// the fake ends, or gone does, before that.
func (h *Heroku) wait(gone <-chan struct{}, ok func() bool) bool {
	for {
		h.mu.Lock()
		if ok() {
			h.mu.Unlock()
			return true
		}
		changed := h.changed
		h.mu.Unlock()
		select {
		case <-changed:
		case <-gone:
			return false
		case <-h.closed:
			return false
		}
	}
}

// Count is how many things of a kind were begun for an app, ever: builds,
// transfers ("capture", "restore", "copy"), releases, "run".
func (h *Heroku) Count(kind, app string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.effects[kind+" "+app]
}

func (h *Heroku) count(kind string, a *App) { h.effects[kind+" "+a.Name]++ }

func itoa(n int) string { return strconv.Itoa(n) }
