package bot

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
)

// errTooLong is why a line is given up.
var errTooLong = errors.New("it took too long")

// result is what came of a line.
type result struct {
	verb    string
	target  commands.Target
	answer  commands.Answer
	err     error
	ignored bool // it was not meant for maitred after all
}

// carryOut understands, allows and runs the line of h, says what came of it, and
// ends the row. When maitred stops meanwhile the row stays, for the next start.
func (b *Bot) carryOut(ctx context.Context, h Heard) {
	began := time.Now()
	r := b.attempt(ctx, &h.In) // as the person is known now: rights may have changed since it was heard
	if r.err != nil && b.base.Err() != nil {
		return
	}
	if r.err != nil && errors.Is(context.Cause(ctx), errTooLong) && !fault.Is(r.err, fault.Refused) {
		r.err = &fault.Error{Kind: fault.Unreachable, Op: "bot.carry-out", Err: r.err, Hint: "/queue",
			Say: fmt.Sprintf("That took longer than %s, so I gave up on it.", chat.Span(b.Patience))}
	}
	b.metrics.took(r.verb, outcome(r.err), time.Since(began))
	b.conclude(ctx, h.In, r)
}

// try is carryOut without the talking; a panic is a fault like any other.
func (b *Bot) try(ctx context.Context, in chat.Inbound) (r result) {
	defer func() {
		if p := recover(); p != nil {
			b.Log.Error("command panicked", zap.String("key", in.Key), zap.Any("panic", p), zap.Stack("stack"))
			r.err = fault.Of(fmt.Errorf("panic: %v", p))
		}
	}()
	if r.err = b.Policy.Admit(in.Person); r.err != nil {
		return r
	}
	call := b.call(ctx, in)
	if in.Source == chat.Typed || in.Source == "" {
		if bare(in.Line) && call.Subject == 0 && in.Place.Thread != "" {
			r.ignored = true // people agreeing with each other in some other thread
			return r
		}
	}
	order, err := b.Registry.Parse(in.Line)
	if err != nil {
		r.err = err
		return r
	}
	r.verb = order.Verb
	if r.target, r.err = b.Registry.Aim(ctx, call, order); r.err != nil {
		return r
	}
	if r.err = b.allow(in.Person, order, r.target); r.err != nil {
		return r
	}
	r.answer, r.err = b.Registry.Run(ctx, call, order)
	return r
}

func (b *Bot) call(ctx context.Context, in chat.Inbound) commands.Call {
	c := commands.Call{Person: in.Person, Place: in.Place, Key: in.Key, Fields: in.Fields, Source: in.Source, Now: b.Now()}
	if in.Place.Thread != "" {
		c.Subject, _ = b.Subject(ctx, in.Place)
	}
	return c
}

// allow checks the right to give an order. What is open to everybody needs none;
// what is about everything at once needs a right without limits.
func (b *Bot) allow(who chat.Person, o *commands.Order, t commands.Target) error {
	if o.Open() {
		return nil
	}
	if t.App == "" && wholesale[o.Verb] {
		return b.Policy.Everywhere(who, o.Verb)
	}
	return b.Policy.May(who, o.Verb, t)
}

// wholesale are the verbs that, without an app, change something for all apps.
var wholesale = map[string]bool{"freeze": true, "unfreeze": true}

// conclude says what came of a line and ends its row with its audit row. It goes
// on when maitred is told to stop: the work is done and wants to be known.
func (b *Bot) conclude(ctx context.Context, in chat.Inbound, r result) {
	said, word, detail := b.word(ctx, in, r)
	row := b.record(in, r.verb, subject(r.target, r.answer.Operation), word, detail)
	b.finish(in, said, r.answer.Operation, r.answer.Started, row)
}

