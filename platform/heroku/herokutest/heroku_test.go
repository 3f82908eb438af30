package herokutest

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends a request as a client with the right token and media type does.
func ask(t *testing.T, h *Heroku, method, url, body string, headers ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.Key)
	req.Header.Set("Accept", "application/vnd.heroku+json; version=3")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{body: err.Error()}
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(raw)}
}

func deployed(t *testing.T, files string) *Heroku {
	t.Helper()
	h := New(t, Options{Takes: time.Millisecond})
	h.CreateApp("demo")
	h.AddDatabase("demo", "standard-0")
	h.Deploy("demo", "c0ffee", map[string]string{"Procfile": files})
	return h
}

func TestVisitorsSeeWhatIsDeployed(t *testing.T) {
	h := deployed(t, "web: serve\n")
	if got := ask(t, h, "GET", h.Site("demo"), ""); got.status != 200 || got.body != "c0ffee\n" {
		t.Errorf("visitors get %d %q", got.status, got.body)
	}
	h.SetMaintenance("demo", true)
	if got := ask(t, h, "GET", h.Site("demo"), ""); got.status != 503 || h.Answer("demo") != "" {
		t.Errorf("during maintenance visitors get %d", got.status)
	}
}

func TestAFailedReleasePhaseLeavesTheOldRelease(t *testing.T) {
	h := deployed(t, "web: serve\n")
	if got := h.Deploy("demo", "bad", map[string]string{"Procfile": "web: serve\nrelease: echo no; exit 1\n"}); got != "failed" || h.Answer("demo") != "c0ffee" {
		t.Errorf("the release is %s, and visitors see %q", got, h.Answer("demo"))
	}
}

func TestTheFrontIsStrict(t *testing.T) {
	h := deployed(t, "web: serve\n")
	tests := map[string]struct {
		url, header, value string
		want               int
	}{
		"no route":              {h.API() + "/nothing", "", "", 404},
		"the wrong host":        {h.API() + "/client/v11/apps/demo/transfers", "", "", 404},
		"the other wrong host":  {h.Data() + "/apps/demo", "", "", 404},
		"the wrong token":       {h.API() + "/apps/demo", "Authorization", "Bearer other", 401},
		"the wrong media type":  {h.API() + "/apps/demo", "Accept", "application/json", 406},
		"any variant of it":     {h.API() + "/apps/demo", "Accept", "application/vnd.heroku+json; version=3.sdk", 200},
		"a range that is wrong": {h.API() + "/apps/demo/releases", "Range", "colour ..", 416},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if tt.header != "" {
				headers = []string{tt.header, tt.value}
			}
			got := ask(t, h, "GET", tt.url, "", headers...)
			if got.status != tt.want || got.header.Get("Request-Id") == "" {
				t.Errorf("it answers %d %s, want %d", got.status, got.body, tt.want)
			}
		})
	}
}

func TestLongListsArePaged(t *testing.T) {
	h := New(t, Options{})
	for i := range 450 {
		h.CreateApp(fmt.Sprintf("app-%03d", i))
	}
	seen, next, pages := map[string]bool{}, "", 0
	for {
		got := ask(t, h, "GET", h.API()+"/apps", "", "Range", next)
		var apps []struct{ Name string }
		if err := json.Unmarshal([]byte(got.body), &apps); err != nil {
			t.Fatal(err)
		}
		for _, a := range apps {
			seen[a.Name] = true
		}
		pages++
		if next = got.header.Get("Next-Range"); next == "" {
			break
		}
		if got.status != http.StatusPartialContent {
			t.Errorf("a cut list has status %d", got.status)
		}
	}
	if len(seen) != 450 || pages != 3 {
		t.Errorf("%d apps on %d pages", len(seen), pages)
	}
}

func TestRangesAreRead(t *testing.T) {
	h := deployed(t, "web: serve\n") // four releases
	tests := map[string]struct{ in, versions, next string }{
		"newest first":        {"version ..; max=2, order=desc", "4 3", "version ]3..; max=2, order=desc"},
		"the page after":      {"version ]3..; max=2, order=desc", "2 1", ""},
		"commas and no space": {"version ..; order=desc,max=1", "4", "version ]4..; max=1, order=desc"},
		"a part":              {"version 2..3", "2 3", ""},
		"trailing semicolon":  {"version ..; max=1000;", "1 2 3 4", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := ask(t, h, "GET", h.API()+"/apps/demo/releases", "", "Range", tt.in)
			var all []struct{ Version int }
			if err := json.Unmarshal([]byte(got.body), &all); err != nil {
				t.Fatal(err)
			}
			var versions []string
			for _, r := range all {
				versions = append(versions, fmt.Sprint(r.Version))
			}
			if strings.Join(versions, " ") != tt.versions || got.header.Get("Next-Range") != tt.next {
				t.Errorf("versions %v, then %q", versions, got.header.Get("Next-Range"))
			}
		})
	}
}

