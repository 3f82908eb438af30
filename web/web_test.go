package web_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"maitred/bot"
	"maitred/chat"
	"maitred/fault"
	"maitred/notifications"
	"maitred/platform"
	"maitred/web"
)

// maitred doubles every room behind the listener.
type maitred struct {
	mu      sync.Mutex
	heard   map[string]chat.Inbound
	answers func(in chat.Inbound) bot.Heard
	stuck   bool // nothing is ever answered
}

func (m *maitred) Receive(_ context.Context, in chat.Inbound) (chat.Ack, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.heard[in.Key]; known {
		return chat.Ack{Known: true}, nil
	}
	m.heard[in.Key] = in
	return chat.Ack{}, nil
}

func (m *maitred) Complete(context.Context, chat.Person, chat.Place, string) []chat.Completion {
	return nil
}

func (m *maitred) Wait(ctx context.Context, key string) (bot.Heard, error) {
	if m.stuck {
		<-ctx.Done()
		return bot.Heard{}, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	in := m.heard[key]
	h := m.answers(in)
	h.In, h.Done = in, true
	return h, nil
}

func (m *maitred) Render(_ context.Context, s notifications.Subject) (chat.Card, int64, error) {
	return chat.Card{Title: "Deploy", Text: fmt.Sprintf("Deploy #%d of ocpizza is queued.", s.ID)}, 1, nil
}

var began = time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC)

func (m *maitred) Operation(_ context.Context, id int64) (platform.Operation, error) {
	if id != 214 {
		return platform.Operation{}, fault.New(fault.Missing, "test", "/queue", "There is no operation #%d.", id)
	}
	return platform.Operation{
		ID: 214, Kind: platform.Deploy, Target: platform.Target{App: "ocpizza", Environment: "production"},
		State: platform.Failed, Reason: "step:probe", Undone: true, Release: "r2",
		Requester: chat.Person{Who: "dev"}, Source: &platform.Source{Ref: "v1.2.0", SHA: "abc"},
		Plan:    platform.Plan{Steps: []platform.Step{{Name: "fetch"}, {Name: "start"}, {Name: "probe"}, {Name: "switch"}}},
		Created: began, Started: began, Ended: began.Add(time.Second),
	}, nil
}

func (m *maitred) Steps(context.Context, int64) ([]platform.StepRecord, error) {
	return []platform.StepRecord{
		{Index: 0, Name: "fetch", State: chat.StepDone, Started: began, Ended: began.Add(time.Second)},
		{Index: 1, Name: "start", State: chat.StepDone, Started: began},
		{Index: 2, Name: "probe", State: chat.StepFailed, Started: began},
		{Index: 1, Name: "start", State: chat.StepDone, Undo: true, Started: began},
	}, nil
}

func (m *maitred) Decisions(context.Context, int64) ([]platform.Decision, error) {
	return []platform.Decision{{Person: chat.Person{Who: "lead"}, Approve: true, At: began}}, nil
}

func (m *maitred) Owner(hash string) (chat.Person, bool) {
	for token, who := range map[string]string{"ann-token": "ann", "bob-token": "bob"} {
		if sum := sha256.Sum256([]byte(token)); hash == hex.EncodeToString(sum[:]) {
			return chat.Person{Chat: "api", ID: who, Who: who}, true
		}
	}
	return chat.Person{}, false
}

func said(text string, refused bool) func(chat.Inbound) bot.Heard {
	return func(chat.Inbound) bot.Heard {
		return bot.Heard{Said: []bot.Said{{Card: chat.Card{Text: text}, Private: refused, Refused: refused}}}
	}
}

// serve runs a listener until the test ends.
func serve(t *testing.T, m *maitred, change func(*web.Options)) string {
	t.Helper()
	m.heard = map[string]chat.Inbound{}
	o := web.Options{Listen: "127.0.0.1:0", Door: m, Waiter: m, Operations: m, Renderer: m, Owners: m}
	change(&o)
	s, err := web.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return "http://" + s.Addr().String()
}

func demo(o *web.Options) {
	o.Owners = nil
	o.Personas = func(as string) (chat.Person, bool) {
		return chat.Person{Chat: "webchat", ID: as}, as == "dev" || as == "lead"
	}
	o.Place = func(channel, thread string) (chat.Place, error) {
		if channel == "" {
			channel = "deploys"
		}
		return chat.Place{Chat: "webchat", Channel: channel, Thread: thread}, nil
	}
}

func ask(t *testing.T, method, url, body string, headers ...string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	b, _ := io.ReadAll(answer.Body)
	got := map[string]any{}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("not JSON: %s", b)
	}
	return answer.StatusCode, got
}

