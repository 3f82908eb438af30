package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"maitred/chat"
	"maitred/fault"
)

// sayFlags are what say was asked to do.
type sayFlags struct {
	server, as, channel, thread, token string
	wait, json                         bool
}

// say posts a line to a running maitred and prints what it answers: not that it
// was heard, but what came of it. With --wait it follows the operation that the
// line started. It ends with 0 when the line was answered (and the operation
// succeeded), and with 1 when it was refused or failed.
func say(ctx context.Context, t terminal, args []string) error {
	var f sayFlags
	text, err := flags(t, "say", args, func(s *flag.FlagSet) {
		s.StringVar(&f.server, "server", orElse(os.Getenv("MAITRED_SERVER"), "http://127.0.0.1:8080"), "where maitred listens (or $MAITRED_SERVER)")
		s.StringVar(&f.as, "as", "", "in the demo: the persona who says it")
		s.StringVar(&f.channel, "channel", "", "the channel it is said in")
		s.StringVar(&f.thread, "thread", "", "the message whose thread it is said in")
		s.StringVar(&f.token, "token", os.Getenv("MAITRED_TOKEN"), "the token (better in $MAITRED_TOKEN, which others on the machine cannot read)")
		s.BoolVar(&f.wait, "wait", false, "follow the operation to its end")
		s.BoolVar(&f.json, "json", false, "print one JSON object per line")
	})
	if err != nil {
		return err
	}
	if len(text) == 0 {
		return mistyped("say", "say needs the text to say.")
	}
	s := speaker{flags: f, terminal: t, client: &http.Client{Timeout: 2 * time.Minute}}
	return s.say(ctx, strings.Join(text, " "))
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// speaker says one line.
type speaker struct {
	flags    sayFlags
	terminal terminal
	client   *http.Client
}

// answered is what POST /v1/say says.
type answered struct {
	Said []struct {
		Text    string          `json:"text"`
		Card    chat.Card       `json:"card"`
		Private bool            `json:"private"`
		Form    json.RawMessage `json:"form"`
		Refused bool            `json:"refused"`
	} `json:"said"`
	Operation int64 `json:"operation"`
	Started   bool  `json:"started"`
}

// line is one answer as --json prints it.
type line struct {
	Operation int64      `json:"operation,omitempty"`
	Text      string     `json:"text"`
	Private   bool       `json:"private,omitempty"`
	Refused   bool       `json:"refused,omitempty"`
	Hint      string     `json:"hint,omitempty"`
	Card      *chat.Card `json:"card,omitempty"`
}

func (s *speaker) say(ctx context.Context, text string) error {
	body, err := json.Marshal(map[string]string{
		"text": text, "as": s.flags.as, "channel": s.flags.channel, "thread": s.flags.thread,
		"key": rand.Text(), // said again when the connection breaks, it is still one line
	})
	if err != nil {
		return err
	}
	var a answered
	if err := s.patiently(ctx, http.MethodPost, "/v1/say", string(body), &a); err != nil {
		return s.refused(err)
	}
	refused := false
	for _, said := range a.Said {
		refused = refused || said.Refused || len(said.Form) > 0 && string(said.Form) != "null"
		l := line{Text: said.Text, Private: said.Private, Refused: said.Refused, Card: &said.Card}
		if a.Started {
			l.Operation = a.Operation
		}
		s.print(l)
	}
	if refused {
		return quiet(1)
	}
	if s.flags.wait && a.Started {
		return s.follow(ctx, a.Operation)
	}
	return nil
}

// refused tells why there is no answer, on the way that was asked for.
func (s *speaker) refused(err error) error {
	if !s.flags.json {
		return err
	}
	f := fault.Of(err)
	s.print(line{Text: f.Say, Hint: f.Hint, Refused: true})
	return quiet(1)
}

func (s *speaker) print(l line) {
	if s.flags.json {
		s.object(l)
		return
	}
	fmt.Fprint(s.terminal.out, plain(l.Text, l.Card))
}

func (s *speaker) object(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		text, _ = json.Marshal(line{Text: err.Error(), Refused: true})
	}
	fmt.Fprintln(s.terminal.out, string(text))
}

