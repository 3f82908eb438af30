package webchat

import (
	"bytes"
	"context"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"maitred/chat"
)

const pageSize = 60 // messages shown before somebody asks for older ones

// pageView is the whole page for one persona.
type pageView struct {
	Me       Persona
	Channel  Channel
	Channels []channelView
	Personas []personaView
	Links    []Link
	Messages []messageView
	Older    int64 // id to ask for more with; zero when this is all
	Thread   *threadPanel
	Seq      int64 // the change up to which the page knows everything
	Token    string
	Version  string
}

type channelView struct {
	Channel
	Current bool
	Unread
}

type personaView struct {
	Persona
	Tone     int
	Current  bool
	Mentions int
}

// threadPanel is a thread beside the channel.
type threadPanel struct {
	Root    messageView
	Replies []messageView
	Channel string
	As      string
}

// messageView is a message as one persona sees it.
type messageView struct {
	Message
	As       string // the persona who looks
	Name     string
	Role     string
	Tone     int // of the avatar
	Bot      bool
	Private  bool
	Body     template.HTML
	Names    []string // of those mentioned
	Mentions bool     // the one who looks
	Hanging  Thread
	Link     string // to the thread
	Say      string // for a screen reader, when it is new
}

func (c *Chat) home(w http.ResponseWriter, r *http.Request) {
	first, ok := c.channel("")
	if !ok {
		c.nothing(w, r)
		return
	}
	http.Redirect(w, r, address(first.ID, r.FormValue("as"), 0), http.StatusFound)
}

// showPage is a channel, and a thread beside it when the address names one.
func (c *Chat) showPage(w http.ResponseWriter, r *http.Request) {
	channel, known := c.channel(r.PathValue("channel"))
	me, ok := c.persona(r.FormValue("as"))
	switch {
	case !known:
		c.refuse(w, noChannel(r.PathValue("channel")))
		return
	case !ok:
		c.refuse(w, noPersona(r.FormValue("as")))
		return
	}
	view, err := c.view(r.Context(), channel, me)
	if err != nil {
		c.refuse(w, err)
		return
	}
	if id, err := strconv.ParseInt(r.FormValue("thread"), 10, 64); err == nil {
		if view.Thread, err = c.panel(r.Context(), channel, id, me); err != nil {
			c.refuse(w, err)
			return
		}
	}
	view.Token = c.token(w, r)
	c.html(w, "page", view)
}

func (c *Chat) view(ctx context.Context, channel Channel, me Persona) (pageView, error) {
	// The number first: what is stored while we read is told by the stream.
	seq, err := c.options.Store.LastChange(ctx)
	if err != nil {
		return pageView{}, err
	}
	found, older, err := c.window(ctx, channel.ID, 0, me)
	if err != nil {
		return pageView{}, err
	}
	if len(found) > 0 {
		if err := c.options.Store.MarkSeen(ctx, me.ID, channel.ID, 0, found[len(found)-1].ID); err != nil {
			return pageView{}, err
		}
		c.wake()
	}
	unread, err := c.unread(ctx, me)
	if err != nil {
		return pageView{}, err
	}
	v := pageView{Me: me, Channel: channel, Links: c.options.Links, Messages: found, Older: older, Seq: seq, Version: version}
	for _, ch := range c.options.Channels {
		v.Channels = append(v.Channels, channelView{Channel: ch, Current: ch.ID == channel.ID, Unread: unread.Channels[ch.ID]})
	}
	for i, p := range c.options.Personas {
		v.Personas = append(v.Personas, personaView{Persona: p, Tone: i % tones, Current: p.ID == me.ID, Mentions: unread.Personas[p.ID]})
	}
	return v, nil
}

// window reads the newest messages below before, and where older ones begin.
func (c *Chat) window(ctx context.Context, channel string, before int64, me Persona) ([]messageView, int64, error) {
	found, err := c.options.Store.Messages(ctx, channel, 0, me.ID, before, pageSize)
	if err != nil {
		return nil, 0, err
	}
	views, err := c.views(ctx, found, me)
	if err != nil || len(found) < pageSize {
		return views, 0, err
	}
	return views, found[0].ID, nil
}

// showOlder is what stands above a message, for a page that scrolls up.
func (c *Chat) showOlder(w http.ResponseWriter, r *http.Request) {
	me, ok := c.persona(r.FormValue("as"))
	before, err := strconv.ParseInt(r.FormValue("before"), 10, 64)
	if !ok || err != nil {
		c.nothing(w, r)
		return
	}
	found, older, err := c.window(r.Context(), r.PathValue("channel"), before, me)
	if err != nil {
		c.refuse(w, err)
		return
	}
	c.html(w, "older", pageView{Messages: found, Older: older})
}

// showThread is the panel of a thread, for a page that opens one.
func (c *Chat) showThread(w http.ResponseWriter, r *http.Request) {
	me, ok := c.persona(r.FormValue("as"))
	channel, known := c.channel(r.PathValue("channel"))
	id, err := strconv.ParseInt(r.PathValue("thread"), 10, 64)
	if !ok || !known || err != nil {
		c.nothing(w, r)
		return
	}
	panel, err := c.panel(r.Context(), channel, id, me)
	if err != nil {
		c.refuse(w, err)
		return
	}
	c.html(w, "thread", panel)
}

