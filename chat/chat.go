package chat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Door is where everything that is heard goes in.
type Door interface {
	// Receive commits in, or finds that it is known; only then may the chat be
	// told that it was heard. The answer comes later through the Sender. An
	// error means that nothing was stored.
	Receive(ctx context.Context, in Inbound) (Ack, error)
	// Complete suggests how who could finish line at the place, best first. It
	// offers only what who may do, and never fails: no idea is no suggestion.
	Complete(ctx context.Context, who Person, at Place, line string) []Completion
}

// Hearer hears one chat until ctx ends.
type Hearer interface {
	Name() string // "webchat", "slack"
	Run(ctx context.Context, door Door) error
}

// Sender speaks in one chat. An error of kind fault.Unreachable is worth
// another try; fault.Missing means that the place or the message is gone.
type Sender interface {
	Name() string
	// Post shows c at to. The same key twice is one message wherever the chat
	// allows it.
	Post(ctx context.Context, to Place, c Card, key string) (MessageRef, error)
	// Edit makes the message look like c.
	Edit(ctx context.Context, ref MessageRef, c Card) error
	// Whisper shows c at to, to who alone. The same key twice is one message
	// wherever the chat allows it.
	Whisper(ctx context.Context, to Place, who Person, c Card, key string) error
}

// Host is a Door that can show somebody what concerns them now, for chats that
// have a page for it. It shows only what who may see, and never fails: what
// cannot be read is said in a card.
type Host interface {
	Home(ctx context.Context, who Person) []Card
}

// Wait is a failure of a chat that says how long to leave it alone.
type Wait struct {
	For time.Duration
	Err error
}

func (w *Wait) Error() string { return fmt.Sprintf("%v (wait %s)", w.Err, w.For) }

func (w *Wait) Unwrap() error { return w.Err }

// Patience is how long err asks to leave the chat alone; zero when it does not
// say.
func Patience(err error) time.Duration {
	var w *Wait
	if errors.As(err, &w) {
		return w.For
	}
	return 0
}

// The optional abilities of a chat, asked for by type assertion.
type (
	// FormOpener can ask for values privately.
	FormOpener interface {
		OpenForm(ctx context.Context, in Inbound, f Form) error
	}
	// Pacer knows how long to leave a message alone after it was edited.
	Pacer interface {
		Pace() time.Duration
	}
	// Finder finds the message that was posted at to under key, when nobody
	// knows how an earlier Post ended.
	Finder interface {
		Find(ctx context.Context, to Place, key string) (ref MessageRef, found bool, err error)
	}
	// Uploader can carry a file where a card is too small.
	Uploader interface {
		Upload(ctx context.Context, to Place, name string, data []byte, key string) error
	}
	// Knower can tell more of a person than what they said carries: groups, time
	// zone, whether they are a guest. Anew asks the chat, whatever is remembered.
	// Faults: Forbidden (nobody who may say anything), Unreachable.
	Knower interface {
		Know(ctx context.Context, who Person, anew bool) (Person, error)
	}
	// HTTPHearer hears by HTTP; web mounts the handler below prefix.
	HTTPHearer interface {
		Handler() (prefix string, h http.Handler)
	}
)
