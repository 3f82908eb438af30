package bot

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
)

// know completes who with what the configuration and the chat say of them. A
// stranger is not asked for: nothing that the chat could say gives them a right.
// When the chat cannot tell, a person who is there waits for it; what a clock or
// a caller says goes on with what the configuration alone gives.
func (b *Bot) know(ctx context.Context, in chat.Inbound, anew bool) (chat.Person, error) {
	who := b.Policy.Know(in.Person)
	knower, ok := b.Senders[who.Chat].(chat.Knower)
	if !ok || who.Who == "" {
		return who, nil
	}
	known, err := knower.Know(ctx, who, anew)
	switch {
	case err == nil:
		return known, nil
	case fault.Is(err, fault.Forbidden):
		return known, err
	case in.Source == chat.Scheduled || in.Source == chat.Called:
		b.Log.Warn("chat does not tell who somebody is", zap.String("who", who.Who), zap.String("chat", who.Chat), zap.Error(err))
		return who, nil
	}
	f := fault.Of(err)
	return who, &fault.Error{Kind: f.Kind, Op: "bot.know", Err: err, Hint: fallback(f.Hint, "Say it again in a moment."),
		Say: fmt.Sprintf("I could not find out who you are, so I did nothing. %s", f.Say)}
}

// attempt carries a line out as the person is known now. A refusal may be as old
// as what is remembered of them, so the chat is asked anew before it is told.
func (b *Bot) attempt(ctx context.Context, in *chat.Inbound) result {
	var err error
	if in.Person, err = b.know(ctx, *in, false); err != nil {
		return result{err: err}
	}
	r := b.try(ctx, *in)
	if !fault.Is(r.err, fault.Forbidden) {
		return r
	}
	again, err := b.know(ctx, *in, true)
	if err != nil && !fault.Is(err, fault.Forbidden) {
		r.err = &fault.Error{Kind: fault.Forbidden, Op: "bot.know", Err: errors.Join(r.err, err), Hint: fault.Of(r.err).Hint,
			Say: fmt.Sprintf("%s I could not ask anew what you are given by groups. %s", fault.Of(r.err).Say, fault.Of(errors.Unwrap(err)).Say)}
	}
	if err != nil || reflect.DeepEqual(again, in.Person) {
		return r
	}
	in.Person = again
	return b.try(ctx, *in)
}

// Home shows who what concerns them now: chat.Host.
func (b *Bot) Home(ctx context.Context, who chat.Person) []chat.Card {
	who, err := b.know(ctx, chat.Inbound{Person: who}, false)
	if err == nil {
		err = b.Policy.Admit(who)
	}
	var cards []chat.Card
	if err == nil {
		call := commands.Call{Person: who, Place: chat.Place{Chat: who.Chat}, Source: chat.Typed, Now: b.Now()}
		cards, err = b.Registry.Home(ctx, call)
	}
	if err != nil {
		b.Log.Info("home refused", zap.String("who", who.Label()), zap.Error(err))
		cards = []chat.Card{commands.FaultCard(fault.Of(err), nil)}
	}
	for i := range cards {
		cards[i] = cards[i].Map(b.Redact)
	}
	return cards
}

var _ chat.Host = (*Bot)(nil)

// Groups are the groups of a chat that give some role, in order. No other group
// means anything.
func (p *Policy) Groups(inChat string) []string {
	b := p.now()
	return b.groups(inChat, slices.Collect(maps.Keys(b.Rules.Roles)))
}
