package slacktest

import (
	"slices"
	"strings"
	"time"
)

// User is somebody whom the workspace knows.
type User struct {
	ID       string
	Name     string
	TeamID   string // another workspace's for people of Slack Connect
	Zone     string // IANA name
	Deleted  bool   // deactivated
	Guest    bool   // multi-channel guest
	Single   bool   // single-channel guest
	Stranger bool   // of another workspace
	Bot      bool
	Email    string
}

// Group is a user group.
type Group struct {
	ID      string
	Handle  string
	Members []string // user ids
}

// Channel is a channel or a direct conversation.
type Channel struct {
	ID       string
	Name     string
	Private  bool
	Archived bool
	Shared   bool   // with another workspace
	With     string // the user of a direct conversation
	Members  []string
	created  time.Time
}

func (c *Channel) has(id string) bool { return slices.Contains(c.Members, id) }

// UserID, ChannelID, GroupID and DirectID are the ids that names get, so that a
// config can be written before anybody exists.
func UserID(name string) string    { return "U0" + upper(name) }
func ChannelID(name string) string { return "C0" + upper(name) }
func GroupID(handle string) string { return "S0" + upper(handle) }
func DirectID(name string) string  { return "D0" + upper(name) }

// AddUser adds or replaces somebody. ID, TeamID and Zone may be left out.
func (s *Slack) AddUser(u User) *Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addUser(&u)
	s.bump()
	return &Person{slack: s, ID: u.ID, Name: u.Name}
}

func (s *Slack) addUser(u *User) {
	if u.ID == "" {
		u.ID = UserID(u.Name)
	}
	if u.TeamID == "" {
		u.TeamID = s.TeamID
	}
	if u.Stranger && u.TeamID == s.TeamID {
		u.TeamID = "T0OTHER"
	}
	if u.Zone == "" {
		u.Zone = "Europe/Paris"
	}
	if u.Email == "" {
		u.Email = u.Name + "@example.com"
	}
	s.users[u.ID] = u
	direct := DirectID(u.Name)
	if s.channels[direct] == nil {
		s.channels[direct] = &Channel{ID: direct, With: u.ID, Private: true, Members: []string{u.ID, s.BotUserID}, created: s.now()}
	}
}

// Person is somebody with this name, added as a usual member when unknown. They
// are in every channel that is used by name.
func (s *Slack) Person(name string) *Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := UserID(name)
	if s.users[id] == nil {
		s.addUser(&User{Name: name})
	}
	return &Person{slack: s, ID: id, Name: name}
}

// ChangeUser changes what Slack knows of somebody.
func (s *Slack) ChangeUser(name string, change func(*User)) {
	s.Person(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	u := *s.users[UserID(name)]
	change(&u)
	s.users[u.ID] = &u
	s.bump()
}

// Deactivate closes somebody's account.
func (s *Slack) Deactivate(name string) { s.ChangeUser(name, func(u *User) { u.Deleted = true }) }

// SetGroup sets who is in a user group, by names.
func (s *Slack) SetGroup(handle string, names ...string) string {
	g := &Group{ID: GroupID(handle), Handle: handle, Members: []string{}}
	for _, name := range names {
		g.Members = append(g.Members, s.Person(name).ID)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups[g.ID] = g
	s.bump()
	return g.ID
}

// Channel is the id of a public channel with this name where maitred is; it is
// made when unknown. An id stays what it is.
func (s *Slack) Channel(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channel(name).ID
}

func (s *Slack) channel(name string) *Channel {
	name = strings.TrimPrefix(name, "#")
	if c := s.channels[name]; c != nil {
		return c
	}
	id := ChannelID(name)
	if s.channels[id] == nil {
		s.channels[id] = &Channel{ID: id, Name: name, Members: []string{s.BotUserID}, created: s.now()}
	}
	return s.channels[id]
}

// AddChannel adds or replaces a channel. Members are ids; maitred is in it when
// its id is among them.
func (s *Slack) AddChannel(c Channel) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.ID == "" {
		c.ID = ChannelID(c.Name)
	}
	c.created = s.now()
	s.channels[c.ID] = &c
	s.bump()
	return c.ID
}

// Kick removes maitred from a channel; Invite brings it back.
func (s *Slack) Kick(channel string) {
	s.member(channel, func(m []string) []string {
		return slices.DeleteFunc(m, func(id string) bool { return id == s.BotUserID })
	})
}

// Invite brings maitred into a channel.
func (s *Slack) Invite(channel string) {
	s.member(channel, func(m []string) []string { return append(m, s.BotUserID) })
}

func (s *Slack) member(channel string, change func([]string) []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(channel)
	c.Members = change(slices.Clone(c.Members))
	s.bump()
}

// enter makes sure that a person is in the channel they use, unless the channel
// is private.
func (c *Channel) enter(user string) bool {
	if c.has(user) {
		return true
	}
	if c.Private {
		return false
	}
	c.Members = append(slices.Clone(c.Members), user)
	return true
}