func TestSayAnswersWithWhatCameOfIt(t *testing.T) {
	m := &maitred{answers: said("ocpizza runs v1.0.0.", false)}
	url := serve(t, m, demo)
	code, got := ask(t, "POST", url+"/v1/say", `{"text":"/status","as":"dev","thread":"7","key":"k"}`)
	if code != 200 || got["key"] != "k" || got["started"] != false || got["said"].([]any)[0].(map[string]any)["text"] != "ocpizza runs v1.0.0." {
		t.Errorf("%d %v", code, got)
	}
	for key, in := range m.heard {
		if in.Person.ID != "dev" || in.Place != (chat.Place{Chat: "webchat", Channel: "deploys", Thread: "7"}) || in.Source != chat.Called || in.Key != key {
			t.Errorf("heard %+v", in)
		}
	}
	m.answers = func(chat.Inbound) bot.Heard { return bot.Heard{Operation: 214, Started: true} }
	_, got = ask(t, "POST", url+"/v1/say", `{"text":"/deploy","as":"dev"}`)
	if got["operation"] != 214.0 || got["started"] != true || got["said"].([]any)[0].(map[string]any)["text"] != "Deploy #214 of ocpizza is queued." {
		t.Errorf("a line that starts an operation is answered with %v", got)
	}
	m.answers = said("dev may not do that.", true)
	if _, got = ask(t, "POST", url+"/v1/say", `{"text":"/freeze","as":"dev"}`); got["said"].([]any)[0].(map[string]any)["refused"] != true {
		t.Errorf("a refusal is answered with %v", got)
	}
}

func TestSayRefuses(t *testing.T) {
	m := &maitred{answers: said("yes", false)}
	url := serve(t, m, demo)
	tests := map[string]struct {
		body, say string
		code      int
		headers   []string
	}{
		"an unknown persona":         {`{"text":"/x","as":"mallory"}`, `no persona "mallory"`, 400, nil},
		"no text":                    {`{"text":" ","as":"dev"}`, "no text", 400, nil},
		"half a body":                {`{"text":`, "cannot be read as JSON", 400, nil},
		"two bodies":                 {`{"text":"a","as":"dev"}{}`, "more than one", 400, nil},
		"an unknown field":           {`{"txt":"a"}`, "txt", 400, nil},
		"more than 1 MiB":            {`{"text":"` + strings.Repeat("a", 1<<20) + `"}`, "longer than 1 MiB", 400, nil},
		"a form":                     {`text=a`, "must be JSON", 400, []string{"Content-Type", "application/x-www-form-urlencoded"}},
		"a page of another site":     {`{"text":"/x","as":"dev"}`, "another site", 403, []string{"Origin", "http://evil.example"}},
		"a name that points here":    {`{"text":"/x","as":"dev"}`, "this machine only", 403, []string{"Host", "evil.example:80"}},
		"a token that nobody owns":   {`{"text":"/x","as":"dev"}`, "needs a token", 401, []string{"Authorization", "Bearer made-up"}},
		"a key that is far too long": {`{"text":"/x","as":"dev","key":"` + strings.Repeat("k", 201) + `"}`, "201 characters", 400, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, got := ask(t, "POST", url+"/v1/say", test.body, test.headers...)
			if code != test.code || !strings.Contains(fmt.Sprint(got["error"]), test.say) {
				t.Errorf("%d %v", code, got)
			}
		})
	}
	if len(m.heard) != 0 {
		t.Errorf("the door heard %v", m.heard)
	}
	if code, _ := ask(t, "POST", url+"/v1/say", `{"as":"dev","text":"/`+strings.Repeat("é", 40_000)+`"}`); code != 200 || len(m.heard) != 1 {
		t.Errorf("40,000 characters do not reach the door: %d", code)
	}
}

func TestTokensOwnTheirCallers(t *testing.T) {
	m := &maitred{answers: said("yes", false)}
	url := serve(t, m, func(*web.Options) {})
	if code, got := ask(t, "POST", url+"/v1/say", `{"text":"/x"}`); code != 401 || got["hint"] == "" {
		t.Errorf("without a token: %d %v", code, got)
	}
	if code, _ := ask(t, "GET", url+"/v1/operations/214", ""); code != 401 {
		t.Errorf("reading without a token: %d", code)
	}
	if code, _ := ask(t, "POST", url+"/v1/say", `{"text":"/x","as":"ann"}`); code != 401 {
		t.Errorf("as is no right outside the demo: %d", code)
	}
	for _, token := range []string{"ann-token", "bob-token"} { // the same key of two owners is two lines
		if code, got := ask(t, "POST", url+"/v1/say", `{"text":"/x","key":"same"}`, "Authorization", "Bearer "+token); code != 200 || got["key"] != "same" {
			t.Errorf("%s: %d %v", token, code, got)
		}
	}
	if len(m.heard) != 2 {
		t.Errorf("%d lines were heard, want 2", len(m.heard))
	}
	if code, _ := ask(t, "POST", url+"/v1/say", `{"text":"/x","key":"same"}`, "Authorization", "Bearer ann-token"); code != 200 || len(m.heard) != 2 {
		t.Errorf("the same key of one owner: %d, %d lines", code, len(m.heard))
	}
	if code, got := ask(t, "POST", url+"/v1/say", `{"text":"/x other","key":"same"}`, "Authorization", "Bearer ann-token"); code != 409 || !strings.Contains(fmt.Sprint(got["error"]), "another line") {
		t.Errorf("another line under a used key: %d %v", code, got)
	}
	if code, _ := ask(t, "POST", url+"/v1/say", `{"text":"/x","as":"bob"}`, "Authorization", "Bearer ann-token"); code != 403 {
		t.Errorf("ann's token speaks for bob: %d", code)
	}
}

