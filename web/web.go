// Package web is the one HTTP listener of maitred: the pages of chats, the API
// under /v1, health, readiness and metrics. It knows the rooms behind it only by
// the small interfaces below, which cmd/maitred/build.go joins.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"maitred/bot"
	"maitred/chat"
	"maitred/fault"
	"maitred/notifications"
	"maitred/platform"
)

// Options are what the listener serves. Door, Waiter, Operations and Renderer
// are what /v1 needs.
type Options struct {
	Listen     string
	Door       chat.Door
	Waiter     Waiter
	Operations Operations
	Renderer   notifications.Renderer // of operations
	// Owners knows whose a token is. Without Owners no token is valid.
	Owners Owners
	// Personas is set in the demo alone: whoever is on this machine may say "as"
	// whom they speak. The listener then refuses every address but loopback.
	Personas func(as string) (chat.Person, bool)
	// Place is where a line was said when the caller names a channel ("" when
	// none was named) and a thread. Nil is a place in the chat "api".
	Place func(channel, thread string) (chat.Place, error)
	// Kept is a line as the door stores it. Nil leaves lines as they are.
	Kept func(line string) string
	// Pages are the chats that hear by HTTP.
	Pages    []chat.HTTPHearer
	Checks   []Check
	Metrics  prometheus.Gatherer
	Patience time.Duration // how long /v1/say waits for an answer; a minute when zero
	Log      *zap.Logger
}

// Waiter waits for what is said to a line.
type Waiter interface {
	// Wait returns when the inbound row of the key is done or ctx ends.
	Wait(ctx context.Context, key string) (bot.Heard, error)
}

// Operations is what /v1/operations reads.
type Operations interface {
	Operation(ctx context.Context, id int64) (platform.Operation, error)
	Steps(ctx context.Context, id int64) ([]platform.StepRecord, error)
	Decisions(ctx context.Context, id int64) ([]platform.Decision, error)
}

// Owners knows the configured people and services by their tokens.
type Owners interface {
	// Owner is whose token has this SHA-256 in hex, compared in constant time.
	Owner(tokenHash string) (chat.Person, bool)
}

// Check is one thing that must be true before maitred is ready. Check says what
// is wrong in a sentence, or nil.
type Check struct {
	Name  string // "store", "engine", "webchat"
	Check func(ctx context.Context) error
}

// Server is the listener.
type Server struct {
	options  Options
	log      *zap.Logger
	listener net.Listener
	http     *http.Server
}

// New takes the address, so that a port in use is known before anything else
// starts; nothing is answered before Run. Faults: Busy when the port is taken,
// Refused when the demo is asked to listen off loopback.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	if o.Place == nil {
		o.Place = anywhere
	}
	if err := mayListen(o); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.Listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &fault.Error{Kind: fault.Busy, Op: "web.listen", Err: err,
			Say:  fmt.Sprintf("Another program already listens on %s.", o.Listen),
			Hint: "Choose another address with --listen, for example --listen 127.0.0.1:8090."}
	}
	if err != nil {
		return nil, &fault.Error{Kind: fault.Invalid, Op: "web.listen", Err: err,
			Say:  fmt.Sprintf("maitred cannot listen on %q.", o.Listen),
			Hint: "Choose an address of this machine, for example 127.0.0.1:8080."}
	}
	s := &Server{options: o, log: o.Log, listener: listener}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          zap.NewStdLog(o.Log.Named("http")),
	}
	return s, nil
}

// Addr is where the listener is, also when Listen left the port open.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends, then lets requests in hand finish for a few
// seconds. Streams end by themselves when their chat stops hearing.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve http: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.http.Shutdown(stop); err != nil {
		s.log.Warn("requests cut off", zap.Error(err))
		return s.http.Close()
	}
	return nil
}

// Close gives the address back when Run is never called.
func (s *Server) Close() error { return s.listener.Close() }

func mayListen(o Options) error {
	if o.Personas == nil {
		return nil
	}
	host, _, err := net.SplitHostPort(o.Listen)
	if err == nil && loopback(host) {
		return nil
	}
	return fault.New(fault.Refused, "web.listen", "Use --listen 127.0.0.1:8080, or maitred serve for a team.",
		"The demo listens on this machine only, and %q is not a loopback address.", o.Listen)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func anywhere(channel, thread string) (chat.Place, error) {
	return chat.Place{Chat: "api", Channel: channel, Thread: thread}, nil
}
