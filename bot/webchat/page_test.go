package webchat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"maitred/bot/webchat"
	"maitred/bot/webchat/webchattest"
	"maitred/chat"
	"maitred/fault"
)

var (
	_       chat.Hearer     = (*webchat.Chat)(nil)
	_       chat.Sender     = (*webchat.Chat)(nil)
	_       chat.FormOpener = (*webchat.Chat)(nil)
	_       chat.Uploader   = (*webchat.Chat)(nil)
	_       chat.HTTPHearer = (*webchat.Chat)(nil)
	_       webchat.Store   = (*webchattest.Memory)(nil)
	_       chat.Door       = (*door)(nil)
	top                     = chat.Place{Chat: "webchat", Channel: "deploys"}
	dev                     = chat.Person{Chat: "webchat", ID: "dev", Name: "dev"}
	tokenIn                 = regexp.MustCompile(`data-token="([0-9a-f]+)"`)
)

func TestMemoryIsAStore(t *testing.T) {
	webchattest.Run(t, func(*testing.T) webchat.Store { return webchattest.NewMemory() })
}

// door notes what it receives, and can be told to answer or to fail.
type door struct {
	mu     sync.Mutex
	heard  []chat.Inbound
	keys   map[string]bool
	fail   error
	answer func(in chat.Inbound)
}

func (d *door) Receive(_ context.Context, in chat.Inbound) (chat.Ack, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fail != nil {
		return chat.Ack{}, d.fail
	}
	if d.keys[in.Key] {
		return chat.Ack{Known: true}, nil
	}
	if d.keys == nil {
		d.keys = map[string]bool{}
	}
	d.keys[in.Key] = true
	d.heard = append(d.heard, in)
	if d.answer != nil {
		go d.answer(in)
	}
	return chat.Ack{}, nil
}

func (d *door) Complete(_ context.Context, who chat.Person, at chat.Place, line string) []chat.Completion {
	var found []chat.Completion
	for _, c := range []chat.Completion{
		{Insert: "/deploy", Label: "/deploy", Help: "Put a ref of an app on its platform."},
		{Insert: "/deploy ocpizza@v1.1.0", Label: "ocpizza@v1.1.0", Help: "tag, 2 minutes ago"},
		{Insert: "/deploy ocpizza@v1.2.0", Label: "ocpizza@v1.2.0", Help: "tag, a minute ago"},
		{Insert: "/rollback", Label: "/rollback", Help: "Go back to a release."},
		{Insert: "/maintenance", Label: "/maintenance", Help: "Switch the maintenance page."},
	} {
		if strings.HasPrefix(c.Insert, line) && c.Insert != line {
			found = append(found, c)
		}
	}
	return found
}

func (d *door) last(t *testing.T) chat.Inbound {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.heard) == 0 {
		t.Fatal("the door heard nothing")
	}
	return d.heard[len(d.heard)-1]
}

// site is a page that is served and heard.
type site struct {
	*httptest.Server
	chat   *webchat.Chat
	door   *door
	client *http.Client
	token  string
}

func options(s webchat.Store) webchat.Options {
	return webchat.Options{
		Store: s,
		Channels: []webchat.Channel{
			{ID: "deploys", Topic: "ocpizza in production", Try: []string{"/deploy ocpizza@v1.1.0", "/status", "/maintenance on"}},
			{ID: "general", Topic: "Everything else"},
			{ID: "oncall", Topic: "Alerts, and who looks after them"},
		},
		Personas: []webchat.Persona{{ID: "dev", Name: "dev", Role: "developer"}, {ID: "lead", Name: "lead", Role: "lead"}, {ID: "oncall", Name: "oncall", Role: "on call"}},
		Links:    []webchat.Link{{Label: "ocpizza", URL: "http://127.0.0.1:8081"}},
		Scrub:    func(line string) string { return strings.ReplaceAll(line, "canary-4711", "•••") },
	}
}

func serve(t *testing.T, c *webchat.Chat, d *door) *site {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, d) }()
	for c.Ready(ctx) != nil {
		time.Sleep(time.Millisecond)
	}
	_, h := c.Handler()
	s := &site{Server: httptest.NewServer(h), chat: c, door: d}
	jar, _ := cookiejar.New(nil)
	s.client = &http.Client{Jar: jar}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.Close()
	})
	s.token = tokenIn.FindStringSubmatch(s.get(t, "/c/deploys?as=dev"))[1]
	return s
}

func newSite(t *testing.T) *site {
	t.Helper()
	return serve(t, webchat.New(options(webchattest.NewMemory())), &door{})
}

func (s *site) get(t *testing.T, path string) string {
	t.Helper()
	r, err := s.client.Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %s", path, r.Status, b)
	}
	return string(b)
}

