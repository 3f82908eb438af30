package bottest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"maitred/chat"
	"maitred/fault"
)

// Room is a Stage in memory. A message that was posted under a key is posted
// once; an edit mentions nobody.
type Room struct {
	name string
	door atomic.Pointer[chat.Door]

	mu       sync.Mutex
	messages []*message
	keys     map[string]*message
	forms    map[string]*message // by person, the last one shown
	changes  int
	said     int
}

// message is a Message with what its buttons and form type.
type message struct {
	Message
	card chat.Card
	form *chat.Form
}

var (
	_ Stage           = (*Room)(nil)
	_ chat.Sender     = (*Room)(nil)
	_ chat.FormOpener = (*Room)(nil)
)

// NewRoom returns an empty Room of a chat called name.
func NewRoom(name string) *Room {
	return &Room{name: name, keys: map[string]*message{}, forms: map[string]*message{}}
}

// Name is the chat's.
func (r *Room) Name() string { return r.name }

// Sender is the room itself.
func (r *Room) Sender() chat.Sender { return r }

// Person has an id that is not the name, as in other chats.
func (r *Room) Person(name string) chat.Person {
	p := chat.Person{Chat: r.name, ID: idOf(name), Name: name}
	p.Guest = name == "gus"
	return p
}

func idOf(name string) string { return "U-" + name }

func nameOf(p chat.Person) string { return strings.TrimPrefix(p.ID, "U-") }

// Open connects the room.
func (r *Room) Open(door chat.Door) { r.door.Store(&door) }

// Say types a line.
func (r *Room) Say(ctx context.Context, name string, at chat.Place, line string) error {
	return r.tell(ctx, name, at, chat.Inbound{Line: line, Source: chat.Typed})
}

// Click clicks a button.
func (r *Room) Click(ctx context.Context, name string, m Message, label string) error {
	r.mu.Lock()
	found := r.find(m.ID)
	r.mu.Unlock()
	if found == nil {
		return fmt.Errorf("there is no message %s", m.ID)
	}
	for _, b := range found.card.Buttons {
		if b.Label == label {
			return r.tell(ctx, name, found.Place, chat.Inbound{Line: b.Line, Source: chat.Clicked})
		}
	}
	return fmt.Errorf("message %s has no button %q", m.ID, label)
}

// Submit sends a form.
func (r *Room) Submit(ctx context.Context, name string, values map[string]string) error {
	r.mu.Lock()
	m := r.forms[name]
	delete(r.forms, name)
	r.mu.Unlock()
	if m == nil {
		return fmt.Errorf("%s was shown no form", name)
	}
	in := chat.Inbound{Line: m.form.Line, Source: chat.Submitted, Fields: map[string]string{}, Secrets: map[string]string{}}
	for _, f := range m.form.Fields {
		value, given := values[f.Name]
		if !given {
			value = f.Value
		}
		delete(values, f.Name)
		if f.Kind == chat.SecretField {
			in.Secrets[f.Name] = value
		} else {
			in.Fields[f.Name] = value
		}
	}
	for name := range values {
		return fmt.Errorf("the form %q has no field %q", m.form.Title, name)
	}
	return r.tell(ctx, name, m.Place, in)
}

func (r *Room) tell(ctx context.Context, name string, at chat.Place, in chat.Inbound) error {
	r.mu.Lock()
	r.said++
	in.Key = fmt.Sprintf("%s-%d", r.name, r.said)
	r.mu.Unlock()
	in.Person, in.Place, in.At = r.Person(name), at, time.Now()
	_, err := (*r.door.Load()).Receive(ctx, in)
	return err
}

// Post shows a card.
func (r *Room) Post(_ context.Context, to chat.Place, c chat.Card, key string) (chat.MessageRef, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m := r.keys[key]; m != nil {
		return chat.MessageRef{Place: m.Place, ID: m.ID}, nil
	}
	m := r.add(to, "", c, key)
	for _, p := range c.Mention {
		m.Mention = append(m.Mention, nameOf(p))
	}
	if c.Channel {
		m.Mention = append(m.Mention, "channel")
	}
	return chat.MessageRef{Place: to, ID: m.ID}, nil
}

// Edit changes a card.
func (r *Room) Edit(_ context.Context, ref chat.MessageRef, c chat.Card) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.find(ref.ID)
	if m == nil {
		return fault.New(fault.Missing, "room.edit", "", "The message is gone.")
	}
	if len(c.Mention) > 0 || c.Channel {
		return fault.New(fault.Invalid, "room.edit", "", "An edit mentions somebody, who will not notice.")
	}
	r.changes++
	m.wear(c, r.changes)
	return nil
}

// Whisper shows a card to one person.
func (r *Room) Whisper(_ context.Context, to chat.Place, who chat.Person, c chat.Card, key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys[key] == nil {
		r.add(to, nameOf(who), c, key)
	}
	return nil
}

// OpenForm shows a form to whoever asked.
func (r *Room) OpenForm(_ context.Context, in chat.Inbound, f chat.Form) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.add(in.Place, nameOf(in.Person), chat.Card{Title: f.Title, Text: f.Text}, in.Key+"-form")
	m.Form, m.form = true, &f
	for _, field := range f.Fields {
		m.Text += fmt.Sprintf(" %s: ____ (%s) %s", field.Label, field.Kind, strings.Join(field.Choices, ", "))
	}
	r.forms[m.Only] = m
	return nil
}

// Messages are all messages.
func (r *Room) Messages() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Message, len(r.messages))
	for i, m := range r.messages {
		all[i] = m.Message
		all[i].Buttons, all[i].Mention = slices.Clone(m.Buttons), slices.Clone(m.Mention)
	}
	return all
}

// add and find are called with mu held.
func (r *Room) add(to chat.Place, only string, c chat.Card, key string) *message {
	r.changes++
	m := &message{Message: Message{ID: fmt.Sprintf("m%d", len(r.messages)+1), Place: to, Only: only}}
	m.wear(c, r.changes)
	r.messages = append(r.messages, m)
	r.keys[key] = m
	return m
}

func (r *Room) find(id string) *message {
	i := slices.IndexFunc(r.messages, func(m *message) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return r.messages[i]
}

func (m *message) wear(c chat.Card, change int) {
	m.card, m.Text, m.Buttons, m.Changed = c, Reads(c), nil, change
	for _, b := range c.Buttons {
		m.Buttons = append(m.Buttons, b.Label)
	}
}
