// Package webchattest doubles what the chat page needs: a store in memory and
// the suite that it and the real one pass.
package webchattest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"maitred/bot/webchat"
	"maitred/fault"
)

// Memory is a webchat.Store that forgets everything when the process ends.
type Memory struct {
	mu       sync.Mutex
	n        int64
	messages []webchat.Message // by id
	files    map[int64][]byte
	seen     map[string]int64
}

// NewMemory makes an empty one.
func NewMemory() *Memory {
	return &Memory{files: map[int64][]byte{}, seen: map[string]int64{}}
}

var _ webchat.Store = (*Memory)(nil)

func (s *Memory) AddMessage(_ context.Context, m webchat.Message, file []byte) (webchat.Message, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.messages, func(k webchat.Message) bool { return k.Key == m.Key }); i >= 0 {
		return s.messages[i], true, nil
	}
	s.n++
	m.ID, m.Seq = s.n, s.n
	if m.Thread != 0 {
		root := s.find(m.Thread)
		if root == nil || root.Channel != m.Channel || root.Thread != 0 {
			return m, false, gone(m.Thread)
		}
		s.n++
		root.Seq = s.n
	}
	s.messages = append(s.messages, m)
	s.files[m.ID] = file
	return m, false, nil
}

func (s *Memory) ChangeMessage(_ context.Context, m webchat.Message) (webchat.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stands := s.find(m.ID)
	if stands == nil {
		return m, gone(m.ID)
	}
	s.n++
	stands.Seq = s.n
	stands.Card, stands.Form, stands.Mentions, stands.Lost, stands.Edited = m.Card, m.Form, m.Mentions, m.Lost, m.Edited
	return *stands, nil
}

func (s *Memory) Message(_ context.Context, id int64) (webchat.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(id); m != nil {
		return *m, nil
	}
	return webchat.Message{}, gone(id)
}

func (s *Memory) MessageFile(_ context.Context, id int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.find(id); m == nil || m.File == "" {
		return nil, gone(id)
	}
	return s.files[id], nil
}

func (s *Memory) Messages(_ context.Context, channel string, thread int64, viewer string, before int64, limit int) ([]webchat.Message, error) {
	found := s.those(func(m webchat.Message) bool {
		return m.Channel == channel && m.Thread == thread && sees(viewer, m) && (before == 0 || m.ID < before)
	})
	return found[max(0, len(found)-limit):], nil
}

func (s *Memory) MessagesSince(_ context.Context, seq int64, viewer string, limit int) ([]webchat.Message, error) {
	found := s.those(func(m webchat.Message) bool { return m.Seq > seq && sees(viewer, m) })
	slices.SortFunc(found, func(a, b webchat.Message) int { return int(a.Seq - b.Seq) })
	return found[:min(limit, len(found))], nil
}

func (s *Memory) LastChange(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n, nil
}

func (s *Memory) Threads(_ context.Context, roots []int64, viewer string) (map[int64]webchat.Thread, error) {
	all := map[int64]webchat.Thread{}
	for _, m := range s.those(func(m webchat.Message) bool { return slices.Contains(roots, m.Thread) && sees(viewer, m) }) {
		t := all[m.Thread]
		t.Replies++
		t.Last = m.At
		if m.ID > s.upTo(viewer, m) {
			t.Mentioned = t.Mentioned || names(m, viewer)
			if m.Author != viewer {
				t.New++
			}
		}
		all[m.Thread] = t
	}
	return all, nil
}

func (s *Memory) MarkSeen(_ context.Context, viewer, channel string, thread, message int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	place := fmt.Sprint(viewer, "/", channel, "/", thread)
	s.seen[place] = max(s.seen[place], message)
	return nil
}

func (s *Memory) MarkAllSeen(_ context.Context, viewer string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		place := fmt.Sprint(viewer, "/", m.Channel, "/", m.Thread)
		s.seen[place] = max(s.seen[place], m.ID)
	}
	return nil
}

func (s *Memory) Unread(_ context.Context, viewer string) (map[string]webchat.Unread, error) {
	all := map[string]webchat.Unread{}
	for _, m := range s.those(func(m webchat.Message) bool { return sees(viewer, m) && m.Author != viewer }) {
		if m.ID <= s.upTo(viewer, m) {
			continue
		}
		u := all[m.Channel]
		if m.Thread == 0 {
			u.Messages++
		}
		if names(m, viewer) {
			u.Mentions++
		}
		all[m.Channel] = u
	}
	return all, nil
}

func (s *Memory) upTo(viewer string, m webchat.Message) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[fmt.Sprint(viewer, "/", m.Channel, "/", m.Thread)]
}

func (s *Memory) those(fit func(webchat.Message) bool) []webchat.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.messages), func(m webchat.Message) bool { return !fit(m) })
}

func (s *Memory) find(id int64) *webchat.Message {
	for i := range s.messages {
		if s.messages[i].ID == id {
			return &s.messages[i]
		}
	}
	return nil
}

func sees(viewer string, m webchat.Message) bool { return m.Viewer == "" || m.Viewer == viewer }

func names(m webchat.Message, viewer string) bool {
	return slices.Contains(m.Mentions, viewer) || slices.Contains(m.Mentions, webchat.Everybody)
}

func gone(id int64) error {
	return fault.New(fault.Missing, "webchattest", "", "The chat page has no message %d.", id)
}
