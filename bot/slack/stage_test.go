package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"maitred/bot/bottest"
	"maitred/bot/slack/slacktest"
	"maitred/chat"
	"maitred/store/storetest"
)

// Every conversation of the spine is played through Slack, in both modes.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("../bottest/testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no conversations: %v", err)
	}
	furnished := storetest.SQLite(t)
	bottest.Furnish(t, furnished)
	for _, mode := range []Mode{Socket, HTTP} {
		t.Run(string(mode), func(t *testing.T) {
			for _, file := range files {
				archive, err := txtar.ParseFile(file)
				if err != nil {
					t.Fatal(err)
				}
				for _, part := range archive.Files {
					t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+part.Name, func(t *testing.T) {
						t.Parallel()
						stage := newStage(t, mode)
						bottest.Play(t, bottest.Open(t, furnished.Copy(t), stage), string(part.Data))
						if refused := stage.slack.Refusals(); len(refused) > 0 {
							t.Errorf("Slack refused: %q", refused)
						}
					})
				}
			}
		})
	}
}

// stage is Slack as people use it: they type slash commands in channels and
// mention maitred in threads, where there are none.
type stage struct {
	t     testing.TB
	mode  Mode
	slack *slacktest.Slack
	chat  *reborn
	http  atomic.Pointer[http.Handler]

	silence time.Duration // of Options; the usual when zero

	mu   sync.Mutex
	stop func()
}

var (
	_ bottest.Stage    = (*stage)(nil)
	_ bottest.Channels = (*stage)(nil)
)

// cast are those who appear in the conversations.
var cast = []string{"ann", "bob", "lea", "lou", "olga", "vic", "cat", "ci", "gus", "zoe"}

// reborn is the Chat of now: a restart makes another, which remembers nothing.
type reborn struct{ atomic.Pointer[Chat] }

func (r *reborn) Name() string { return Name }

func (r *reborn) Pace() time.Duration { return 20 * time.Millisecond }

func (r *reborn) Post(ctx context.Context, to chat.Place, c chat.Card, key string) (chat.MessageRef, error) {
	return r.Load().Post(ctx, to, c, key)
}

func (r *reborn) Edit(ctx context.Context, ref chat.MessageRef, c chat.Card) error {
	return r.Load().Edit(ctx, ref, c)
}

func (r *reborn) Whisper(ctx context.Context, to chat.Place, who chat.Person, c chat.Card, key string) error {
	return r.Load().Whisper(ctx, to, who, c, key)
}

func (r *reborn) OpenForm(ctx context.Context, in chat.Inbound, f chat.Form) error {
	return r.Load().OpenForm(ctx, in, f)
}

func (r *reborn) Upload(ctx context.Context, to chat.Place, name string, data []byte, key string) error {
	return r.Load().Upload(ctx, to, name, data, key)
}

func (r *reborn) Find(ctx context.Context, to chat.Place, key string) (chat.MessageRef, bool, error) {
	return r.Load().Find(ctx, to, key)
}

func (r *reborn) Know(ctx context.Context, who chat.Person, anew bool) (chat.Person, error) {
	return r.Load().Know(ctx, who, anew)
}

func newStage(t testing.TB, mode Mode, opts ...slacktest.Options) *stage {
	t.Helper()
	s := &stage{t: t, mode: mode, slack: slacktest.New(t, opts...), chat: &reborn{}}
	for _, name := range cast {
		s.slack.AddUser(slacktest.User{Name: name, Guest: name == "gus", Zone: "UTC"})
	}
	s.chat.Store(s.fresh())
	if mode == HTTP {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.http.Load()).ServeHTTP(w, r) }))
		t.Cleanup(server.Close)
		s.slack.DeliverAllTo(server.URL + Prefix)
	}
	t.Cleanup(func() { s.end() })
	return s
}

// fresh is a Chat as after a start. It is not held to the limits that Slack has
// for a minute, because the conversation has only seconds.
func (s *stage) fresh() *Chat {
	c := New(Options{
		BotToken: s.slack.BotToken, AppToken: s.slack.AppToken, SigningSecret: s.slack.SigningSecret, Mode: s.mode, APIURL: s.slack.URL(),
		Commands: DefaultCommands, Silence: s.silence, Log: zaptest.NewLogger(s.t, zaptest.Level(zap.ErrorLevel)),
	})
	c.pace.hurry = 100
	return c
}

func (s *stage) Sender() chat.Sender { return s.chat }

func (s *stage) Channel(name string) string { return s.slack.Channel(name) }

func (s *stage) Person(name string) chat.Person {
	return chat.Person{Chat: Name, ID: slacktest.UserID(name), Name: name, Guest: name == "gus"}
}

// Open starts a Chat at the door, after the one before was stopped, and waits
// until Slack reaches it.
func (s *stage) Open(door chat.Door) {
	s.end()
	c := s.fresh()
	s.chat.Store(c)
	_, handler := c.Handler()
	s.http.Store(&handler)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, door) }()
	s.mu.Lock()
	s.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the chat ended with %v", err)
		}
	}
	s.mu.Unlock()
	ready := func() bool {
		return c.self.Load() != nil && c.Ready(ctx) == nil && (s.mode == HTTP || s.slack.Connections() > 0)
	}
	for deadline := time.Now().Add(bottest.Within); !ready(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Errorf("Slack never reached maitred: %v", c.Ready(ctx))
			return
		}
	}
}

