package bot

import (
	"crypto/subtle"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
)

// Policy knows who people are and what they may do. Rights come from configured
// ids alone, and whatever is not given is refused. It is safe for concurrent use.
type Policy struct {
	book atomic.Pointer[book]
}

var _ commands.Policy = (*Policy)(nil)

// identity is how one chat knows somebody.
type identity struct{ chat, id string }

// book is Rules with what is looked up often.
type book struct {
	Rules
	names map[identity]string
}

// NewPolicy returns the Policy of rules; an error says what in them makes no
// sense.
func NewPolicy(rules Rules) (*Policy, error) {
	p := new(Policy)
	return p, p.SetRules(rules)
}

// SetRules swaps the rules whole; ones that make no sense change nothing.
func (p *Policy) SetRules(rules Rules) error {
	if err := rules.check(); err != nil {
		return err
	}
	b := &book{Rules: rules, names: map[identity]string{}}
	add := func(name string, chats map[string]string) {
		b.names[identity{"api", name}] = name // whom a token belongs to
		for c, id := range chats {
			b.names[identity{c, id}] = name
		}
	}
	for name, m := range rules.People {
		add(name, m.Chats)
	}
	for name, s := range rules.Services {
		add(name, s.Chats)
	}
	p.book.Store(b)
	return nil
}

func (p *Policy) now() *book {
	if b := p.book.Load(); b != nil {
		return b
	}
	return &book{}
}

// Know fills in who is behind an id. Whatever Who said before does not count.
func (p *Policy) Know(who chat.Person) chat.Person {
	b := p.now()
	who.Who = b.names[identity{who.Chat, who.ID}]
	if who.Who == "" {
		return who
	}
	if _, service := b.Services[who.Who]; service {
		who.Automaton = true
	}
	m := b.People[who.Who]
	if who.Zone == "" {
		who.Zone = m.Zone
	}
	if who.Name == "" {
		who.Name = fallback(m.Name, who.Who)
	}
	return who
}

// Owner is whom the token with this hash (SHA-256, lower-case hex) belongs to.
func (p *Policy) Owner(tokenHash string) (chat.Person, bool) {
	b := p.now()
	var found string
	match := func(name, hash string) {
		if hash != "" && subtle.ConstantTimeCompare([]byte(strings.ToLower(hash)), []byte(tokenHash)) == 1 {
			found = name
		}
	}
	for name, m := range b.People {
		match(name, m.TokenSHA256)
	}
	for name, s := range b.Services {
		match(name, s.TokenSHA256)
	}
	if found == "" {
		return chat.Person{}, false
	}
	return p.Know(chat.Person{Chat: "api", ID: found}), true
}

// Admit is nil for people whom maitred serves at all.
func (p *Policy) Admit(who chat.Person) error {
	switch {
	case who.Guest:
		return &fault.Error{Kind: fault.Forbidden, Op: "bot.admit", Hint: p.now().askWhom(),
			Say: "You are a guest of this workspace, and guests may not use maitred."}
	case who.Who == "":
		return &fault.Error{Kind: fault.Forbidden, Op: "bot.admit", Hint: p.now().askWhom(),
			Say: "I do not know you here, so I may not do anything for you. Your id is " + chatID(who) + "."}
	}
	return nil
}

// May is nil, or a fault of kind Forbidden that names who may. The zero target
// is anywhere: whoever may do it to some target may.
func (p *Policy) May(who chat.Person, verb string, t commands.Target) error {
	if err := p.Admit(who); err != nil {
		return err
	}
	b := p.now()
	if who.Automaton && deciding[verb] {
		return fault.New(fault.Forbidden, "bot.may", "", "A service cannot %s an operation; a person has to.", verb)
	}
	for _, name := range b.rolesOf(who) {
		if b.gives(name, verb, t) {
			return nil
		}
	}
	return b.refuse(verb, t, func(role string) bool { return b.gives(role, verb, t) })
}

// Everywhere is like May for what is about all apps at once: it needs a role
// that is not limited to some.
func (p *Policy) Everywhere(who chat.Person, verb string) error {
	if err := p.Admit(who); err != nil {
		return err
	}
	b := p.now()
	gives := func(role string) bool { return b.Rules.Roles[role].covers(verb) && b.Rules.Roles[role].unlimited() }
	if slices.ContainsFunc(b.rolesOf(who), gives) {
		return nil
	}
	return b.refuse(verb, commands.Target{}, gives)
}

// deciding are the verbs that take a human.
var deciding = map[string]bool{"approve": true, "reject": true, "breakglass": true, "settle": true}

// gives reports whether a role gives verb on t. A target without environment is
// all environments of the app, so that a role limited to some does not give it.
func (b *book) gives(role, verb string, t commands.Target) bool {
	r, ok := b.Rules.Roles[role]
	if !ok || !r.covers(verb) {
		return false
	}
	if t.App == "" {
		return true
	}
	return (len(r.Apps) == 0 || slices.Contains(r.Apps, t.App)) &&
		(len(r.Environments) == 0 || slices.Contains(r.Environments, t.Environment))
}

// Roles are the names of the roles that who holds, in order.
func (p *Policy) Roles(who chat.Person) []string { return p.now().rolesOf(who) }

func (b *book) rolesOf(who chat.Person) []string {
	if who.Who == "" || who.Guest {
		return nil
	}
	var held []string
	member, person := b.People[who.Who]
	if person {
		held = slices.Clone(member.Roles)
	} else {
		held = slices.Clone(b.Services[who.Who].Roles)
	}
	for name, r := range b.Rules.Roles {
		trusted := r.Groups[who.Chat]
		if person && slices.ContainsFunc(who.Groups, func(g string) bool { return slices.Contains(trusted, g) }) {
			held = append(held, name)
		}
	}
	slices.Sort(held)
	return slices.Compact(held)
}

// Holders are the configured people who hold any of roles, each as known in the
// chat named; people unknown there are left out. Behind them come the groups of
// that chat whose members hold one, for mentions: the ID is that of the group.
// Without a chat the people are all there, by name alone.
func (p *Policy) Holders(inChat string, roles ...string) []chat.Person {
	b := p.now()
	var found []chat.Person
	for _, name := range b.holders(roles) {
		m := b.People[name]
		who := chat.Person{Chat: inChat, ID: m.Chats[inChat], Who: name, Name: fallback(m.Name, name), Zone: m.Zone}
		if inChat == "api" {
			who.ID = name
		}
		if who.ID != "" || inChat == "" {
			found = append(found, who)
		}
	}
	for _, group := range b.groups(inChat, roles) {
		found = append(found, chat.Person{Chat: inChat, ID: group, Name: "the members of " + group})
	}
	return found
}

// groups are the groups of a chat that give any of roles, in order.
func (b *book) groups(inChat string, roles []string) []string {
	var found []string
	for name, r := range b.Rules.Roles {
		if slices.Contains(roles, name) {
			found = append(found, r.Groups[inChat]...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// holders are the names of the people who hold any of roles, in order.
func (b *book) holders(roles []string) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(b.People)) {
		if slices.ContainsFunc(b.People[name].Roles, func(r string) bool { return slices.Contains(roles, r) }) {
			found = append(found, name)
		}
	}
	return found
}
