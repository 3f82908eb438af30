package slacktest

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Call is one call of the Web API, or one use of a response URL or upload URL.
type Call struct {
	Method string // "chat.postMessage", "response_url", "upload"
	Args   map[string]string
	At     time.Time     // when it arrived, by Slack's clock
	Took   time.Duration // until it was answered
	Status int
	Error  string // empty when it worked
	Answer json.RawMessage
}

// Calls are the calls of these methods in the order in which they were
// answered; all when none is named.
func (s *Slack) Calls(methods ...string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Call
	for _, c := range s.calls {
		if len(methods) == 0 {
			out = append(out, c)
		}
		for _, m := range methods {
			if c.Method == m {
				out = append(out, c)
			}
		}
	}
	return out
}

// failure is ok:false.
type failure struct {
	code     string
	messages []string
	more     map[string]any
}

func fail(code string, messages ...string) *failure { return &failure{code: code, messages: messages} }

type args map[string]string

// object decodes an argument that is JSON inside a form.
func (a args) object(name string, into any) bool {
	return a[name] == "" || json.Unmarshal([]byte(a[name]), into) == nil
}

func (a args) yes(name string) bool { return a[name] == "true" || a[name] == "1" }

// method is one method of the Web API. It runs with the lock held.
type method struct {
	scope string
	run   func(*Slack, args) (map[string]any, *failure)
}

var methods = map[string]method{
	"api.test":                     {"", func(*Slack, args) (map[string]any, *failure) { return map[string]any{}, nil }},
	"auth.test":                    {"", (*Slack).authTest},
	"apps.connections.open":        {"", (*Slack).connectionsOpen},
	"chat.postMessage":             {"chat:write", (*Slack).postMessage},
	"chat.postEphemeral":           {"chat:write", (*Slack).postEphemeral},
	"chat.update":                  {"chat:write", (*Slack).update},
	"chat.delete":                  {"chat:write", (*Slack).delete},
	"chat.getPermalink":            {"", (*Slack).permalink},
	"conversations.info":           {"channels:read", (*Slack).conversationInfo},
	"conversations.open":           {"im:write", (*Slack).conversationOpen},
	"conversations.replies":        {"channels:history", (*Slack).conversationReplies},
	"conversations.history":        {"channels:history", (*Slack).conversationHistory},
	"conversations.members":        {"channels:read", (*Slack).conversationMembers},
	"users.info":                   {"users:read", (*Slack).userInfo},
	"users.list":                   {"users:read", (*Slack).userList},
	"users.lookupByEmail":          {"users:read.email", (*Slack).userByEmail},
	"usergroups.list":              {"usergroups:read", (*Slack).groupList},
	"usergroups.users.list":        {"usergroups:read", (*Slack).groupUsers},
	"views.open":                   {"", (*Slack).viewOpen},
	"views.update":                 {"", (*Slack).viewUpdate},
	"views.publish":                {"", (*Slack).viewPublish},
	"files.getUploadURLExternal":   {"files:write", (*Slack).uploadURL},
	"files.completeUploadExternal": {"files:write", (*Slack).completeUpload},
}