// finish ends the row with what is said, and delivers that. In this order: who
// reads the answer finds it in the audit, and after a crash in between the next
// start delivers it again under the same keys.
func (b *Bot) finish(in chat.Inbound, said []Said, operation int64, started bool, row commands.AuditRow) {
	for i := range said {
		said[i].Card = said[i].Card.Map(b.Redact)
		b.unfold(in, &said[i])
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), 30*time.Second, errTooLong)
	defer cancel()
	err := b.Store.Answered(ctx, in.Key, said, operation, started, row)
	if fault.Is(err, fault.Refused) {
		b.Log.Info("answered elsewhere", zap.String("key", in.Key))
		return
	}
	if err != nil { // it is delivered all the same: somebody waits for it
		b.Log.Error("answer not stored", zap.String("key", in.Key), zap.Error(err))
	}
	b.done.ring(in.Key)
	b.tell(in, said)
}

// word is what is said, the outcome for the audit and its detail.
func (b *Bot) word(ctx context.Context, in chat.Inbound, r result) (said []Said, word, detail string) {
	if r.err != nil {
		f := b.explain(in, r)
		s := Said{Card: commands.FaultCard(f, b.sayable(ctx, in)), Private: in.Source != chat.Scheduled, Refused: true}
		if in.Source == chat.Scheduled {
			s.Card = aloud(s.Card, in) // nobody is there to whisper to
		}
		return []Said{s}, outcome(r.err), f.Say
	}
	a := r.answer
	switch {
	case r.ignored:
		return nil, outcomeIgnored, ""
	case a.Form != nil:
		s := Said{Form: a.Form, Private: true, Card: a.Card}
		if s.Card.Text == "" {
			s.Card = chat.Card{Title: a.Form.Title, Text: a.Form.Title + ": " + fallback(a.Form.Text, "please fill in the form.")}
		}
		return []Said{s}, outcomeAsked, a.Form.Title
	case a.Card.Text != "" || a.Card.Title != "":
		said = []Said{{Card: a.Card, Private: a.Private}}
	}
	if a.Operation != 0 {
		detail = fmt.Sprintf("#%d", a.Operation)
	}
	if a.Duplicate {
		return said, outcomeDuplicate, detail
	}
	return said, outcomeOK, detail
}

// sayable tells why the person of in may not say a line, nil when they may. A
// line of which that cannot be told is theirs to try.
func (b *Bot) sayable(ctx context.Context, in chat.Inbound) func(line string) error {
	in.Fields = nil // they were for the line that failed
	return func(line string) error {
		order, err := b.Registry.Parse(line)
		if err != nil {
			return nil
		}
		t, err := b.Registry.Aim(ctx, b.call(ctx, in), order)
		if err != nil {
			return nil
		}
		return b.allow(in.Person, order, t)
	}
}

// explain is the fault as the person reads it. What is ours to mend gets a
// reference, under which the log has the cause. This is where faults are logged.
func (b *Bot) explain(in chat.Inbound, r result) *fault.Error {
	f := fault.Of(r.err)
	fields := []zap.Field{zap.String("key", in.Key), zap.String("who", in.Person.Label()), zap.String("verb", r.verb), zap.Error(r.err)}
	switch f.Kind {
	case fault.Internal:
		reference := strings.ToLower(rand.Text()[:6])
		b.Log.Error("line failed", append(fields, zap.String("reference", reference))...)
		told := *f
		told.Say = fmt.Sprintf("%s The log has the cause under the reference %s.", f.Say, reference)
		told.Hint = fallback(f.Hint, "Tell whoever runs maitred the reference; nothing else has to be done.")
		return &told
	case fault.Unreachable:
		b.Log.Warn("line failed", fields...)
	default:
		b.Log.Debug("line refused", fields...)
	}
	if d := new(fault.Error); errors.As(r.err, &d) {
		return d
	}
	return f
}

// aloud makes a refusal one that the person who scheduled the line notices.
func aloud(c chat.Card, in chat.Inbound) chat.Card {
	c.Mention = []chat.Person{in.Person}
	c.Notes = append(c.Notes, fmt.Sprintf("A schedule of %s said: %s", in.Person.Label(), in.Line))
	c.Text = fmt.Sprintf("A schedule of %s said %s, and: %s", in.Person.Label(), in.Line, c.Text)
	return c
}

func fallback(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
