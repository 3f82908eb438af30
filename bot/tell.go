package bot

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// telling are the keys whose answers were delivered, which is not stored yet. A
// crash before it is delivers them again, under the same keys.
type telling struct {
	storing sync.Mutex

	mu   sync.Mutex
	keys []string
}

// gathering is how long deliveries come together before they are stored.
const gathering = 50 * time.Millisecond

// tell delivers what is said to in. A chat that does not answer gets half a
// minute, and less when maitred is told to stop; the next start goes on then.
func (b *Bot) tell(in chat.Inbound, said []Said) {
	ctx, cancel := context.WithTimeoutCause(b.base, 30*time.Second, errTooLong)
	defer cancel()
	for i := range said {
		b.deliver(ctx, in, said[i], i)
	}
	if b.base.Err() == nil && len(said) > 0 {
		b.told(in.Key)
	}
}

// told stores, soon, that the answer to key was delivered.
func (b *Bot) told(key string) {
	b.telling.mu.Lock()
	defer b.telling.mu.Unlock()
	if b.telling.keys = append(b.telling.keys, key); len(b.telling.keys) == 1 {
		time.AfterFunc(gathering, b.storeTold)
	}
}

// storeTold stores what was told until now.
func (b *Bot) storeTold() {
	b.telling.storing.Lock() // whoever comes second returns when all is stored
	defer b.telling.storing.Unlock()
	b.telling.mu.Lock()
	keys := b.telling.keys
	b.telling.keys = nil
	b.telling.mu.Unlock()
	if len(keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), 10*time.Second, errTooLong)
	defer cancel()
	if err := b.Store.Told(ctx, keys...); err != nil {
		b.Log.Warn("deliveries not stored", zap.Int("answers", len(keys)), zap.Error(err))
	}
}

// deliver says s where in was said. A chat that cannot be reached is tried again
// for a while; what still cannot be said is logged, and stored all the same.
func (b *Bot) deliver(ctx context.Context, in chat.Inbound, s Said, i int) {
	sender := b.Senders[in.Place.Chat]
	if sender == nil {
		return // a caller who waits reads the stored answer
	}
	key := fmt.Sprintf("%s-said-%d", in.Key, i)
	wait := 200 * time.Millisecond
	for {
		err := speak(ctx, sender, in, s, key)
		if err == nil {
			return
		}
		if !fault.Is(err, fault.Unreachable) || ctx.Err() != nil {
			b.Log.Warn("answer not delivered", zap.String("key", in.Key), zap.String("chat", in.Place.Chat), zap.Error(err))
			return
		}
		select {
		case <-time.After(max(wait, chat.Patience(err))):
		case <-ctx.Done():
		}
		wait = min(2*wait, 5*time.Second)
	}
}

func speak(ctx context.Context, sender chat.Sender, in chat.Inbound, s Said, key string) error {
	if opener, ok := opens(sender, in); ok && s.Form != nil {
		return opener.OpenForm(ctx, in, *s.Form)
	}
	if s.Private && in.Person.Chat == in.Place.Chat {
		return sender.Whisper(ctx, in.Place, in.Person, s.Card, key)
	}
	if s.Private {
		return nil // somebody who is not in this chat reads the stored answer
	}
	_, err := sender.Post(ctx, in.Place, s.Card, key)
	return err
}

// opens reports whether whoever said in can be shown a form.
func opens(sender chat.Sender, in chat.Inbound) (chat.FormOpener, bool) {
	opener, ok := sender.(chat.FormOpener)
	return opener, ok && in.Source != chat.Scheduled && in.Source != chat.Called
}

// unfold says in words what a form asks for, where it cannot be shown.
func (b *Bot) unfold(in chat.Inbound, s *Said) {
	sender := b.Senders[in.Place.Chat]
	if s.Form == nil || sender == nil {
		return
	}
	if _, ok := opens(sender, in); !ok {
		_, elsewhere := sender.(chat.FormOpener)
		s.Card, s.Refused = formless(*s.Form, elsewhere), true
	}
}

// formless is said where a form cannot be shown.
func formless(f chat.Form, elsewhere bool) chat.Card {
	var labels []string
	for _, field := range f.Fields {
		labels = append(labels, field.Label)
	}
	text := fmt.Sprintf("%s needs a form (%s), and one cannot be shown here.", f.Title, strings.Join(labels, ", "))
	if elsewhere {
		text += fmt.Sprintf(" Type %s in the chat yourself.", f.Line)
	}
	return chat.Card{Title: f.Title, State: chat.Warning, Text: text}
}
