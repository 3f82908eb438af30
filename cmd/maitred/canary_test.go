package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"maitred/bot/webchat"
	"maitred/chat"
	"maitred/config"
	"maitred/platform"
	"maitred/store"
)

// inProcess is the demo in this process, for tests that look inside.
type inProcess struct {
	*App
	place *demoPlace
	stop  func()
}

func openInProcess(t *testing.T) *inProcess {
	t.Helper()
	dir, err := os.MkdirTemp("", "maitred-")
	if err != nil {
		t.Fatal(err)
	}
	place, err := openDemo(dir, "127.0.0.1:0", freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := place.clear(); err != nil {
			t.Error(err)
		}
	})
	if err := place.furnish(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(place.config())
	if err != nil {
		t.Fatal(err)
	}
	log, err := place.log()
	if err != nil {
		t.Fatal(err)
	}
	app, err := build(t.Context(), c, parts{log: log, executable: place.program(), page: place.page()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	stop := func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	if err := openSample(t.Context(), app); err != nil {
		t.Fatal(err)
	}
	return &inProcess{App: app, place: place, stop: stop}
}

// say hands a line to the door and returns what was said to it.
func (p *inProcess) say(t *testing.T, in chat.Inbound) (operation int64) {
	t.Helper()
	in.Key = fmt.Sprintf("test/%s/%d", t.Name(), time.Now().UnixNano())
	in.Person = chat.Person{Chat: webchat.Name, ID: "lead"}
	in.Place = chat.Place{Chat: webchat.Name, Channel: "deploys"}
	if _, err := p.Bot.Receive(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	heard, err := p.Bot.Wait(t.Context(), in.Key)
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range heard.Said {
		if said.Refused {
			t.Fatalf("%s: %s", in.Line, said.Card.Text)
		}
	}
	return heard.Operation
}

// sweep reads every file of maitred, and a backup of its store, for the canary
// in each form that a program could have written it in. The app's own directory
// is where the value belongs.
func (p *inProcess) sweep(t *testing.T, canary, when string) {
	t.Helper()
	forms := []string{canary, url.QueryEscape(canary), base64.StdEncoding.EncodeToString([]byte(canary)), base64.RawURLEncoding.EncodeToString([]byte(canary))}
	swept := 0
	err := filepath.WalkDir(p.place.dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || path == p.place.app() {
			return fs.SkipDir
		}
		if err != nil || !d.Type().IsRegular() || path == p.place.program() {
			return err
		}
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // it was there a moment ago
		}
		swept++
		for _, form := range forms {
			if bytes.Contains(text, []byte(form)) {
				t.Errorf("%s the value is in %s", when, strings.TrimPrefix(path, p.place.dir+"/"))
			}
		}
		return err
	})
	if err != nil || swept < 5 {
		t.Fatalf("%s: swept %d files, %v", when, swept, err)
	}
}

// TestASecretIsNowhere types a secret into the form of /config set, and looks
// for it in everything that maitred keeps: while the operation runs, after it,
// in a backup of the store, and after the end. The app must have it.
func TestASecretIsNowhere(t *testing.T) {
	p := openInProcess(t)
	const canary = "c4nary&sings/in=the+mine"
	id := p.say(t, chat.Inbound{
		Line: "/config set ocpizza PAYMENT_KEY --to=production", Source: chat.Submitted, Secrets: map[string]string{"value": canary},
	})
	sweeps := 0
	for deadline := time.Now().Add(time.Minute); ; sweeps++ {
		op, err := p.Engine.Operation(t.Context(), id)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("operation %d is %s, %v", id, op.State, err)
		}
		p.sweep(t, canary, "during #"+fmt.Sprint(id))
		if op.State.Ended() {
			if op.State != platform.Succeeded {
				t.Fatalf("operation %d: %s", id, op.Message)
			}
			break
		}
	}
	p.say(t, chat.Inbound{Line: fmt.Sprintf("/operation %d", id), Source: chat.Typed})
	p.say(t, chat.Inbound{Line: "/config list ocpizza", Source: chat.Typed})
	p.say(t, chat.Inbound{Line: "/audit", Source: chat.Typed})
	if err := store.Backup(t.Context(), store.Options{Dir: p.Config.DataDir}, filepath.Join(p.place.dir, "copy.db")); err != nil {
		t.Fatal(err)
	}
	p.sweep(t, canary, "afterwards")
	p.stop()
	p.sweep(t, canary, "after the end")
	t.Logf("%d sweeps while the operation ran", sweeps)
	found := false
	err := filepath.WalkDir(p.place.app(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(canary)) {
			found = true
			if d.Name() != "env" {
				t.Errorf("the value is in %s; it belongs in the app's env file alone", path)
			}
		}
		return err
	})
	if err != nil || !found {
		t.Errorf("the app does not have the value: %v", err)
	}
}
