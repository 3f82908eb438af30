package webchat

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"strings"

	"go.uber.org/zap"

	"maitred/fault"
)

const (
	cookieName  = "maitred_page"
	tokenHeader = "X-Maitred-Token"
)

// policy lets the page load what it is made of from here, and nothing else from
// anywhere. There is no inline script or style to allow.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard lets through what this machine and the page itself ask for. The page has
// no password, so it is the browser that must not be tricked: the Host must be
// an address of this machine (a name of somebody else's that points here is
// not), and what another site's page sends is refused, read or write.
func (c *Chat) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !here(r.Host):
			c.refuse(w, fault.New(fault.Forbidden, "webchat.host", "Open it by its address, http://127.0.0.1 and the port.",
				"The chat page answers to addresses of this machine only, not to %s.", fault.Quote(r.Host)))
		case foreign(r):
			c.refuse(w, fault.New(fault.Forbidden, "webchat.origin", "Use the chat page itself.",
				"A page of another site may not talk to maitred."))
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// here reports whether the Host header names this machine by an address, or as
// localhost.
func here(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// foreign reports whether a page of another site sent r. Following a link to the
// chat page is no such thing.
func foreign(r *http.Request) bool {
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return true
	}
	site := r.Header.Get("Sec-Fetch-Site")
	followed := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate"
	return site != "" && site != "same-origin" && site != "none" && !followed
}

// token is what the page sends back with everything it posts. It belongs to the
// browser's cookie and to this start of maitred; a page that stayed open over a
// restart gets the new one from the stream.
func (c *Chat) token(w http.ResponseWriter, r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil || len(cookie.Value) < 16 {
		cookie = &http.Cookie{Name: cookieName, Value: rand.Text(), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
		http.SetCookie(w, cookie)
	}
	return c.sign(cookie.Value)
}

func (c *Chat) sign(session string) string {
	mac := hmac.New(sha256.New, c.key)
	mac.Write([]byte(session))
	return hex.EncodeToString(mac.Sum(nil))
}

// posted reads the JSON that the page posted into v, when it really was the page.
func (c *Chat) posted(r *http.Request, v any) error {
	cookie, err := r.Cookie(cookieName)
	if err != nil || !hmac.Equal([]byte(c.sign(cookie.Value)), []byte(r.Header.Get(tokenHeader))) {
		return fault.New(fault.Forbidden, "webchat.token", "Reload the page.", "This did not come from the chat page as it is now.")
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return fault.New(fault.Invalid, "webchat.body", "Reload the page.", "The chat page takes JSON only.")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err = d.Decode(v)
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return &fault.Error{Kind: fault.Invalid, Op: "webchat.body", Err: err, Say: "The message is longer than 1 MiB.", Hint: "Say it in fewer words."}
	}
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Op: "webchat.body", Err: err, Say: "What the page sent cannot be read.", Hint: "Reload the page."}
	}
	return nil
}

// refuse answers with the sentence of err.
func (c *Chat) refuse(w http.ResponseWriter, err error) {
	f := fault.Of(err)
	if f.Kind == fault.Internal {
		c.log.Error("page request failed", zap.Error(err))
	}
	c.answer(w, statuses[f.Kind], map[string]string{"error": f.Say, "hint": f.Hint})
}

func (c *Chat) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		c.log.Debug("answer not sent", zap.Error(err))
	}
}

var statuses = map[fault.Kind]int{
	fault.Internal:    http.StatusInternalServerError,
	fault.Invalid:     http.StatusBadRequest,
	fault.Forbidden:   http.StatusForbidden,
	fault.Missing:     http.StatusNotFound,
	fault.Refused:     http.StatusConflict,
	fault.Busy:        http.StatusConflict,
	fault.Unsupported: http.StatusNotImplemented,
	fault.Unreachable: http.StatusServiceUnavailable,
}

func notYet() error {
	return fault.New(fault.Unreachable, "webchat", "Try again in a moment.", "maitred does not hear the chat page right now: it is starting or stopping.")
}