// post posts v as the page does, but for what change does to the request.
func (s *site) post(t *testing.T, path string, v any, change ...func(*http.Request)) (int, string) {
	t.Helper()
	b, _ := json.Marshal(v)
	r, _ := http.NewRequest(http.MethodPost, s.URL+path, bytes.NewReader(b))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Maitred-Token", s.token)
	r.Header.Set("Origin", s.URL)
	for _, f := range change {
		f(r)
	}
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

type fields = map[string]any

func TestSay(t *testing.T) {
	s := newSite(t)
	for range 2 { // the second is the same request again, after a lost answer
		if code, text := s.post(t, "/c/deploys/say", fields{"as": "dev", "key": "k1", "text": "/deploy <b>ocpizza</b> @lead"}); code != 200 {
			t.Fatal(code, text)
		}
	}
	in := s.door.last(t)
	if len(s.door.heard) != 1 || in.Line != "/deploy <b>ocpizza</b> @lead" || in.Person.ID != "dev" || in.Place != top || in.Source != chat.Typed || in.At.IsZero() {
		t.Errorf("heard %d times: %+v", len(s.door.heard), in)
	}
	page := s.get(t, "/c/deploys?as=lead")
	if !strings.Contains(page, "/deploy &lt;b&gt;ocpizza") || strings.Contains(page, "<b>ocpizza</b> @lead") {
		t.Error("the line is not on the page as it was typed")
	}
	if !strings.Contains(page, "mentions-me") {
		t.Error("the lead's page does not mark the mention")
	}
}

func TestSecretsOfALineAreNotShown(t *testing.T) {
	s := newSite(t)
	s.post(t, "/c/deploys/say", fields{"as": "dev", "key": "k1", "text": "/config set TOKEN=canary-4711"})
	if in := s.door.last(t); !strings.Contains(in.Line, "canary-4711") {
		t.Error("the door must hear the line as typed, to say what is wrong with it")
	}
	if page := s.get(t, "/c/deploys?as=dev"); strings.Contains(page, "canary") || !strings.Contains(page, "TOKEN=•••") {
		t.Error("the page shows what must not be stored")
	}
}

func TestWhatTheDoorCannotStoreIsMarked(t *testing.T) {
	s := newSite(t)
	s.door.fail = &fault.Error{Kind: fault.Unreachable, Say: "It could not be stored: the disk is full.", Hint: "Make room, then say it again.", Err: errors.New("ENOSPC")}
	code, text := s.post(t, "/c/deploys/say", fields{"as": "dev", "key": "k1", "text": "/status"})
	if code != http.StatusServiceUnavailable || !strings.Contains(text, "the disk is full") || strings.Contains(text, "ENOSPC") {
		t.Error(code, text)
	}
	if !strings.Contains(s.get(t, "/c/deploys?as=dev"), "Not heard") {
		t.Error("the line looks as if it had been heard")
	}
}

func TestForeignRequestsAreRefused(t *testing.T) {
	s := newSite(t)
	set := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	tests := map[string]struct {
		change func(*http.Request)
		code   int
		say    string
	}{
		"from a page of another site": {set("Origin", "http://evil.example"), 403, "A page of another site may not talk to maitred."},
		"from another port":           {set("Origin", "http://127.0.0.1:1"), 403, "A page of another site"},
		"from a file":                 {set("Origin", "null"), 403, "A page of another site"},
		"a browser says cross-site":   {set("Sec-Fetch-Site", "cross-site"), 403, "A page of another site"},
		"by a name that points here":  {func(r *http.Request) { r.Host = "evil.example"; r.Header.Set("Origin", "http://evil.example") }, 403, "addresses of this machine only"},
		"without the token":           {set("X-Maitred-Token", ""), 403, "did not come from the chat page"},
		"with another token":          {set("X-Maitred-Token", strings.Repeat("0", 64)), 403, "did not come from the chat page"},
		"with another cookie": {func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: "maitred_page", Value: "made-up-by-somebody"})
		}, 403, "did not come from the chat page"},
		"as a form":       {set("Content-Type", "application/x-www-form-urlencoded"), 400, "takes JSON only"},
		"as plain text":   {set("Content-Type", "text/plain"), 400, "takes JSON only"},
		"the page itself": {func(*http.Request) {}, 200, "message"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			code, text := s.post(t, "/c/deploys/say", fields{"as": "dev", "key": name, "text": "hello"}, test.change)
			if code != test.code || !strings.Contains(text, test.say) {
				t.Errorf("%d %s", code, text)
			}
		})
	}
	if len(s.door.heard) != 1 {
		t.Errorf("the door heard %d lines, want the page's own", len(s.door.heard))
	}
}

