package commands

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

// Changing is what every command has that submits an operation or changes a
// thing that the engine does not recognise by its key.
type changes struct{}

func (changes) once() {}

// submits is what every command has that submits an operation under the key of
// its line, by which the engine recognises it.
type submits struct{}

func (submits) operates() {}

// submit asks the engine for an operation. Its message goes to the channel, not
// into the thread of whatever was talked about; work that is live already is
// answered with a link to it.
func submit(ctx context.Context, c Call, s Services, kind platform.Kind, t platform.Target, source *platform.Source, args any) (Answer, error) {
	var raw json.RawMessage
	if args != nil {
		var err error
		if raw, err = json.Marshal(args); err != nil {
			return Answer{}, fmt.Errorf("write arguments of %s: %w", kind, err)
		}
	}
	place := c.Place.Top()
	if place == (chat.Place{}) {
		place = s.Apps.Home(t)
	}
	op, err := s.Operations.Submit(ctx, engine.Request{
		Key: c.Key, Inbound: true, Kind: kind, Target: t, Source: source, Args: raw,
		Requester: c.Person, Place: place,
	})
	if twin := new(engine.Duplicate); errors.As(err, &twin) {
		return Answer{Card: FaultCard(err, nil), Private: true, Operation: twin.ID, Duplicate: true}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{Operation: op.ID, Started: true}, nil
}

// provider is the platform behind t.
func provider[C any](s Services, t platform.Target, to string) (C, error) {
	var none C
	p, err := s.Apps.Provider(t)
	if err != nil {
		return none, err
	}
	return platform.Need[C](p, to)
}

// say is a card that is a sentence.
func say(format string, args ...any) chat.Card { return chat.Card{Text: fmt.Sprintf(format, args...)} }
