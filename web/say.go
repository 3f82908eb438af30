package web

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"maitred/bot"
	"maitred/chat"
	"maitred/fault"
	"maitred/notifications"
)

// sayRequest is the body of POST /v1/say.
type sayRequest struct {
	Text    string `json:"text"`
	As      string `json:"as"` // in the demo: the persona
	Channel string `json:"channel"`
	Thread  string `json:"thread"`
	Key     string `json:"key"` // the caller's own; the same one twice is one line
}

// sayAnswer is what was said to the line.
type sayAnswer struct {
	Key       string `json:"key"`
	Said      []said `json:"said"`
	Operation int64  `json:"operation,omitempty"`
	Started   bool   `json:"started"`
}

type said struct {
	Text    string     `json:"text"`
	Card    chat.Card  `json:"card"`
	Private bool       `json:"private"`
	Form    *chat.Form `json:"form,omitempty"`
	Refused bool       `json:"refused"`
}

// say hands a line to the door and answers with what maitred says to it: not
// that it was heard, but what came of it.
func (s *Server) say(w http.ResponseWriter, r *http.Request) {
	in, err := s.inbound(r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	ack, err := s.options.Door.Receive(r.Context(), in)
	if err != nil {
		s.refuse(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.options.Patience)
	defer cancel()
	heard, err := s.options.Waiter.Wait(ctx, in.Key)
	if errors.Is(err, context.DeadlineExceeded) {
		s.answer(w, http.StatusGatewayTimeout, problem{
			Error: "The line was heard, but it is not answered yet.",
			Hint:  "Say it again with the key " + callersKey(in.Key) + " to go on waiting; it will not be done twice.",
			Kind:  fault.Busy.String(),
		})
		return
	}
	if err != nil {
		s.refuse(w, err)
		return
	}
	if ack.Known && !s.sameLine(heard.In, in) {
		s.refuse(w, fault.New(fault.Refused, "web.say", "Use another key for another line.",
			"The key %s was used before, for another line.", callersKey(in.Key)))
		return
	}
	answer, err := s.answerTo(r.Context(), in.Key, heard)
	if err != nil {
		s.refuse(w, err)
		return
	}
	s.answer(w, http.StatusOK, answer)
}

// answerTo words what was said. A line that started an operation has no words of
// its own: the operation's card is the answer.
func (s *Server) answerTo(ctx context.Context, key string, heard bot.Heard) (sayAnswer, error) {
	answer := sayAnswer{Key: callersKey(key), Said: []said{}, Operation: heard.Operation, Started: heard.Started}
	for _, a := range heard.Said {
		text := a.Card.Text
		if text == "" && a.Form != nil {
			text = a.Form.Title + ": this asks for values in a form, which only a chat can show."
		}
		answer.Said = append(answer.Said, said{Text: text, Card: a.Card, Private: a.Private, Form: a.Form, Refused: a.Refused})
	}
	if len(answer.Said) == 0 && heard.Operation != 0 {
		subject := notifications.Subject{Kind: notifications.OperationSubject, ID: heard.Operation}
		card, _, err := s.options.Renderer.Render(ctx, subject)
		if err != nil {
			return answer, err
		}
		answer.Said = append(answer.Said, said{Text: card.Text, Card: card})
	}
	return answer, nil
}

// inbound reads the line and who says it.
func (s *Server) inbound(r *http.Request) (chat.Inbound, error) {
	var body sayRequest
	if err := readJSON(r, &body); err != nil {
		return chat.Inbound{}, err
	}
	if strings.TrimSpace(body.Text) == "" {
		return chat.Inbound{}, fault.New(fault.Invalid, "web.say", `Send {"text": "/help"}.`, "There is no text to say.")
	}
	person, err := s.speaker(r.Context(), body.As)
	if err != nil {
		return chat.Inbound{}, err
	}
	place, err := s.options.Place(body.Channel, body.Thread)
	if err != nil {
		return chat.Inbound{}, err
	}
	if len(body.Key) > 200 {
		return chat.Inbound{}, fault.New(fault.Invalid, "web.say", "Use at most 200 characters.", "The key is %d characters long.", len(body.Key))
	}
	if body.Key == "" {
		body.Key = rand.Text()
	}
	return chat.Inbound{
		Key:    keyPrefix(person) + body.Key,
		Person: person, Place: place, Line: body.Text, Source: chat.Called, At: time.Now(),
	}, nil
}

// speaker is the owner of the token, or in the demo the persona named.
func (s *Server) speaker(ctx context.Context, as string) (chat.Person, error) {
	if p, ok := owner(ctx); ok {
		if as != "" && as != p.Who && as != p.ID {
			return p, fault.New(fault.Forbidden, "web.say", `Leave "as" out.`, "This token belongs to %s and speaks for nobody else.", p.Label())
		}
		return p, nil
	}
	p, ok := s.options.Personas(as)
	if !ok {
		return p, fault.New(fault.Invalid, "web.say", `In the demo "as" is dev, lead or oncall.`, "There is no persona %q.", as)
	}
	return p, nil
}

// keyPrefix keeps the keys of different owners apart.
func keyPrefix(p chat.Person) string { return "say/" + p.Chat + "/" + p.ID + "/" }

func callersKey(key string) string { return key[strings.LastIndex(key, "/")+1:] }

// sameLine reports whether a repeated key came with the line that it came with
// first, which was stored clean and without what must not be kept.
func (s *Server) sameLine(stored, given chat.Inbound) bool {
	return stored.Line == given.Line || s.options.Kept != nil && stored.Line == s.options.Kept(bot.Clean(given.Line))
}

// readJSON reads the body into v. Anything but JSON is refused: a form on
// another site cannot send JSON without asking first.
func readJSON(r *http.Request, v any) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return fault.New(fault.Invalid, "web.body", "Send the header Content-Type: application/json.", "The body must be JSON.")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err = d.Decode(v)
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return &fault.Error{Kind: fault.Invalid, Op: "web.body", Err: err,
			Say: "The body is longer than 1 MiB.", Hint: "Say it in fewer words."}
	}
	if err != nil {
		return &fault.Error{Kind: fault.Invalid, Op: "web.body", Err: err,
			Say: "The body cannot be read as JSON: " + err.Error() + ".", Hint: `Send {"text": "/help"}.`}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "web.body", `Send {"text": "/help"} and nothing after it.`, "The body is more than one JSON object.")
	}
	return nil
}