func TestThePageAllowsNothingFromElsewhere(t *testing.T) {
	s := newSite(t)
	r, err := s.client.Get(s.URL + "/c/deploys")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	page, _ := io.ReadAll(r.Body)
	csp := r.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("policy %q", csp)
	}
	if inline := regexp.MustCompile(`<script>|\son\w+=|style="|javascript:`).Find(page); inline != nil {
		t.Errorf("the page has something inline: %s", inline)
	}
	fresh := &http.Client{}
	first, err := fresh.Get(s.URL + "/c/deploys")
	if err != nil {
		t.Fatal(err)
	}
	first.Body.Close()
	if c := first.Header.Get("Set-Cookie"); !strings.Contains(c, "SameSite=Strict") || !strings.Contains(c, "HttpOnly") {
		t.Errorf("cookie %q", c)
	}
}

func TestBadInput(t *testing.T) {
	s := newSite(t)
	tests := map[string]struct {
		path string
		body fields
		code int
		say  string
	}{
		"an unknown persona":   {"/c/deploys/say", fields{"as": "mallory", "text": "hi"}, 400, `no persona “mallory”`},
		"no persona":           {"/c/deploys/say", fields{"text": "hi"}, 400, "no persona"},
		"an unknown channel":   {"/c/nowhere/say", fields{"as": "dev", "text": "hi"}, 404, "no channel #nowhere"},
		"nothing":              {"/c/deploys/say", fields{"as": "dev", "text": " \n"}, 400, "nothing to say"},
		"an unknown thread":    {"/c/deploys/say", fields{"as": "dev", "text": "hi", "thread": 99}, 404, "no message 99"},
		"an unknown message":   {"/click", fields{"as": "dev", "message": 99, "line": "/x"}, 404, "no message 99"},
		"an unknown field":     {"/click", fields{"as": "dev", "admin": true}, 400, "cannot be read"},
		"40,000 characters":    {"/c/deploys/say", fields{"as": "dev", "key": "long", "text": "/" + strings.Repeat("a", 40_000)}, 200, "message"},
		"control characters":   {"/c/deploys/say", fields{"as": "dev", "key": "ctl", "text": "\x00\x01\x1b[31m"}, 200, "message"},
		"a place that is none": {"/nowhere", fields{"as": "dev"}, 404, "no page /nowhere"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if code, text := s.post(t, test.path, test.body); code != test.code || !strings.Contains(text, test.say) {
				t.Errorf("%d %s", code, text)
			}
		})
	}
	if in := s.door.heard; len(in) != 2 {
		t.Errorf("the door heard %d lines, want the long one and the one with control characters", len(in))
	}
}

