// Package chat is the vocabulary that every room of maitred speaks: who says
// something, where, and what maitred says back. It imports nothing of maitred.
package chat

// Person is somebody as one chat knows them. Rights come from ID alone: names
// can be changed by their owner and are only ever shown.
type Person struct {
	Chat      string   `json:"chat"`                // "webchat", "slack", "discord", "api", "schedule"
	ID        string   `json:"id"`                  // immutable within Chat, the workspace included where ids are not global
	Name      string   `json:"name,omitempty"`      // as shown
	Who       string   `json:"who,omitempty"`       // the configured person or service behind ID; set by the door, empty for a stranger
	Groups    []string `json:"groups,omitempty"`    // groups or roles the payload itself carried
	Guest     bool     `json:"guest,omitempty"`     // of another workspace: may do nothing
	Automaton bool     `json:"automaton,omitempty"` // a bot or a configured service: never approves
	Zone      string   `json:"zone,omitempty"`      // IANA time zone, when the chat tells
}

// Label is how p is named in a sentence: the configured name, else the shown
// one, else the id.
func (p Person) Label() string {
	switch {
	case p.Who != "":
		return p.Who
	case p.Name != "":
		return p.Name
	}
	return p.ID
}

// Same reports whether p and q are one human: the same configured person, or
// for strangers the same id in the same chat.
func (p Person) Same(q Person) bool {
	if p.Who != "" || q.Who != "" {
		return p.Who == q.Who
	}
	return p.Chat == q.Chat && p.ID == q.ID
}
