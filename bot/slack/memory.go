package slack

import (
	"sync"
	"time"

	"maitred/chat"
)

// reply is how to answer something that was heard: the address that Slack gave
// for private answers, and the token that opens a form.
type reply struct {
	URL     string
	Trigger string
	At      time.Time // when it was heard; the address lives half an hour, the trigger three seconds
	uses    int
}

// lifetime is how long Slack's address for private answers works, and most how
// often, both a little less than Slack says.
const (
	lifetime = 29 * time.Minute
	most     = 5
)

// replies remembers by chat.Inbound.Key how to answer. It is a short cut:
// whoever is not in it is answered with a message that only they see.
type replies struct {
	now func() time.Time

	mu    sync.Mutex
	byKey map[string]*reply
	order []string
}

func newReplies(now func() time.Time) *replies {
	return &replies{now: now, byKey: map[string]*reply{}}
}

// keep remembers r for key, and forgets the oldest when there are many.
func (m *replies) keep(key string, r reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.byKey[key] == nil {
		m.order = append(m.order, key)
	}
	m.byKey[key] = &r
	if len(m.order) > remembered {
		delete(m.byKey, m.order[0])
		m.order = m.order[1:]
	}
}

// find is the reply of key, as it was kept.
func (m *replies) find(key string) (reply, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.byKey[key]
	if r == nil {
		return reply{}, false
	}
	return *r, true
}

// use counts a use of the address of key, and is empty when it does not work any
// more.
func (m *replies) use(key string) (url string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.byKey[key]
	if r == nil || r.URL == "" || r.uses >= most || m.now().Sub(r.At) > lifetime {
		return ""
	}
	r.uses++
	return r.URL
}

// remembered is how many keys are remembered.
const remembered = 16384

// said remembers what was posted under which key, so that the same key twice is
// one message, and which posts nobody knows the end of.
type said struct {
	mu    sync.Mutex
	byKey map[string]*posted
	order []string
}

// posted is a post: in hand, done, or begun with an unknown end.
type posted struct {
	mu     sync.Mutex // held by whoever posts it
	ref    chat.MessageRef
	tried  bool // since maitred was started
	unsure bool // an answer was lost: it may be there
	done   bool
}

func newSaid() *said { return &said{byKey: map[string]*posted{}} }

// of is the post under key, new when there was none.
func (m *said) of(key string) *posted {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.byKey[key]; p != nil {
		return p
	}
	p := &posted{}
	m.byKey[key] = p
	if m.order = append(m.order, key); len(m.order) > remembered {
		delete(m.byKey, m.order[0])
		m.order = m.order[1:]
	}
	return p
}
