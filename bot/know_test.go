package bot_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"maitred/bot/bottest"
	"maitred/chat"
	"maitred/fault"
	"maitred/store/storetest"
)

// knowing is a room that knows more of people than what they said carries.
type knowing struct {
	*bottest.Room
	mu    sync.Mutex
	asked []bool // anew or not
	know  func(who chat.Person, anew bool) (chat.Person, error)
}

func (k *knowing) Sender() chat.Sender { return k }

func (k *knowing) Know(_ context.Context, who chat.Person, anew bool) (chat.Person, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = append(k.asked, anew)
	return k.know(who, anew)
}

func (k *knowing) questions() []bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]bool(nil), k.asked...)
}

func TestTheChatIsAskedWhoSomebodyIs(t *testing.T) {
	slow := fault.New(fault.Unreachable, "test", "", "The chat did not answer.")
	tests := map[string]struct {
		who, line string
		source    chat.Source
		know      func(who chat.Person, anew bool) (chat.Person, error)
		refused   bool
		says      string
		asked     []bool
	}{
		"a member is served": {
			who: "vic", line: "/status", asked: []bool{false},
			know: func(who chat.Person, _ bool) (chat.Person, error) { return who, nil },
		},
		"a guest is refused, once the chat says so again": {
			who: "vic", line: "/status", refused: true, says: "guests may not use maitred", asked: []bool{false, true},
			know: func(who chat.Person, _ bool) (chat.Person, error) { who.Guest = true; return who, nil },
		},
		"what is remembered of a guest is refreshed before the refusal": {
			who: "vic", line: "/status", asked: []bool{false, true},
			know: func(who chat.Person, anew bool) (chat.Person, error) { who.Guest = !anew; return who, nil },
		},
		"a deactivated account is told": {
			who: "vic", line: "/status", refused: true, says: "deactivated", asked: []bool{false},
			know: func(who chat.Person, _ bool) (chat.Person, error) {
				return who, fault.New(fault.Forbidden, "test", "", "The account is deactivated.")
			},
		},
		"a chat that does not answer serves nobody": {
			who: "vic", line: "/status", refused: true, says: "I could not find out who you are, so I did nothing. The chat did not answer.", asked: []bool{false},
			know: func(who chat.Person, _ bool) (chat.Person, error) { return who, slow },
		},
		"what a clock says goes on without the chat": {
			who: "lea", line: "/status", source: chat.Scheduled, asked: []bool{false},
			know: func(who chat.Person, _ bool) (chat.Person, error) { return who, slow },
		},
		"a refusal says what could not be asked": {
			who: "vic", line: "/freeze ocpizza the sale is on", refused: true, asked: []bool{false, true},
			says: "I could not ask anew what you are given by groups. The chat did not answer.",
			know: func(who chat.Person, anew bool) (chat.Person, error) {
				if anew {
					return who, slow
				}
				return who, nil
			},
		},
		"a stranger is not asked for": {
			who: "nobody", line: "/status", refused: true, says: "I do not know you here",
			know: func(who chat.Person, _ bool) (chat.Person, error) { return who, nil },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			room := &knowing{Room: bottest.NewRoom("room"), know: test.know}
			h := bottest.Open(t, storetest.SQLite(t), room)
			in := said(room.Room, test.who, "k", test.line)
			if test.source != "" {
				in.Source = test.source
			}
			hear(t, h, in)
			got := answered(t, h, "k")
			if len(got.Said) != 1 || got.Said[0].Refused != test.refused || !strings.Contains(bottest.Reads(got.Said[0].Card), test.says) {
				t.Errorf("said %+v", got.Said)
			}
			if asked := room.questions(); len(asked) != len(test.asked) || len(asked) > 0 && asked[len(asked)-1] != test.asked[len(asked)-1] {
				t.Errorf("the chat was asked %v, want %v", asked, test.asked)
			}
		})
	}
}

func TestTheHomeShowsWhatConcernsSomebody(t *testing.T) {
	room := bottest.NewRoom("room")
	h := bottest.Open(t, storetest.SQLite(t), room)
	hear(t, h, said(room, "ann", "d", "/deploy ocpizza v1.1.0"))
	if got := answered(t, h, "d"); !got.Started {
		t.Fatalf("got %+v", got)
	}
	tests := map[string]struct{ has, lacks []string }{
		"lea":    {has: []string{"Deploy ocpizza v1.1.0 to production", "waits for you", "ocpizza/production: never deployed", "Nothing is locked"}},
		"ann":    {has: []string{"Nothing waits for you", "waits for the approval of lead"}, lacks: []string{"waits for you Operation"}},
		"gus":    {has: []string{"guests may not use maitred"}, lacks: []string{"ocpizza"}},
		"nobody": {has: []string{"I do not know you here"}, lacks: []string{"ocpizza"}},
	}
	for name, test := range tests {
		var page strings.Builder
		for _, card := range h.Bot.Home(context.Background(), room.Person(name)) {
			page.WriteString(bottest.Reads(card) + "\n")
		}
		for _, want := range test.has {
			if !strings.Contains(page.String(), want) {
				t.Errorf("the home of %s does not say %q:\n%s", name, want, &page)
			}
		}
		for _, not := range test.lacks {
			if strings.Contains(page.String(), not) {
				t.Errorf("the home of %s says %q:\n%s", name, not, &page)
			}
		}
	}
}