func (s *stage) end() {
	s.mu.Lock()
	stop := s.stop
	s.stop = nil
	s.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// Say types as people do in Slack: a slash command that maitred has of its own,
// any other below /maitred, and in a thread a mention.
func (s *stage) Say(ctx context.Context, name string, at chat.Place, line string) error {
	p := s.slack.Person(name)
	verb, isCommand := strings.CutPrefix(strings.Fields(line + " x")[0], "/")
	var d *slacktest.Delivery
	switch {
	case at.Thread != "":
		_, d = p.Reply(slacktest.Message{Channel: at.Channel, TS: at.Thread}, "@maitred "+strings.TrimPrefix(line, "@maitred "))
	case isCommand && slices.Contains(DefaultCommands, verb):
		d = p.Slash(at.Channel, line)
	case isCommand:
		d = p.Slash(at.Channel, "/maitred "+strings.TrimPrefix(line, "/"))
	default:
		_, d = p.Type(at.Channel, strings.Replace(line, "maitred:", "@maitred:", 1))
	}
	if d == nil {
		return nil // Slack tells maitred nothing of it
	}
	return s.acknowledged(ctx, d)
}

func (s *stage) acknowledged(ctx context.Context, d *slacktest.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, bottest.Within)
	defer cancel()
	return d.Wait(ctx)
}

func (s *stage) Click(ctx context.Context, name string, m bottest.Message, label string) error {
	channel, ts, _ := strings.Cut(m.ID, "/")
	now, ok := s.slack.Message(channel, ts)
	if !ok {
		return fmt.Errorf("message %s is gone", m.ID)
	}
	return s.acknowledged(ctx, s.slack.Person(name).Click(now, label))
}

func (s *stage) Submit(ctx context.Context, name string, values map[string]string) error {
	p := s.slack.Person(name)
	if ref, typed := values[fieldOfRef]; typed {
		d, offered := p.Choices(fieldOfRef, ref)
		if err := s.acknowledged(ctx, d); err == nil {
			if all, err := offered(); err != nil || !slices.Contains(all, ref) {
				return fmt.Errorf("%q is not among the refs that are offered: %q %v", ref, all, err)
			}
		}
	}
	return s.acknowledged(ctx, p.Submit(values))
}

// Messages are what maitred wrote, and the forms that are open.
func (s *stage) Messages() []bottest.Message {
	var out []bottest.Message
	for _, m := range s.slack.Messages("") {
		if m.User != s.slack.BotUserID {
			continue
		}
		seen := bottest.Message{
			ID: m.Channel + "/" + m.TS, Place: chat.Place{Chat: Name, Channel: m.Channel, Thread: m.Thread}, Only: s.reader(m),
			Text: legible(s.slack.Reads(m) + "\n" + s.slack.Reads(slacktest.Message{Text: m.Text})), Mention: s.slack.Mentions(m), Changed: m.Changed,
		}
		for _, b := range m.Buttons() {
			seen.Buttons = append(seen.Buttons, b.Label)
		}
		out = append(out, seen)
	}
	return append(out, s.forms()...)
}

// reader is the name of the only one who sees m; empty when everybody does.
func (s *stage) reader(m slacktest.Message) string {
	for _, name := range cast {
		if m.Only == slacktest.UserID(name) || m.Channel == slacktest.DirectID(name) {
			return name
		}
	}
	return m.Only
}

func (s *stage) forms() []bottest.Message {
	var out []bottest.Message
	for _, name := range cast {
		v, open := s.slack.Person(name).View()
		if !open {
			continue
		}
		text := s.slack.ReadsView(v)
		body, err := json.Marshal(v.Body)
		if err != nil {
			s.t.Errorf("a view does not marshal: %v", err)
		}
		var n noted
		metadata, _ := v.Body["private_metadata"].(string)
		if json.Unmarshal([]byte(metadata), &n) == nil && len(n.Secrets) > 0 {
			text += " (secret)"
		}
		out = append(out, bottest.Message{ID: v.ID, Only: name, Form: true, Text: legible(text + "\n" + string(body)), Changed: v.Changed})
	}
	return out
}

// spelled is a command as people type it in Slack.
var spelled = regexp.MustCompile(`[/@]maitred ([a-z]+)`)

// legible is text as eyes see it: blanks folded, without the marks that only keep
// Slack from formatting, and with the ids and commands that the conversations have.
func legible(text string) string {
	text = spelled.ReplaceAllStringFunc(text, func(found string) string {
		if word := spelled.FindStringSubmatch(found)[1]; heads()[word] {
			return "/" + word
		}
		return found
	})
	for _, name := range cast {
		text = strings.ReplaceAll(text, slacktest.UserID(name), "U-"+name)
	}
	return strings.Join(strings.Fields(strings.NewReplacer(thin, "", twins['*'], "*", twins['_'], "_", twins['~'], "~").Replace(text)), " ")
}
