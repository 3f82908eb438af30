package sample

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkout makes the repository and a checkout of ref.
func checkout(t *testing.T, ref string) string {
	t.Helper()
	repository := filepath.Join(t.TempDir(), "ocpizza")
	if err := Repository(t.Context(), repository); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "release")
	out, err := exec.Command("git", "clone", "--quiet", "--branch", ref, repository, dir).CombinedOutput()
	if err != nil {
		t.Fatalf("clone: %v\n%s", err, out)
	}
	return dir
}

func open(t *testing.T, ref string) (*App, string) {
	t.Helper()
	dir, database := checkout(t, ref), filepath.Join(t.TempDir(), "orders #1?.db")
	if err := Migrate(t.Context(), dir, database); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(database); err != nil {
		t.Fatalf("the database is not where it was to be: %v", err)
	}
	app, err := Open(dir, ref, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { app.Close() })
	return app, database
}

func ask(t *testing.T, app *App, method, path, kind, body string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	app.Handler().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestCommitsAreTheSameEverywhere(t *testing.T) {
	want := map[string]string{}
	for n := range 2 {
		dir := filepath.Join(t.TempDir(), "ocpizza")
		if err := Repository(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{"v1.0.0", "v1.1.0", "v1.2.0", "main"} {
			out, err := exec.Command("git", "-C", dir, "rev-parse", ref+"^{commit}").Output()
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				want[ref] = string(out)
			} else if want[ref] != string(out) {
				t.Errorf("%s is %s and was %s", ref, out, want[ref])
			}
		}
	}
	if want["main"] != want["v1.1.0"] {
		t.Error("the default branch is not the newest release that works")
	}
}

func TestReleasesShowThemselves(t *testing.T) {
	for ref, special := range map[string]bool{"v1.0.0": false, "v1.1.0": true} {
		app, _ := open(t, ref)
		if code, body := ask(t, app, "GET", "/healthz", "", ""); code != 200 || body != fmt.Sprintf(`{"release":%q}`, ref) {
			t.Errorf("%s: health is %d %s", ref, code, body)
		}
		code, page := ask(t, app, "GET", "/", "", "")
		if code != 200 || !strings.Contains(page, ">"+ref+"<") || !strings.Contains(page, "Margherita") {
			t.Errorf("%s: the menu is %d\n%s", ref, code, page)
		}
		if strings.Contains(page, "Tartufo") != special {
			t.Errorf("%s: the special is shown: %t", ref, !special)
		}
	}
}

func TestBrokenReleaseSaysWhy(t *testing.T) {
	app, _ := open(t, "v1.2.0")
	if code, body := ask(t, app, "GET", "/healthz", "", ""); code != 503 || !strings.Contains(body, "cannot reach the payment service") {
		t.Errorf("health is %d %s", code, body)
	}
}

func TestOrdersAreCountedOnce(t *testing.T) {
	app, _ := open(t, "v1.1.0")
	for _, o := range []struct {
		kind, body string
		code       int
	}{
		{"application/json", `{"id": "a-1", "pizza": "Margherita"}`, 201},
		{"application/json", `{"id": "a-2", "pizza": "Tartufo", "note": "well done"}`, 201},
		{"application/x-www-form-urlencoded", "id=b-1&pizza=Marinara", 303},
		{"application/json", `{"id": "a-1", "pizza": "Margherita"}`, 201},
		{"application/json", `{"id": "a-3", "pizza": "Hawaii"}`, 400},
		{"application/json", `{"id": `, 400},
	} {
		if code, body := ask(t, app, "POST", "/orders", o.kind, o.body); code != o.code {
			t.Errorf("%s: %d %s; want %d", o.body, code, body, o.code)
		}
	}
	for path, want := range map[string]string{
		"/orders":            `{"orders":3,"posted":4}`,
		"/orders?prefix=a-":  `{"orders":2,"posted":3}`,
		"/orders?prefix=zzz": `{"orders":0,"posted":0}`,
	} {
		if _, got := ask(t, app, "GET", path, "", ""); got != want {
			t.Errorf("%s: %s; want %s", path, got, want)
		}
	}
}

func TestAnOlderReleaseTakesOrdersInANewerDatabase(t *testing.T) {
	_, database := open(t, "v1.1.0")
	old, err := Open(checkout(t, "v1.0.0"), "v1.0.0", database)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if code, body := ask(t, old, "POST", "/orders", "application/json", `{"id": "1", "pizza": "Margherita"}`); code != 201 {
		t.Errorf("%d %s", code, body)
	}
	if err := Migrate(t.Context(), checkout(t, "v1.1.0"), database); err != nil {
		t.Errorf("migrations again: %v", err)
	}
}

func TestRequestsAreFinishedBeforeTheEnd(t *testing.T) {
	app, _ := open(t, "v1.0.0")
	socket := filepath.Join(t.TempDir(), "web.sock")
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- app.Serve(ctx, l) }()

	connected := make(chan struct{})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		defer close(connected)
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	answered := make(chan string, 1)
	go func() {
		resp, err := client.Get("http://ocpizza/slow?ms=700")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- string(body)
	}()
	<-connected
	stop()
	select {
	case got := <-answered:
		if got != `{"release":"v1.0.0"}` {
			t.Errorf("the slow request got %s", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the slow request got no answer")
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}
