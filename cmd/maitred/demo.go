package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"go.uber.org/zap"

	"maitred/bot/webchat"
	"maitred/config"
	"maitred/fault"
	"maitred/store"
	"maitred/web"
)

// demo shows all of maitred on this machine: the same rooms as serve, with a
// chat page, three personas and a sample app. What it needs, it makes.
func demo(ctx context.Context, t terminal, args []string) error {
	var listen, appListen, dir string
	rest, err := flags(t, "demo", args, func(f *flag.FlagSet) {
		f.StringVar(&listen, "listen", "127.0.0.1:8080", "`address` of the chat page")
		f.StringVar(&appListen, "app-listen", "127.0.0.1:8081", "`address` of the sample app")
		f.StringVar(&dir, "dir", "", "`directory` to keep everything in, with the app running on after the end; a temporary one when left out")
	})
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return mistyped("demo", "demo takes no %q.", rest[0])
	}
	place, err := openDemo(dir, listen, appListen)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP) // the terminal was closed
	defer stop()
	err = place.run(ctx, t)
	if place.own {
		err = errors.Join(err, place.clear())
	}
	return err
}

// run furnishes the place and serves the demo until ctx ends.
func (p *demoPlace) run(ctx context.Context, t terminal) error {
	release, err := store.Lock(p.dir) // before anything is written that a running one reads
	if err != nil {
		return err
	}
	defer release()
	if err := p.furnish(ctx); err != nil {
		return endOf(ctx, err)
	}
	c, err := config.Load(p.config())
	if err != nil {
		return err
	}
	log, err := p.log()
	if err != nil {
		return err
	}
	defer log.Sync() // a line that cannot be written has nowhere else to go
	var opened atomic.Bool
	app, err := build(ctx, c, parts{
		log: log, executable: p.program(), page: p.page(),
		checks: []web.Check{{Name: "ocpizza", Check: func(context.Context) error {
			if !opened.Load() {
				return fault.New(fault.Busy, "demo.ready", "", "The first release of ocpizza is not live yet.")
			}
			return nil
		}}},
	})
	if err != nil {
		return endOf(ctx, err)
	}

	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- app.Run(running); stop() }()
	if err := openSample(running, app); err != nil {
		stop()
		if ran := <-ended; ran != nil {
			return ran
		}
		return endOf(ctx, err)
	}
	opened.Store(true)
	p.welcome(t, app)
	return <-ended
}

// endOf forgets the error of what was cut short because ctx has ended: that is
// what was asked for.
func endOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// clear stops what still runs in a temporary place and removes it.
func (p *demoPlace) clear() error {
	if err := stopLeftovers(context.Background(), p.dir); err != nil {
		return err
	}
	return os.RemoveAll(p.dir)
}

// log goes to a file, so that the terminal shows what a person needs.
func (p *demoPlace) log() (*zap.Logger, error) {
	c := zap.NewProductionConfig()
	c.OutputPaths, c.ErrorOutputPaths = []string{p.logFile()}, []string{p.logFile()}
	log, err := c.Build()
	if err != nil {
		return nil, cannotFurnish("write "+p.logFile(), err)
	}
	return log, nil
}

func (p *demoPlace) logFile() string { return filepath.Join(p.dir, "maitred.log") }

// page is who and what the chat page shows.
func (p *demoPlace) page() *webchat.Options {
	return &webchat.Options{
		Channels: []webchat.Channel{
			{ID: "deploys", Topic: "What goes live, and who let it", Try: []string{
				"/deploy ocpizza@v1.1.0", "/status", "/releases", "/maintenance on", "/backup capture", "/deploy ocpizza@v1.2.0",
			}},
			{ID: "general", Topic: "Everything else", Try: []string{"/help", "/whoami", "/apps"}},
			{ID: "oncall", Topic: "What must not wait", Try: []string{"/status ocpizza", "/restart ocpizza", "/rollback ocpizza"}},
		},
		Personas: []webchat.Persona{
			{ID: "dev", Name: "Dev", Role: "developer"},
			{ID: "lead", Name: "Lead", Role: "lead"},
			{ID: "oncall", Name: "On-call", Role: "on call"},
		},
		Links: []webchat.Link{{Label: "ocpizza", URL: "http://" + p.appListen}},
	}
}

// welcome says where everything is, and what to do first.
func (p *demoPlace) welcome(t terminal, app *App) {
	after := "kept, and the app runs on, after the end"
	if p.own {
		after = "removed at the end"
	}
	fmt.Fprintf(t.out, `maitred is ready.

  The chat page   http://%s
  The sample app  http://%s
  Everything      %s (%s)

Type /deploy ocpizza@v1.1.0 in #deploys, become Lead, and approve it.
Ctrl-C ends the demo.
`, app.Web.Addr(), p.appListen, p.dir, after)
}