func TestTheRateIsLimited(t *testing.T) {
	h := deployed(t, "web: serve\n")
	if got := ask(t, h, "GET", h.API()+"/apps/demo", ""); got.header.Get("RateLimit-Remaining") != "4499" {
		t.Errorf("%s requests are left", got.header.Get("RateLimit-Remaining"))
	}
	h.SetRemaining(-100)
	if got := ask(t, h, "GET", h.API()+"/apps/demo", ""); got.status != 429 || !strings.Contains(got.body, `"rate_limit"`) {
		t.Errorf("it answers %d %s", got.status, got.body)
	}
	if got := ask(t, h, "GET", h.API()+"/account/rate-limits", ""); got.status != 200 {
		t.Errorf("asking for the rate is answered with %d", got.status)
	}
}

func TestAnswersAreLostAfterTheEffect(t *testing.T) {
	h := deployed(t, "web: serve\n")
	h.Fail(Fault{On: "^PATCH /apps/demo$", Accepted: true, Cut: true})
	if got := ask(t, h, "PATCH", h.API()+"/apps/demo", `{"maintenance":true}`); got.status != 0 || h.State("demo")["maintenance"] != "true" {
		t.Errorf("it answers %d, and maintenance is %s", got.status, h.State("demo")["maintenance"])
	}
	h.Fail(Fault{On: "^PATCH /apps/demo$", Cut: true})
	if got := ask(t, h, "PATCH", h.API()+"/apps/demo", `{"maintenance":false}`); got.status != 0 || h.State("demo")["maintenance"] != "true" {
		t.Errorf("it answers %d, and maintenance is %s", got.status, h.State("demo")["maintenance"])
	}
	if got := ask(t, h, "PATCH", h.API()+"/apps/demo", `{"maintenance":false}`); got.status != 200 || h.State("demo")["maintenance"] != "false" {
		t.Errorf("then it answers %d", got.status)
	}
}

func TestHeldWorkWaits(t *testing.T) {
	h := deployed(t, "web: serve\n")
	h.Write("demo", "orders")
	h.Hold(Transfers)
	h.Capture("demo")
	if got := h.State("demo")["transfer 1"]; got != "DATABASE to BACKUP, running" {
		t.Errorf("the backup is %s", got)
	}
	h.Resume(Transfers)
	if !h.wait(t.Context().Done(), func() bool { return h.apps["demo"].transfers[0].ok }) {
		t.Error("the backup never ends")
	}
}

// attached runs a command as a client of a rendezvous does.
func attached(t *testing.T, h *Heroku, command, typed string) string {
	t.Helper()
	got := ask(t, h, "POST", h.API()+"/apps/demo/dynos", string(mustJSON(obj{"command": command, "attach": true})))
	var d struct {
		URL string `json:"attach_url"`
	}
	if err := json.Unmarshal([]byte(got.body), &d); err != nil {
		t.Fatal(err)
	}
	host, secret, _ := strings.Cut(strings.TrimPrefix(d.URL, "rendezvous://"), "/")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.CA())
	conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(conn, secret+"\r\n")
	text := bufio.NewReader(conn)
	if hello, err := text.ReadString('\n'); err != nil || hello != "rendezvous\r\n" {
		t.Fatalf("the greeting is %q, %v", hello, err)
	}
	_, _ = io.WriteString(conn, typed)
	out, _ := io.ReadAll(text)
	return string(out)
}

func TestOneOffDynosRunCommands(t *testing.T) {
	h := deployed(t, "web: serve\n")
	h.SetConfig("demo", "GREETING", "bonjour")
	if got := attached(t, h, `echo $GREETING $DYNO; cat; (exit 3); echo "code $?"`, "typed\n\x04"); got != "bonjour run.1001\ntyped\ncode 3\n" {
		t.Errorf("it prints %q", got)
	}
	if got := ask(t, h, "GET", h.API()+"/apps/demo/dynos/run.1001", ""); got.status != 404 {
		t.Errorf("afterwards the dyno is %d", got.status)
	}
}

func TestLogsAreCutAndFiltered(t *testing.T) {
	h := deployed(t, "web: serve\n")
	for i := range 5 {
		h.Print("demo", "app", "web.1", fmt.Sprintf("table %d", i))
		h.Print("demo", "app", "worker.1", "washing up")
	}
	read := func(session string) string {
		var s struct {
			URL string `json:"logplex_url"`
		}
		if err := json.Unmarshal([]byte(ask(t, h, "POST", h.API()+"/apps/demo/log-sessions", session).body), &s); err != nil {
			t.Fatal(err)
		}
		return ask(t, h, "GET", s.URL, "").body
	}
	if got := read(`{"lines":2,"dyno":"web"}`); strings.Count(got, "\n") != 2 || !strings.Contains(got, "app[web.1]: table 4\n") || strings.Contains(got, "washing") {
		t.Errorf("the logs are %q", got)
	}
	if got := read(`{"source":"heroku"}`); !strings.Contains(got, "State changed from starting to up") || strings.Contains(got, "table") {
		t.Errorf("Heroku's own lines are %q", got)
	}
}

func TestStormsComeInAllKinds(t *testing.T) {
	h := deployed(t, "web: serve\n")
	h.Storm(7, 1)
	seen := map[int]bool{}
	for range 40 {
		seen[ask(t, h, "GET", h.API()+"/apps/demo", "").status] = true
	}
	h.Storm(0, 0)
	if !seen[0] || !seen[429] || !seen[503] || ask(t, h, "GET", h.API()+"/apps/demo", "").status != 200 {
		t.Errorf("the storm brought %v", seen)
	}
}
