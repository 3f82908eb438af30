package web

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"maitred/fault"
)

// maxBody is the most that a request may carry: a line of 40,000 characters
// reaches the door, which says what is wrong with it.
const maxBody = 1 << 20

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.ready)
	if s.options.Metrics != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(s.options.Metrics, promhttp.HandlerOpts{}))
	}
	mux.Handle("POST /v1/say", s.owned(s.say))
	mux.Handle("GET /v1/operations/{id}", s.owned(s.operation))
	mux.HandleFunc("/v1/", s.unknown)
	for _, page := range s.options.Pages {
		prefix, h := page.Handler()
		mux.Handle(prefix, h)
	}
	return s.local(http.MaxBytesHandler(mux, maxBody))
}

// health says that the process answers, and nothing else.
func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	s.answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

// ready asks every check at once and names what is wrong.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	type verdict struct {
		name string
		err  error
	}
	verdicts := make(chan verdict, len(s.options.Checks))
	for _, c := range s.options.Checks {
		go func() { verdicts <- verdict{c.Name, c.Check(ctx)} }()
	}
	checks, status, word := map[string]string{}, http.StatusOK, "ready"
	for _, c := range s.options.Checks {
		checks[c.Name] = "did not answer in 3 seconds"
	}
	for range s.options.Checks {
		select {
		case v := <-verdicts:
			checks[v.name] = "ok"
			if v.err != nil {
				checks[v.name] = fault.Of(v.err).Say
				status, word = http.StatusServiceUnavailable, "not ready"
			}
		case <-ctx.Done():
			status, word = http.StatusServiceUnavailable, "not ready"
		}
	}
	s.answer(w, status, map[string]any{"status": word, "checks": checks})
}

func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, fault.New(fault.Missing, "web", "POST /v1/say and GET /v1/operations/ID are there.",
		"There is no %s %s.", r.Method, r.URL.Path))
}

// answer writes v as JSON.
func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.log.Debug("answer not sent", zap.Error(err))
	}
}

// problem is how every failure looks to a caller of /v1.
type problem struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
	Kind  string `json:"kind"`
}

// refuse answers with the sentence of err and the status that fits its kind.
func (s *Server) refuse(w http.ResponseWriter, err error) {
	f := fault.Of(err)
	status := statuses[f.Kind]
	if f.Kind == fault.Internal {
		s.log.Error("request failed", zap.Error(err))
	}
	s.answer(w, status, problem{Error: f.Say, Hint: f.Hint, Kind: f.Kind.String()})
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
