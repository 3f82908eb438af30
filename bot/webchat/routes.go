package webchat

import (
	"cmp"
	"embed"
	"fmt"
	"hash/fnv"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"maitred/chat"
	"maitred/fault"
)

//go:embed assets
var assets embed.FS

// version is part of every asset's address, so that browsers may keep them.
var version = func() string {
	h := fnv.New64a()
	_ = fs.WalkDir(assets, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := assets.ReadFile(name)
			h.Write(b)
		}
		return err
	})
	return fmt.Sprintf("%x", h.Sum64())
}()

func (c *Chat) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.home)
	mux.HandleFunc("GET /c/{channel}", c.showPage)
	mux.HandleFunc("GET /c/{channel}/older", c.showOlder)
	mux.HandleFunc("GET /c/{channel}/thread/{thread}", c.showThread)
	mux.HandleFunc("GET /c/{channel}/complete", c.complete)
	mux.HandleFunc("GET /stream", c.stream)
	mux.HandleFunc("GET /image/{message}", c.image)
	mux.HandleFunc("GET /file/{message}", c.file)
	mux.HandleFunc("GET /assets/{version}/{name}", c.asset)
	mux.HandleFunc("POST /c/{channel}/say", c.say)
	mux.HandleFunc("POST /c/{channel}/seen", c.seen)
	mux.HandleFunc("POST /seen", c.seenAll)
	mux.HandleFunc("POST /click", c.click)
	mux.HandleFunc("POST /submit", c.submit)
	mux.HandleFunc("/", c.nothing)
	return mux
}

// line is what the page posts: something typed, clicked or filled in.
type line struct {
	As      string            `json:"as"`
	Key     string            `json:"key"` // of this one action; a repeated request carries it again
	Text    string            `json:"text"`
	Thread  int64             `json:"thread"`
	Message int64             `json:"message"` // that was clicked, or whose form was filled in
	Line    string            `json:"line"`    // of the button
	Fields  map[string]string `json:"fields"`
}

// say stores what was typed and hands it to the door.
func (c *Chat) say(w http.ResponseWriter, r *http.Request) {
	l, who, err := c.read(r)
	if err != nil {
		c.refuse(w, err)
		return
	}
	channel, ok := c.channel(r.PathValue("channel"))
	switch {
	case !ok:
		c.refuse(w, noChannel(r.PathValue("channel")))
		return
	case strings.TrimSpace(l.Text) == "":
		c.refuse(w, fault.New(fault.Invalid, "webchat.say", "Type /help to see what you can do.", "There is nothing to say."))
		return
	}
	to := chat.Place{Chat: Name, Channel: channel.ID}
	if l.Thread != 0 {
		to.Thread = strconv.FormatInt(l.Thread, 10)
	}
	door := c.door.Load()
	if door == nil {
		c.refuse(w, notYet())
		return
	}
	m, _, err := c.hear(r.Context(), *door, chat.Inbound{
		Key: inboundKey(who, l.Key), Person: who, Place: to, Line: l.Text, Source: chat.Typed, At: time.Now(),
	})
	if err != nil {
		c.refuse(w, err)
		return
	}
	c.answer(w, http.StatusOK, map[string]int64{"message": m.ID})
}

// click types a button's line where its message is.
func (c *Chat) click(w http.ResponseWriter, r *http.Request) {
	l, who, err := c.read(r)
	if err != nil {
		c.refuse(w, err)
		return
	}
	m, err := c.visible(r, l.Message, who)
	if err == nil {
		err = c.receive(r, chat.Inbound{Key: inboundKey(who, l.Key), Person: who, Place: m.Place(), Line: l.Line, Source: chat.Clicked})
	}
	c.done(w, err)
}

// submit answers a form; its secret fields travel apart from the others.
func (c *Chat) submit(w http.ResponseWriter, r *http.Request) {
	l, who, err := c.read(r)
	if err != nil {
		c.refuse(w, err)
		return
	}
	m, err := c.visible(r, l.Message, who)
	if err != nil || m.Form == nil {
		c.refuse(w, cmp.Or[error](err, fault.New(fault.Refused, "webchat.submit", "Type the command again.", "This form was answered before.")))
		return
	}
	in := chat.Inbound{ // a form is answered once, from however many windows
		Key: inboundKey(who, "form-"+strconv.FormatInt(m.ID, 10)), Person: who, Place: m.Place(), Line: m.Form.Line, Source: chat.Submitted,
		Fields: map[string]string{}, Secrets: map[string]string{},
	}
	for _, f := range m.Form.Fields {
		value := l.Fields[f.Name]
		switch {
		case f.Required && value == "":
			c.refuse(w, fault.New(fault.Invalid, "webchat.submit", "Fill it in and send the form again.", "%s is missing.", f.Label))
			return
		case f.Kind == chat.SecretField:
			in.Secrets[f.Name] = value
		default:
			in.Fields[f.Name] = value
		}
	}
	if err := c.receive(r, in); err != nil {
		c.refuse(w, err)
		return
	}
	m.Card, m.Form, m.Edited = &chat.Card{Text: m.Form.Title + ": the form was sent."}, nil, time.Now()
	c.done(w, c.change(r.Context(), m))
}

