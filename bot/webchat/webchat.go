// Package webchat is the chat page of the demo: channels, threads, cards that
// change in place, forms and private answers, in a browser on this machine and
// without an account anywhere. Whoever opens the page chooses which persona to
// be, so the page answers on loopback only; see guard.go for what keeps other
// sites out.
package webchat

import (
	"context"
	"crypto/rand"
	"html/template"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"maitred/chat"
)

// Name is the chat's name in places, people and configuration.
const Name = "webchat"

// Options are what the page shows and where its messages live.
type Options struct {
	Store    Store
	Channels []Channel // in the order of the list; the first is where a visitor lands
	Personas []Persona // who a visitor can be; the first is who a visitor is at first
	Links    []Link    // shown beside the channels: where the sample app is
	// Scrub takes out of a typed line what must not be stored. Nil keeps lines
	// as they are.
	Scrub func(line string) string
	Log   *zap.Logger
}

// Channel is one room of the chat.
type Channel struct {
	ID    string   // "deploys": Place.Channel, and what follows the "#"
	Topic string   // one line about it
	Try   []string // lines to offer to somebody who does not know what to type
}

// Persona is somebody a visitor can be. ID is the chat.Person.ID.
type Persona struct {
	ID   string
	Name string
	Role string // shown under the name: "developer"
}

// Link leads out of the page.
type Link struct {
	Label string
	URL   string
}

// Chat is the page. It is a chat.Hearer, Sender, FormOpener, Uploader and
// HTTPHearer.
type Chat struct {
	options Options
	log     *zap.Logger
	page    *template.Template
	key     []byte // of the page tokens; a new one with every start
	door    atomic.Pointer[chat.Door]

	stopped chan struct{} // closed when Run ends, so that open streams end as well

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a message was stored
}

// New makes the page. It hears nothing before Run and shows what is stored at
// once.
func New(o Options) *Chat {
	if o.Scrub == nil {
		o.Scrub = func(line string) string { return line }
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	key := make([]byte, 32)
	rand.Read(key) //nolint:errcheck // crypto/rand.Read never fails
	return &Chat{options: o, log: o.Log, page: templates(), key: key, stopped: make(chan struct{}), changed: make(chan struct{})}
}

// Name is "webchat".
func (c *Chat) Name() string { return Name }

// Run hears the page until ctx ends. It is called once.
func (c *Chat) Run(ctx context.Context, door chat.Door) error {
	c.door.Store(&door)
	<-ctx.Done()
	c.door.Store(nil)
	close(c.stopped)
	return nil
}

// Ready says what is wrong while nobody hears the page.
func (c *Chat) Ready(context.Context) error {
	if c.door.Load() == nil {
		return notYet()
	}
	return nil
}

// Handler serves the page and all that belongs to it.
func (c *Chat) Handler() (prefix string, h http.Handler) { return "/", c.guard(c.routes()) }

// Person is who the persona is to the door, and whether there is such a
// persona. An empty id is the first one.
func (c *Chat) Person(id string) (chat.Person, bool) {
	p, ok := c.persona(id)
	return chat.Person{Chat: Name, ID: p.ID, Name: p.Name}, ok
}

func (c *Chat) persona(id string) (Persona, bool) {
	i := slices.IndexFunc(c.options.Personas, func(p Persona) bool { return p.ID == id || id == "" })
	if i < 0 {
		return Persona{}, false
	}
	return c.options.Personas[i], true
}

func (c *Chat) channel(id string) (Channel, bool) {
	i := slices.IndexFunc(c.options.Channels, func(ch Channel) bool { return ch.ID == id || id == "" })
	if i < 0 {
		return Channel{}, false
	}
	return c.options.Channels[i], true
}

// wake tells every open page that something was stored.
func (c *Chat) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// next is closed at the next change. Take it before reading, so that nothing
// falls between.
func (c *Chat) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed
}