func TestCardsAreShown(t *testing.T) {
	s := newSite(t)
	ref, err := s.chat.Post(t.Context(), top, chat.Card{
		Title: "Deploy ocpizza", State: chat.Working, Text: "Deploy #1 of ocpizza is running.",
		Fields:  []chat.Field{{Label: "Commit", Value: "`abc1234`"}},
		Steps:   []chat.StepLine{{Name: "build", State: chat.StepRunning, Say: "compiling"}, {Name: "switch", State: chat.StepPending}},
		Notes:   []string{"See http://127.0.0.1:8081/menu?a=1&b=2, <script>alert(1)</script> and #12."},
		Output:  "line one\n</pre><script>",
		Buttons: []chat.Button{{Label: "Cancel", Line: "/cancel 1", Confirm: "Cancel #1?", Danger: true}},
	}, "due-1")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.chat.Post(t.Context(), top, chat.Card{Text: "again"}, "due-1"); err != nil || again != ref {
		t.Errorf("the same key made %+v, %v", again, err)
	}
	page := s.get(t, "/c/deploys?as=dev")
	for _, want := range []string{
		`<code>abc1234</code>`, `<span class="step-word">running</span>`, `data-line="/cancel 1"`, `data-confirm="Cancel #1?"`,
		`href="http://127.0.0.1:8081/menu?a=1&amp;b=2"`, `&lt;script&gt;alert(1)`, `&lt;/pre&gt;`, `<b class="number">#12</b>`, "working",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if err := s.chat.Edit(t.Context(), ref, chat.Card{Title: "Deploy ocpizza", State: chat.Good, Text: "Done.", Fields: []chat.Field{{Label: "Release", Value: "r2"}}}); err != nil {
		t.Fatal(err)
	}
	if page = s.get(t, "/c/deploys?as=dev"); strings.Contains(page, "/cancel 1") || !strings.Contains(page, "r2") {
		t.Error("the edited card still looks as before")
	}
	if err := s.chat.Edit(t.Context(), chat.MessageRef{ID: "99"}, chat.Card{}); !fault.Is(err, fault.Missing) {
		t.Errorf("editing what is gone: %v", err)
	}
	if _, err := s.chat.Post(t.Context(), chat.Place{Chat: "webchat", Channel: "gone"}, chat.Card{Text: "x"}, "k"); !fault.Is(err, fault.Missing) {
		t.Errorf("posting to a channel that is gone: %v", err)
	}
}

func TestClickTypesTheLineOfTheButton(t *testing.T) {
	s := newSite(t)
	root, _ := s.chat.Post(t.Context(), top, chat.Card{Text: "root"}, "root")
	asked, _ := s.chat.Post(t.Context(), root.InThread(), chat.Card{Text: "approve?", Buttons: []chat.Button{{Label: "Approve", Line: "/approve 1"}}}, "ask")
	if code, text := s.post(t, "/click", fields{"as": "lead", "key": "c", "message": json.Number(asked.ID), "line": "/approve 1"}); code != 200 {
		t.Fatal(code, text)
	}
	if in := s.door.last(t); in.Line != "/approve 1" || in.Person.ID != "lead" || in.Place != root.InThread() || in.Source != chat.Clicked {
		t.Errorf("heard %+v", in)
	}
}

func TestFormKeepsItsSecretsApart(t *testing.T) {
	s := newSite(t)
	form := chat.Form{Title: "Set a variable", Line: "/config set TOKEN", Submit: "Set", Fields: []chat.FormField{
		{Name: "value", Label: "Value", Kind: chat.SecretField, Required: true}, {Name: "why", Label: "Why", Kind: chat.TextField},
	}}
	if err := s.chat.OpenForm(t.Context(), chat.Inbound{Key: "in-1", Person: dev, Place: top}, form); err != nil {
		t.Fatal(err)
	}
	page := s.get(t, "/c/deploys?as=dev")
	id := regexp.MustCompile(`data-form="(\d+)"`).FindStringSubmatch(page)
	if id == nil || !strings.Contains(page, `type="password"`) {
		t.Fatal("the form is not on the page")
	}
	if strings.Contains(s.get(t, "/c/deploys?as=lead"), "Set a variable") {
		t.Error("somebody else sees the form")
	}
	submit := func(as, value string) (int, string) {
		return s.post(t, "/submit", fields{"as": as, "key": "f" + as + value, "message": json.Number(id[1]), "fields": map[string]string{"value": value, "why": "rotated", "extra": "x"}})
	}
	if code, text := submit("dev", ""); code != 400 || !strings.Contains(text, "Value is missing.") {
		t.Error(code, text)
	}
	if code, _ := submit("lead", "v"); code != 404 {
		t.Errorf("somebody else answered the form: %d", code)
	}
	if code, text := submit("dev", "canary-4711"); code != 200 {
		t.Fatal(code, text)
	}
	in := s.door.last(t)
	if in.Secrets["value"] != "canary-4711" || in.Fields["why"] != "rotated" || len(in.Fields) != 1 || in.Line != form.Line || in.Source != chat.Submitted {
		t.Errorf("heard %+v", in)
	}
	if code, text := submit("dev", "again"); code != 409 || !strings.Contains(text, "answered before") {
		t.Error(code, text)
	}
	if page := s.get(t, "/c/deploys?as=dev"); strings.Contains(page, "canary") || !strings.Contains(page, "the form was sent") {
		t.Error("the answered form does not say so")
	}
}

func TestUploadAndImage(t *testing.T) {
	s := newSite(t)
	if err := s.chat.Upload(t.Context(), top, "../log.html", []byte("<script>"), "u"); err != nil {
		t.Fatal(err)
	}
	_, _ = s.chat.Post(t.Context(), top, chat.Card{Text: "chart", Image: &chat.Image{Name: "c.svg", Type: "image/svg+xml", Data: []byte("png"), Alt: "CPU"}}, "i")
	page := s.get(t, "/c/deploys?as=dev")
	file := regexp.MustCompile(`href="(/file/[^"]+)"`).FindStringSubmatch(page)
	image := regexp.MustCompile(`src="(/image/[^"]+)" alt="CPU"`).FindStringSubmatch(page)
	if file == nil || image == nil {
		t.Fatal("the file or the image is not on the page")
	}
	r, err := s.client.Get(s.URL + file[1])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if d := r.Header.Get("Content-Disposition"); d != "attachment; filename=log.html" || r.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%q as %q", d, r.Header.Get("Content-Type"))
	}
	if s.get(t, image[1]) != "png" {
		t.Error("the image is another one")
	}
}