func (s *Slack) api(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	name := strings.TrimPrefix(r.URL.Path, "/api/")
	in, token, inHeader, err := arguments(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	call := Call{Method: name, Args: in, At: s.Now(), Status: http.StatusOK}
	if !s.pause(r, name) {
		return // whoever called has gone; Slack may or may not have done it
	}
	s.mu.Lock()
	answer, wait := s.answer(name, in, token, inHeader)
	call.Took, call.Answer = time.Since(begin), raw(answer)
	if e, ok := answer["error"].(string); ok {
		call.Error = e
	}
	lose := s.controls.loseAnswer(name)
	if wait > 0 {
		call.Status = http.StatusTooManyRequests
	}
	s.calls = append(s.calls, call)
	s.bump()
	s.mu.Unlock()
	if lose {
		panic(http.ErrAbortHandler) // it was done, and nobody is told
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if wait > 0 && !s.wrong[NoRetryAfter] {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	w.WriteHeader(call.Status)
	w.Write(call.Answer) //nolint:errcheck // the caller may be gone
}

// answer decides and does. A wait above zero is a 429.
func (s *Slack) answer(name string, in args, token string, inHeader bool) (map[string]any, time.Duration) {
	m, known := methods[name]
	if !known {
		return s.refuse(name, fail("unknown_method")), 0
	}
	if f := s.authorise(name, m.scope, in, token, inHeader); f != nil {
		return s.refuse(name, f), 0
	}
	if wait := s.controls.limited(name, in["channel"], s.now()); wait > 0 {
		return s.refuse(name, fail("ratelimited")), wait
	}
	if code := s.controls.failing(name); code != "" {
		return s.refuse(name, fail(code)), 0
	}
	out, f := m.run(s, in)
	if f != nil {
		return s.refuse(name, f), 0
	}
	out["ok"] = true
	return s.spoil(name, out), 0
}

func (s *Slack) refuse(name string, f *failure) map[string]any {
	out := map[string]any{"ok": false, "error": f.code}
	for k, v := range f.more {
		out[k] = v
	}
	if len(f.messages) > 0 {
		out["response_metadata"] = map[string]any{"messages": f.messages}
	}
	s.refusals = append(s.refusals, name+": "+f.code+" "+strings.Join(f.messages, "; "))
	return out
}

// Refusals are what the API refused, in words, for a test's failure message.
func (s *Slack) Refusals() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.refusals...)
}

func (s *Slack) authorise(name, scope string, in args, token string, inHeader bool) *failure {
	c := &s.controls
	switch {
	case name == "api.test", s.wrong[AnyToken]:
		return nil
	case token == "":
		return fail("not_authed")
	case name == "apps.connections.open":
		switch {
		case !inHeader && !s.wrong[NoQueryTokenCheck]:
			return fail("not_authed") // as an argument it does not count
		case token == s.BotToken:
			return fail("not_allowed_token_type")
		case token != s.AppToken:
			return fail("invalid_auth")
		case c.appRevoked:
			return fail("token_revoked")
		}
		return nil
	case token == s.AppToken:
		return fail("not_allowed_token_type")
	case token != s.BotToken:
		return fail("invalid_auth")
	case c.revoked:
		return fail("token_revoked")
	}
	if need := s.scopeFor(name, scope, in); need != "" && !c.scopes[need] {
		return &failure{code: "missing_scope", more: map[string]any{"needed": need, "provided": strings.Join(c.provided(), ",")}}
	}
	return nil
}

// scopeFor is the scope that a method needs in this channel.
func (s *Slack) scopeFor(name, scope string, in args) string {
	c := s.channels[in["channel"]]
	if c == nil || !strings.HasPrefix(scope, "channels:") {
		return scope
	}
	switch {
	case c.With != "":
		return strings.Replace(scope, "channels:", "im:", 1)
	case c.Private:
		return strings.Replace(scope, "channels:", "groups:", 1)
	}
	return scope
}

// arguments reads a call however it is written: query, form, multipart or JSON.
func arguments(r *http.Request) (a args, token string, inHeader bool, err error) {
	a = args{}
	take := func(v url.Values) {
		for k := range v {
			a[k] = v.Get(k)
		}
	}
	take(r.URL.Query())
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		err = jsonArguments(r.Body, a)
	case "multipart/form-data":
		if err = r.ParseMultipartForm(32 << 20); err == nil {
			take(r.MultipartForm.Value)
		}
	default:
		r.Body = http.MaxBytesReader(nil, r.Body, 8<<20)
		if err = r.ParseForm(); err == nil {
			take(r.PostForm)
		}
	}
	token = a["token"]
	delete(a, "token")
	if h, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token, inHeader = h, true
	}
	return a, token, inHeader, err
}

func jsonArguments(body io.Reader, a args) error {
	b, err := io.ReadAll(io.LimitReader(body, 8<<20))
	if err != nil || len(b) == 0 {
		return err
	}
	var in map[string]any
	if err := json.Unmarshal(b, &in); err != nil {
		return fmt.Errorf("invalid_json: %w", err)
	}
	for k, v := range in {
		switch v := v.(type) {
		case nil:
		case string:
			a[k] = v
		default:
			a[k] = string(raw(v))
		}
	}
	return nil
}

func (s *Slack) authTest(args) (map[string]any, *failure) {
	return map[string]any{
		"url": "https://example.slack.com/", "team": "Example", "user": "maitred", "team_id": s.TeamID,
		"user_id": s.BotUserID, "bot_id": s.BotID, "is_enterprise_install": false,
	}, nil
}