// operationSeen is what GET /v1/operations/{id} says, as far as it matters here.
type operationSeen struct {
	ID      int64  `json:"id"`
	State   string `json:"state"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Undone  bool   `json:"undone"`
	Steps   []struct {
		Name  string `json:"name"`
		State string `json:"state"`
	} `json:"steps"`
}

func (o operationSeen) ended() bool {
	return o.State == "succeeded" || o.State == "failed" || o.State == "cancelled"
}

// follow prints how an operation goes on, to its end.
func (s *speaker) follow(ctx context.Context, id int64) error {
	var before operationSeen
	for {
		var raw json.RawMessage
		var o operationSeen
		if err := s.patiently(ctx, http.MethodGet, fmt.Sprintf("/v1/operations/%d", id), "", &raw); err != nil {
			return s.refused(err)
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return fmt.Errorf("read operation: %w", err)
		}
		if !s.flags.json {
			s.progress(before, o)
		}
		if before = o; o.ended() {
			if s.flags.json {
				s.object(ending{Operation: o.ID, Ended: raw})
			}
			if o.State == "succeeded" {
				return nil
			}
			return quiet(1)
		}
		select {
		case <-ctx.Done():
			return fault.New(fault.Unreachable, "say", fmt.Sprintf("/operation %d", id), "Nobody waits for #%d any more; it goes on.", id)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ending is the last line of --wait --json: the number of the operation beside
// all that is known of it.
type ending struct {
	Operation int64
	Ended     json.RawMessage
}

// MarshalJSON puts the number into the object of the operation.
func (e ending) MarshalJSON() ([]byte, error) {
	all := map[string]any{}
	if err := json.Unmarshal(e.Ended, &all); err != nil {
		return nil, err
	}
	all["operation"] = e.Operation
	return json.Marshal(all)
}

func (s *speaker) progress(was, is operationSeen) {
	for i, step := range is.Steps {
		if (i >= len(was.Steps) || was.Steps[i].State != step.State) && step.State != string(chat.StepPending) {
			fmt.Fprintf(s.terminal.out, "  %s %s: %s\n", chat.StepState(step.State).Mark(), step.Name, step.State)
		}
	}
	if was.State == is.State {
		return
	}
	text := fmt.Sprintf("#%d is %s.", is.ID, is.State)
	if is.ended() {
		text = fmt.Sprintf("#%d has %s.", is.ID, is.State)
		if is.State == "cancelled" {
			text = fmt.Sprintf("#%d was cancelled.", is.ID)
		}
		if is.Undone {
			text += " What it had changed was undone."
		}
		if is.Message != "" {
			text += " " + is.Message
		}
	}
	fmt.Fprintln(s.terminal.out, text)
}

// patiently asks until there is an answer: maitred may be restarting, and a line
// that takes long is asked for again under the same key. A server that was never
// there is not waited for.
func (s *speaker) patiently(ctx context.Context, method, path, body string, into any) error {
	var met bool
	for deadline := time.Now().Add(time.Minute); ; {
		status, err := s.ask(ctx, method, path, body, into)
		met = met || status != 0 || method == http.MethodGet
		again := status == http.StatusGatewayTimeout || status == 0 && met
		if err == nil || !again || ctx.Err() != nil {
			return err
		}
		if status == http.StatusGatewayTimeout {
			deadline = time.Now().Add(time.Minute) // it is there, and at it
		}
		if time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// ask makes one request. Status zero means that nothing answered.
func (s *speaker) ask(ctx context.Context, method, path, body string, into any) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(s.flags.server, "/")+path, strings.NewReader(body))
	if err != nil {
		return -1, fault.New(fault.Invalid, "say", "--server http://127.0.0.1:8080", "%q is no address of a maitred.", s.flags.server)
	}
	r.Header.Set("Content-Type", "application/json")
	if s.flags.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.flags.token)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return 0, &fault.Error{Kind: fault.Unreachable, Op: "say", Err: err,
			Say: fmt.Sprintf("No maitred answers at %s.", s.flags.server), Hint: "Start one with maitred demo, or name it with --server."}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0, &fault.Error{Kind: fault.Unreachable, Op: "say", Err: err, Say: "The answer broke off.", Hint: "Say it again."}
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(answer, into); err != nil {
			return -1, &fault.Error{Kind: fault.Invalid, Op: "say", Err: err,
				Say: fmt.Sprintf("What answers at %s is no maitred.", s.flags.server), Hint: "Name one with --server."}
		}
		return resp.StatusCode, nil
	}
	var problem struct{ Error, Hint string }
	if json.Unmarshal(answer, &problem) != nil || problem.Error == "" {
		problem.Error = fmt.Sprintf("What answers at %s is no maitred: %s.", s.flags.server, resp.Status)
	}
	if resp.StatusCode == http.StatusUnauthorized { // a person at a terminal sends no headers
		problem.Hint = "Put a token in $MAITRED_TOKEN, or give it with --token; maitred token makes one."
	}
	return resp.StatusCode, fault.New(fault.Refused, "say", problem.Hint, "%s", problem.Error)
}

// plain is a card for a terminal.
func plain(text string, c *chat.Card) string {
	var b strings.Builder
	fmt.Fprintln(&b, text)
	if c == nil {
		return b.String()
	}
	for _, f := range c.Fields {
		fmt.Fprintf(&b, "  %s: %s\n", f.Label, f.Value)
	}
	for _, step := range c.Steps {
		fmt.Fprintf(&b, "  %s %s", step.State.Mark(), step.Name)
		if step.Say != "" {
			fmt.Fprintf(&b, " (%s)", step.Say)
		}
		fmt.Fprintln(&b)
	}
	for _, note := range c.Notes {
		if !strings.Contains(text, note) {
			fmt.Fprintf(&b, "  %s\n", note)
		}
	}
	if c.Output != "" {
		fmt.Fprintln(&b, strings.TrimRight(c.Output, "\n"))
	}
	return b.String()
}