func (c *Chat) panel(ctx context.Context, channel Channel, root int64, me Persona) (*threadPanel, error) {
	first, err := c.options.Store.Message(ctx, root)
	if err != nil {
		return nil, err
	}
	if first.Channel != channel.ID || first.Viewer != "" && first.Viewer != me.ID {
		return nil, gone(strconv.FormatInt(root, 10))
	}
	replies, err := c.options.Store.Messages(ctx, channel.ID, root, me.ID, 0, 500)
	if err != nil {
		return nil, err
	}
	views, err := c.views(ctx, append([]Message{first}, replies...), me)
	if err != nil {
		return nil, err
	}
	if err := c.options.Store.MarkSeen(ctx, me.ID, channel.ID, root, views[len(views)-1].ID); err != nil {
		return nil, err
	}
	c.wake()
	return &threadPanel{Root: views[0], Replies: views[1:], Channel: channel.ID, As: me.ID}, nil
}

// views makes messages ready to be shown to me.
func (c *Chat) views(ctx context.Context, found []Message, me Persona) ([]messageView, error) {
	var roots []int64
	for _, m := range found {
		if m.Thread == 0 {
			roots = append(roots, m.ID)
		}
	}
	threads, err := c.options.Store.Threads(ctx, roots, me.ID)
	if err != nil {
		return nil, err
	}
	views := make([]messageView, len(found))
	for i, m := range found {
		views[i] = c.messageView(m, threads[m.ID], me)
	}
	return views, nil
}

func (c *Chat) messageView(m Message, hanging Thread, me Persona) messageView {
	v := messageView{
		Message: m, As: me.ID, Hanging: hanging, Bot: m.Author == "", Private: m.Viewer != "",
		Mentions: m.mentions(me.ID) && m.Viewer == "", Body: c.marked(m.Text), Say: m.Text,
		Name: "maitred", Link: address(m.Channel, me.ID, m.ID),
	}
	if p, i := c.author(m.Author); i >= 0 {
		v.Name, v.Role, v.Tone = p.Name, p.Role, i%tones
	}
	if m.Card != nil {
		v.Say = m.Card.Text
	}
	if m.Viewer == "" {
		for _, id := range m.Mentions {
			if p, i := c.author(id); i >= 0 {
				v.Names = append(v.Names, p.Name)
			} else if id == Everybody {
				v.Names = append(v.Names, "channel")
			}
		}
	}
	return v
}

func (c *Chat) author(id string) (Persona, int) {
	for i, p := range c.options.Personas {
		if p.ID == id {
			return p, i
		}
	}
	return Persona{}, -1
}

func (c *Chat) unread(ctx context.Context, me Persona) (unreadTold, error) {
	told := unreadTold{Channels: map[string]Unread{}, Personas: map[string]int{}}
	for _, p := range c.options.Personas {
		unread, err := c.options.Store.Unread(ctx, p.ID)
		if err != nil {
			return told, err
		}
		for channel, u := range unread {
			if p.ID == me.ID {
				told.Channels[channel] = u
			}
			told.Personas[p.ID] += u.Mentions
		}
	}
	return told, nil
}

// address of a channel as a persona sees it, with a thread open beside it.
func address(channel, as string, thread int64) string {
	q := url.Values{}
	if as != "" {
		q.Set("as", as)
	}
	if thread != 0 {
		q.Set("thread", strconv.FormatInt(thread, 10))
	}
	if len(q) == 0 {
		return "/c/" + url.PathEscape(channel)
	}
	return "/c/" + url.PathEscape(channel) + "?" + q.Encode()
}

func (c *Chat) html(w http.ResponseWriter, name string, v any) {
	text, err := c.render(name, v)
	if err != nil {
		c.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(text))
}

func (c *Chat) render(name string, v any) (string, error) {
	var b bytes.Buffer
	err := c.page.ExecuteTemplate(&b, name, v)
	return b.String(), err
}

// cardState is the colour of a card as a class, its mark and its word.
type cardState struct{ Class, Mark, Word string }

var cardStates = map[chat.State]cardState{
	chat.Waiting: {"waiting", "◷", "waiting"},
	chat.Working: {"working", "◐", "working"},
	chat.Good:    {"good", "✓", "done"},
	chat.Warning: {"warning", "!", "warning"},
	chat.Bad:     {"bad", "✗", "failed"},
	chat.Unsure:  {"unsure", "?", "unknown"},
}

func stateOf(c chat.Card) cardState {
	s, ok := cardStates[c.State]
	if !ok {
		s = cardState{Class: "neutral"}
	}
	if c.Word != "" {
		s.Word = c.Word
	}
	return s
}

// progress is how far a card's steps are.
func progress(steps []chat.StepLine) (p struct{ Ended, All int }) {
	p.All = len(steps)
	for _, s := range steps {
		if s.State != chat.StepPending && s.State != chat.StepRunning {
			p.Ended++
		}
	}
	return p
}

// took is how long a step lasted; one that did not begin has nothing to tell.
func took(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return chat.Span(d)
}