func TestSayGivesUpWaitingButNotTheLine(t *testing.T) {
	m := &maitred{stuck: true}
	url := serve(t, m, func(o *web.Options) { demo(o); o.Patience = 20 * time.Millisecond })
	if code, got := ask(t, "POST", url+"/v1/say", `{"text":"/x","as":"dev","key":"mine"}`); code != 504 || !strings.Contains(fmt.Sprint(got["hint"]), "mine") {
		t.Errorf("%d %v", code, got)
	}
}

func TestOperation(t *testing.T) {
	url := serve(t, &maitred{}, demo)
	code, got := ask(t, "GET", url+"/v1/operations/214", "")
	want := map[string]any{"id": 214.0, "kind": "deploy", "app": "ocpizza", "environment": "production", "state": "failed", "reason": "step:probe",
		"requested_by": "dev", "ref": "v1.2.0", "sha": "abc", "undone": true, "release": "r2", "ended_at": "2026-03-01T12:00:01.5Z"}
	for key, value := range want {
		if code != 200 || got[key] != value {
			t.Errorf("%s is %v, want %v", key, got[key], value)
		}
	}
	var states []string
	for _, s := range got["steps"].([]any) {
		states = append(states, s.(map[string]any)["state"].(string))
	}
	if strings.Join(states, " ") != "done undone failed skipped" {
		t.Errorf("steps are %v", states)
	}
	if a := got["approvals"].([]any)[0].(map[string]any); a["person"] != "lead" || a["decision"] != "approved" || a["at"] != "2026-03-01T12:00:00.5Z" {
		t.Errorf("approval %v", a)
	}
	if code, got = ask(t, "GET", url+"/v1/operations/9", ""); code != 404 || got["error"] != "There is no operation #9." {
		t.Errorf("%d %v", code, got)
	}
	if code, _ = ask(t, "GET", url+"/v1/operations/none", ""); code != 400 {
		t.Errorf("a number that is none: %d", code)
	}
	if code, _ = ask(t, "DELETE", url+"/v1/everything", ""); code != 404 {
		t.Errorf("an unknown path: %d", code)
	}
}

func TestReadyTellsTheTruth(t *testing.T) {
	broken := errors.New("driver: bad connection at 10.0.0.3")
	var mu sync.Mutex
	var state error
	url := serve(t, &maitred{}, func(o *web.Options) {
		o.Metrics = prometheus.NewRegistry()
		o.Checks = []web.Check{
			{Name: "engine", Check: func(context.Context) error { return nil }},
			{Name: "store", Check: func(context.Context) error { mu.Lock(); defer mu.Unlock(); return state }},
		}
	})
	if code, got := ask(t, "GET", url+"/readyz", ""); code != 200 || got["status"] != "ready" {
		t.Errorf("%d %v", code, got)
	}
	mu.Lock()
	state = &fault.Error{Kind: fault.Unreachable, Say: "The database cannot be reached.", Err: broken}
	mu.Unlock()
	code, got := ask(t, "GET", url+"/readyz", "")
	checks := got["checks"].(map[string]any)
	if code != 503 || checks["store"] != "The database cannot be reached." || checks["engine"] != "ok" {
		t.Errorf("%d %v", code, got)
	}
	if code, _ := ask(t, "GET", url+"/healthz", ""); code != 200 {
		t.Errorf("healthz is %d", code)
	}
	r, err := http.Get(url + "/metrics")
	if err != nil || r.StatusCode != 200 {
		t.Errorf("metrics: %v %v", r, err)
	}
	r.Body.Close()
}

func TestNewSaysWhyItCannotListen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tests := map[string]struct {
		listen string
		demo   bool
		kind   fault.Kind
	}{
		"a port in use":         {taken.Addr().String(), false, fault.Busy},
		"no address":            {"nonsense", false, fault.Invalid},
		"the demo for everyone": {"0.0.0.0:0", true, fault.Refused},
		"the demo by name":      {"example.com:80", true, fault.Refused},
		"the demo, no host":     {":0", true, fault.Refused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := web.Options{Listen: test.listen}
			if test.demo {
				demo(&o)
			}
			_, err := web.New(o)
			if f := fault.Of(err); err == nil || f.Kind != test.kind || f.Say == "" || f.Hint == "" {
				t.Errorf("%v", err)
			}
		})
	}
}
