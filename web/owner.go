package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"strings"

	"maitred/chat"
	"maitred/fault"
)

type ownerKey struct{}

// owner is whose token the request carries; ok is false for the demo's callers,
// who say with each line as whom they speak.
func owner(ctx context.Context) (p chat.Person, ok bool) {
	p, ok = ctx.Value(ownerKey{}).(chat.Person)
	return p, ok
}

// owned lets only requests through that carry a token which somebody owns. In
// the demo a request without one is let through as well, for it cannot come
// from anywhere but this machine.
func (s *Server) owned(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !given && s.options.Personas != nil {
			next(w, r)
			return
		}
		person, known := s.ownerOf(token)
		if !known {
			w.Header().Set("WWW-Authenticate", `Bearer realm="maitred"`)
			s.answer(w, http.StatusUnauthorized, problem{
				Error: "This needs a token that belongs to a configured person or service.",
				Hint:  "Send the header Authorization: Bearer TOKEN; maitred token makes one.",
				Kind:  fault.Forbidden.String(),
			})
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), ownerKey{}, person)))
	})
}

func (s *Server) ownerOf(token string) (chat.Person, bool) {
	if token == "" || s.options.Owners == nil {
		return chat.Person{}, false
	}
	sum := sha256.Sum256([]byte(token))
	return s.options.Owners.Owner(hex.EncodeToString(sum[:]))
}

// local guards the demo, where being on this machine is all it takes: a name
// that merely points here (DNS rebinding) and a page of another site are both
// turned away.
func (s *Server) local(next http.Handler) http.Handler {
	if s.options.Personas == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		origin := r.Header.Get("Origin")
		switch {
		case !loopback(strings.Trim(host, "[]")):
			s.refuse(w, fault.New(fault.Forbidden, "web.host", "Open http://"+s.Addr().String()+" instead.",
				"The demo answers to addresses of this machine only, not to %q.", r.Host))
		case origin != "" && origin != "http://"+r.Host:
			s.refuse(w, fault.New(fault.Forbidden, "web.origin", "Use the page itself at http://"+s.Addr().String()+".",
				"A page of another site may not talk to maitred."))
		default:
			next.ServeHTTP(w, r)
		}
	})
}
