package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// visitors ask an app a hundred times a second: pages, health, a fifth of them
// orders, some that take two seconds.
type visitors struct {
	t       *testing.T
	url     string
	client  *http.Client
	asking  sync.WaitGroup
	stop    chan struct{}
	stopped chan struct{}
	began   time.Time

	mu    sync.Mutex
	gone  map[string]time.Time // release → from when no answer may name it
	count report
}

// report is what the visitors saw.
type report struct {
	asked, orders, slow int
	rate                float64 // a second
	failed, stale       []string
	stored              struct{ Orders, Posted int }
}

func visit(t *testing.T, url string) *visitors {
	v := &visitors{
		t: t, url: url, began: time.Now(), gone: map[string]time.Time{}, stop: make(chan struct{}), stopped: make(chan struct{}),
		client: &http.Client{
			Timeout:       30 * time.Second,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	go v.keepAsking()
	return v
}

func (v *visitors) keepAsking() {
	defer close(v.stopped)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case <-v.stop:
			return
		case <-tick.C:
		}
		for ; n < int(time.Since(v.began)/(10*time.Millisecond)); n++ { // a busy machine drops ticks
			number := n
			v.asking.Go(func() { v.ask(number) })
		}
	}
}

// ask sends one request and judges the answer.
func (v *visitors) ask(n int) {
	began := time.Now()
	method, path, body, want := http.MethodGet, "/", "", http.StatusOK
	switch {
	case n%5 == 0:
		method, path, want = http.MethodPost, "/orders", http.StatusCreated
		body = fmt.Sprintf(`{"id": "probe-%d", "pizza": "Margherita"}`, n)
	case n%50 == 7:
		path = "/slow?ms=2000"
	case n%2 == 1:
		path = "/healthz"
	}
	release, err := v.send(method, path, body, want)
	took := time.Since(began)

	v.mu.Lock()
	defer v.mu.Unlock()
	v.count.asked++
	if method == http.MethodPost {
		v.count.orders++
	}
	if strings.HasPrefix(path, "/slow") {
		v.count.slow++
	}
	if err != nil {
		v.count.failed = append(v.count.failed, fmt.Sprintf("%s %s at %s, after %s: %v",
			method, path, began.Format("15:04:05.000"), took.Round(time.Millisecond), err))
		return
	}
	if since, ok := v.gone[release]; ok && began.After(since) {
		v.count.stale = append(v.count.stale, fmt.Sprintf("%s %s at %s names %s, gone since %s",
			method, path, began.Format("15:04:05.000"), release, since.Format("15:04:05.000")))
	}
}

var (
	inPage = regexp.MustCompile(`id="release">([^<]+)<`)
	inJSON = regexp.MustCompile(`"release":"([^"]+)"`)
)

// send returns the release that the answer names.
func (v *visitors) send(method, path, body string, want int) (string, error) {
	r, err := http.NewRequest(method, v.url+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.GetBody = nil // sent once, and never again behind our back
	}
	resp, err := v.client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != want {
		return "", fmt.Errorf("%s: %.200s", resp.Status, raw)
	}
	for _, named := range []*regexp.Regexp{inPage, inJSON} {
		if m := named.FindSubmatch(raw); m != nil {
			return string(m[1]), nil
		}
	}
	return "", fmt.Errorf("the answer names no release: %.200s", raw)
}

// switched says which release may answer from now on, and which may not.
func (v *visitors) switched(from, to string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone[from] = time.Now()
	delete(v.gone, to)
}

// never says that no answer may name a release.
func (v *visitors) never(release string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.gone[release] = time.Time{}
}

// expect says that a release may answer again.
func (v *visitors) expect(release string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.gone, release)
}

// leave stops asking, waits for the answers in hand, and counts the orders that
// the app has.
func (v *visitors) leave() report {
	v.t.Helper()
	close(v.stop)
	<-v.stopped
	took := time.Since(v.began)
	v.asking.Wait()
	v.count.rate = float64(v.count.asked) / took.Seconds()
	resp, err := v.client.Get(v.url + "/orders?prefix=probe-")
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&v.count.stored); err != nil {
		v.t.Fatal(err)
	}
	return v.count
}
