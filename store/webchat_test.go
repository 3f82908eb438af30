package store_test

import (
	"testing"

	"maitred/bot/webchat"
	"maitred/bot/webchat/webchattest"
	"maitred/store"
	"maitred/store/storetest"
)

func TestWebchat(t *testing.T) {
	for name, place := range map[string]func(testing.TB) storetest.Place{"sqlite": storetest.SQLite, "postgres": storetest.PostgreSQL} {
		t.Run(name, func(t *testing.T) {
			webchattest.Run(t, func(t *testing.T) webchat.Store { return place(t).Open(t) })
		})
	}
}

func TestWebchatSurvivesARestart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func() *store.Store) {
		s := open()
		m, _, err := s.AddMessage(t.Context(), webchat.Message{Key: "k", Channel: "deploys", Text: "still here"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open()
		got, err := s.Message(t.Context(), m.ID)
		if err != nil || got.Text != "still here" {
			t.Errorf("after the restart: %+v, %v", got, err)
		}
		if last, err := s.LastChange(t.Context()); err != nil || last != m.Seq {
			t.Errorf("the count went on from %d, want %d (%v)", last, m.Seq, err)
		}
	})
}
