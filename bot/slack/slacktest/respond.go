package slacktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// A response URL works so often and so long.
const (
	AnswerUses = 5
	AnswerLife = 30 * time.Minute
)

type answerURL struct {
	at      time.Time
	used    int
	user    string
	channel string
	thread  string
	ts      string // the message that a click came from
}

func (s *Slack) newAnswer(a answerURL) string {
	a.at = s.now()
	id := s.id("R")
	s.answers[id] = &a
	return s.base + "/respond/" + s.TeamID + "/" + id
}

func (s *Slack) respond(w http.ResponseWriter, r *http.Request) {
	arrived := s.Now()
	if !s.pause(r, "response_url") {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.answers[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
	var in map[string]any
	call := Call{Method: "response_url", Args: args{"url": s.base + r.URL.Path, "body": string(body)}, At: arrived, Status: http.StatusOK}
	switch {
	case err != nil || json.Unmarshal(body, &in) != nil:
		call.Status, call.Error = http.StatusBadRequest, "invalid_payload"
	case a == nil:
		call.Status, call.Error = http.StatusNotFound, "no_text"
	case s.now().Sub(a.at) > AnswerLife && !s.wrong[AnswersForEver]:
		call.Status, call.Error = http.StatusNotFound, "expired_url"
	case a.used >= AnswerUses && !s.wrong[AnswersForEver]:
		call.Status, call.Error = http.StatusNotFound, "used_url"
	default:
		a.used++
		if err := s.put(a, in); err != nil {
			call.Status, call.Error = http.StatusBadRequest, err.Error()
		}
	}
	s.calls = append(s.calls, call)
	s.bump()
	if call.Error != "" {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(call.Status)
		fmt.Fprintf(w, `{"ok":false,"error":%q}`, call.Error)
		return
	}
	io.WriteString(w, "ok") //nolint:errcheck
}

// put shows, replaces or deletes what an answer says. The lock is held.
func (s *Slack) put(a *answerURL, in map[string]any) error {
	flag := func(k string) bool { b, _ := in[k].(bool); return b }
	old := s.find(a.channel, a.ts)
	if flag("delete_original") {
		if old != nil {
			old.Deleted = true
		}
		return nil
	}
	form := args{}
	for _, k := range []string{"text", "blocks", "metadata"} {
		switch v := in[k].(type) {
		case nil:
		case string:
			form[k] = v
		default:
			form[k] = string(raw(v))
		}
	}
	said, f := s.say(form)
	if f != nil {
		return errors.New(f.code)
	}
	if flag("replace_original") && old != nil {
		old.Text, old.Blocks, old.Edits, old.Changed = said.text, said.blocks, old.Edits+1, s.version+1
		return nil
	}
	m := &Message{Channel: a.channel, Thread: a.thread, User: s.BotUserID, Only: a.user, Text: said.text, Blocks: said.blocks}
	if t, ok := in["thread_ts"].(string); ok {
		m.Thread = t
	}
	if in["response_type"] == "in_channel" {
		m.Only = ""
	}
	s.add(m)
	return nil
}

// reply shows what the acknowledgement of a command said. The lock is held.
func (s *Slack) reply(a answerURL, payload json.RawMessage) error {
	if !meaningful(payload) {
		return nil
	}
	var in map[string]any
	if json.Unmarshal(payload, &in) != nil {
		in = map[string]any{"text": string(payload)} // plain text is a reply, too
	}
	return s.put(&a, in)
}
