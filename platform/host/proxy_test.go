package host

import (
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// before is a front before an app that tells what it was asked.
func before(t *testing.T) http.Handler {
	t.Helper()
	dir, err := os.MkdirTemp("", "front")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Mkdir(filepath.Join(dir, "run"), 0o750); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(dir, "run", "blue.sock"))
	if err != nil {
		t.Fatal(err)
	}
	app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %s by %s to %s", r.RequestURI, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Host"))
	})}
	go app.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { app.Close() })
	if err := os.Symlink("blue.sock", filepath.Join(dir, "run", "active.sock")); err != nil {
		t.Fatal(err)
	}
	return (&front{dir: dir, busy: map[string]int{}}).proxy(stdlog.New(io.Discard, "", 0))
}

func TestFrontTellsTheAppWhoAsks(t *testing.T) {
	front := before(t)
	for name, test := range map[string]struct{ from, uri, want string }{
		"a visitor claims nothing":                {from: "203.0.113.9:4711", uri: "/", want: "/ for 203.0.113.9 by http to example.org"},
		"a proxy on this machine is believed":     {from: "127.0.0.1:4711", uri: "/", want: "/ for 198.51.100.7, 127.0.0.1 by https to shop.example"},
		"a query arrives as it was sent":          {from: "203.0.113.9:4711", uri: "/?a=1;b=2&c=%zz", want: "/?a=1;b=2&c=%zz for 203.0.113.9 by http to example.org"},
		"a path that is written oddly stays that": {from: "203.0.113.9:4711", uri: "//a%2Fb/../c", want: "//a%2Fb/../c for 203.0.113.9 by http to example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://example.org"+test.uri, nil)
			r.RemoteAddr = test.from
			r.Header.Set("X-Forwarded-For", "198.51.100.7")
			r.Header.Set("X-Forwarded-Proto", "https")
			r.Header.Set("X-Forwarded-Host", "shop.example")
			w := httptest.NewRecorder()
			front.ServeHTTP(w, r)
			if got := w.Body.String(); got != test.want {
				t.Errorf("the app heard %q; want %q", got, test.want)
			}
		})
	}
}

// TestAFrontThatIsSlowToTellIsAskedAgain hides the socket on which the front
// counts, while a request is on its way.
func TestAFrontThatIsSlowToTellIsAskedAgain(t *testing.T) {
	s := newStage(t)
	s.deploy("v1.0.0")
	control := s.path("run", "front.sock")
	if err := os.Rename(control, control+".hidden"); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { s.drained(t.Context(), "blue"); close(done) }()
	select {
	case <-done:
		t.Error("a front that does not tell is taken for one without requests")
	case <-time.After(200 * time.Millisecond):
	}
	if err := os.Rename(control+".hidden", control); err != nil {
		t.Fatal(err)
	}
	<-done
}