// seen notes how far a persona has read.
func (c *Chat) seen(w http.ResponseWriter, r *http.Request) {
	l, who, err := c.read(r)
	if err == nil {
		err = c.options.Store.MarkSeen(r.Context(), who.ID, r.PathValue("channel"), l.Thread, l.Message)
	}
	if err == nil {
		c.wake()
	}
	c.done(w, err)
}

// seenAll notes that a persona has read everything.
func (c *Chat) seenAll(w http.ResponseWriter, r *http.Request) {
	_, who, err := c.read(r)
	if err == nil {
		err = c.options.Store.MarkAllSeen(r.Context(), who.ID)
	}
	if err == nil {
		c.wake()
	}
	c.done(w, err)
}

// complete suggests how to finish a line.
func (c *Chat) complete(w http.ResponseWriter, r *http.Request) {
	found := []chat.Completion{}
	who, known := c.Person(r.FormValue("as"))
	if door := c.door.Load(); door != nil && known {
		at := chat.Place{Chat: Name, Channel: r.PathValue("channel"), Thread: r.FormValue("thread")}
		found = append(found, (*door).Complete(r.Context(), who, at, r.FormValue("line"))...)
	}
	c.answer(w, http.StatusOK, found[:min(len(found), 20)])
}

// read takes a posted line and who it is from.
func (c *Chat) read(r *http.Request) (line, chat.Person, error) {
	var l line
	if err := c.posted(r, &l); err != nil {
		return l, chat.Person{}, err
	}
	who, ok := c.Person(l.As)
	if !ok || l.As == "" {
		return l, who, noPersona(l.As)
	}
	return l, who, nil
}

// receive hands in to the door.
func (c *Chat) receive(r *http.Request, in chat.Inbound) error {
	door := c.door.Load()
	if door == nil {
		return notYet()
	}
	in.At = time.Now()
	_, err := (*door).Receive(r.Context(), in)
	return err
}

// visible reads a message that who may see.
func (c *Chat) visible(r *http.Request, id int64, who chat.Person) (Message, error) {
	m, err := c.options.Store.Message(r.Context(), id)
	if err == nil && m.Viewer != "" && m.Viewer != who.ID {
		return m, gone(strconv.FormatInt(id, 10))
	}
	return m, err
}

func (c *Chat) done(w http.ResponseWriter, err error) {
	if err != nil {
		c.refuse(w, err)
		return
	}
	c.answer(w, http.StatusOK, map[string]bool{"heard": true})
}

// shownText is what others see of a typed line: without what must not be stored,
// and not endless.
func (c *Chat) shownText(text string) string {
	const most = 4000
	text = c.options.Scrub(text)
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + fmt.Sprintf("… (%d characters in all)", len(runes))
	}
	return text
}

// named are the personas that a text mentions as "@lead".
func (c *Chat) named(text string) []string {
	var ids []string
	for _, word := range strings.Fields(text) {
		name := strings.Trim(word, ".,:;!?()")
		if p, ok := c.persona(strings.TrimPrefix(name, "@")); ok && strings.HasPrefix(name, "@") && name != "@" && !slices.Contains(ids, p.ID) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func (c *Chat) image(w http.ResponseWriter, r *http.Request) {
	m, err := c.fromPath(r)
	if err != nil || m.Card == nil || m.Card.Image == nil {
		c.refuse(w, cmp.Or[error](err, gone(r.PathValue("message"))))
		return
	}
	w.Header().Set("Content-Type", "image/png")
	if kind := m.Card.Image.Type; slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, kind) {
		w.Header().Set("Content-Type", kind)
	}
	_, _ = w.Write(m.Card.Image.Data)
}

func (c *Chat) file(w http.ResponseWriter, r *http.Request) {
	m, err := c.fromPath(r)
	if err != nil {
		c.refuse(w, err)
		return
	}
	data, err := c.options.Store.MessageFile(r.Context(), m.ID)
	if err != nil {
		c.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(m.File)}))
	_, _ = w.Write(data)
}

// fromPath is the message in the address, when the persona in it may see it.
func (c *Chat) fromPath(r *http.Request) (Message, error) {
	who, ok := c.Person(r.FormValue("as"))
	id, err := strconv.ParseInt(r.PathValue("message"), 10, 64)
	if !ok || err != nil {
		return Message{}, gone(r.PathValue("message"))
	}
	return c.visible(r, id, who)
}

func (c *Chat) asset(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	data, err := assets.ReadFile("assets/" + name)
	if err != nil || path.Ext(name) == ".html" {
		c.nothing(w, r)
		return
	}
	w.Header().Set("Content-Type", map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(name)])
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(data)
}

func (c *Chat) nothing(w http.ResponseWriter, r *http.Request) {
	c.refuse(w, fault.New(fault.Missing, "webchat", "Open / to see the chat.", "There is no page %s here.", r.URL.Path))
}

// inboundKey is unique over all chats as long as the page's key is unique among
// the actions of the persona.
func inboundKey(who chat.Person, key string) string { return Name + "/" + who.ID + "/" + key }

func noChannel(id string) error {
	return fault.New(fault.Missing, "webchat.channel", "Open / to see those that there are.", "There is no channel #%s.", id)
}

func noPersona(id string) error {
	return fault.New(fault.Invalid, "webchat.persona", "Choose one in the list at the left.", "There is no persona %s.", fault.Quote(id))
}
