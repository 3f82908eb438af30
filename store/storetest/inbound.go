package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"maitred/bot"
	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
)

// line is something that ann typed.
func line(key string) chat.Inbound {
	return chat.Inbound{Key: key, Person: ann, Place: square, Line: "/deploy ocpizza", Source: chat.Typed, At: noon,
		Reply: chat.ReplyRef{Data: []byte{0, 1, 2}, Expires: noon.Add(time.Hour)}}
}

// hear commits a line.
func hear(t testing.TB, s *store.Store, in chat.Inbound, owner string, lease time.Duration) bool {
	t.Helper()
	return got[bool](t)(s.Hear(ctx, in, nil, owner, lease))
}

func inboundOnce(t *testing.T, p Place) {
	s := p.Open(t)
	const callers, keys = 16, 10
	news := make(chan int)
	for range callers {
		go func() {
			n := 0
			for k := range keys {
				known, err := s.Hear(ctx, line(numbered("k", k)), nil, "one", time.Minute)
				if err != nil {
					n = -1000
				}
				if !known {
					n++
				}
			}
			news <- n
		}()
	}
	total := 0
	for range callers {
		total += <-news
	}
	same(t, "rows that were new", total, keys)
	h := got[bot.Heard](t)(s.Heard(ctx, "k-3"))
	same(t, "what was heard", h, bot.Heard{In: line("k-3")})
	_, err := s.Heard(ctx, "never")
	wants(t, err, fault.Missing)
}

func inboundBytes(t *testing.T, p Place) {
	s := p.Open(t)
	in := line("key\x00 with \xff bytes")
	in.Line = "/deploy \x00\x01\u2028\xff" + strings.Repeat("é", 40_000)
	in.Fields = map[string]string{"na\x00me": "va\x00lue"}
	in.Secrets = map[string]string{"password": "canary"}
	same(t, "known", hear(t, s, in, "one", time.Minute), false)
	same(t, "known again", hear(t, s, in, "one", time.Minute), true)
	h := got[bot.Heard](t)(s.Heard(ctx, in.Key))
	same(t, "the field", h.In.Fields["na\x00me"], "va\x00lue")
	same(t, "the line", h.In.Line, strings.ToValidUTF8(in.Line, "\uFFFD"))
	same(t, "plain secrets that were stored", len(h.In.Secrets), 0)
	must(t, s.Answered(ctx, in.Key, []bot.Said{{Card: chat.Card{Text: "a\x00b\xff"}}}, 0, false, commands.AuditRow{Line: in.Line, Verb: "a\x00b", Person: ann}))
	row := got[[]commands.AuditRow](t)(s.Audit(ctx, commands.AuditFilter{}))[0]
	if n := len([]rune(row.Line)); n != 2000 {
		t.Fatalf("the audit keeps %d characters of the line, want 2000", n)
	}
}

func inboundAnswered(t *testing.T, p Place) {
	s := p.Open(t)
	hear(t, s, line("k"), "one", time.Minute)
	said := []bot.Said{{Card: chat.Card{Text: "ocpizza runs v1.0.0."}, Private: true}, {Form: &chat.Form{Title: "Value"}, Refused: true}}
	row := commands.AuditRow{At: noon, Person: ann, Place: square, Verb: "status", Subject: "ocpizza/production", Line: "/status ocpizza", Outcome: "ok"}
	must(t, s.Answered(ctx, "k", said, 0, false, row))
	h := got[bot.Heard](t)(s.Heard(ctx, "k"))
	same(t, "what is known of the line", h, bot.Heard{In: line("k"), Done: true, Said: said})
	wants(t, s.Answered(ctx, "k", said, 0, false, row), fault.Refused)
	wants(t, s.Answered(ctx, "never heard", said, 0, false, row), fault.Refused)
	rows := got[[]commands.AuditRow](t)(s.Audit(ctx, commands.AuditFilter{}))
	row.Seq = rows[0].Seq
	same(t, "the audit", rows, []commands.AuditRow{row})
}

func inboundAbandoned(t *testing.T, p Place) {
	s := p.Open(t)
	for i := range 5 {
		hear(t, s, line(numbered("k", i)), "one", time.Hour)
	}
	must(t, s.Answered(ctx, "k-2", nil, 0, false, commands.AuditRow{Person: ann}))
	same(t, "rows that this process left itself", len(got[[]bot.Heard](t)(s.Abandoned(ctx, "one", time.Hour, 10))), 0)
	must(t, s.Close())

	s = p.Open(t)
	var keys []string
	for {
		some := got[[]bot.Heard](t)(s.Abandoned(ctx, "one", time.Hour, 3))
		if len(some) == 0 {
			break
		}
		for _, h := range some {
			keys = append(keys, h.In.Key)
		}
	}
	same(t, "rows taken up, oldest first", keys, []string{"k-0", "k-1", "k-3", "k-4"})
	must(t, s.Answered(ctx, "k-4", nil, 0, false, commands.AuditRow{Person: ann}))
}

func inboundTold(t *testing.T, p Place) {
	s := p.Open(t)
	words := []bot.Said{{Card: chat.Card{Text: "ocpizza runs v1.0.0."}}}
	for key, said := range map[string][]bot.Said{"told": words, "told too": words, "cut short": words, "nothing to tell": nil} {
		hear(t, s, line(key), "one", time.Hour)
		must(t, s.Answered(ctx, key, said, 0, false, commands.AuditRow{Person: ann}))
	}
	hear(t, s, line("not answered"), "one", time.Hour)
	must(t, s.Told(ctx, "told", "told too", "not answered", "never heard"))
	must(t, s.Close())

	s = p.Open(t)
	left := map[string]bot.Heard{}
	for _, h := range got[[]bot.Heard](t)(s.Abandoned(ctx, "one", time.Hour, 10)) {
		left[h.In.Key] = h
	}
	same(t, "rows taken up", left, map[string]bot.Heard{
		"cut short":    {In: line("cut short"), Done: true, Said: words},
		"not answered": {In: line("not answered")},
	})
	must(t, s.Told(ctx, "cut short"))
	wants(t, s.Answered(ctx, "cut short", words, 0, false, commands.AuditRow{Person: ann}), fault.Refused)
}

func inboundLease(t *testing.T, p Place) {
	first := p.Open(t)
	if !p.Postgres() {
		hear(t, first, line("k"), "zwei", time.Hour)
		must(t, first.Close()) // a directory has one maitred; a new name stands for another
	}
	second := p.Open(t, func(o *store.Options) { o.Replica = "two" })
	if p.Postgres() {
		hear(t, first, line("k"), "zwei", time.Hour)
	}
	same(t, "rows free while the owner's lease lasts", len(got[[]bot.Heard](t)(second.Abandoned(ctx, "two", time.Hour, 10))), 0)
	got[time.Time](t)(second.Beat(ctx, "zwei", "b", time.Millisecond))
	until(t, "the owner is taken over", func() bool { return got[bool](t)(second.TakeOver(ctx, "zwei", "two")) })
	taken := got[[]bot.Heard](t)(second.Abandoned(ctx, "two", time.Hour, 10))
	same(t, "rows taken up", len(taken), 1)
	if p.Postgres() {
		wants(t, first.Answered(ctx, "k", nil, 0, false, commands.AuditRow{Person: ann}), fault.Refused)
		must(t, first.Renew(ctx, "zwei", time.Hour)) // renews nothing that it does not have
	}
	must(t, second.Renew(ctx, "two", time.Hour))
	must(t, second.Answered(ctx, "k", nil, 0, false, commands.AuditRow{Person: ann}))
}

func inboundOutcome(t *testing.T, p Place) {
	s := p.Open(t)
	sealed := got[[]byte](t)(Seal{}.Seal([]byte("canary")))
	same(t, "known", got[bool](t)(s.Hear(ctx, line("k"), map[string][]byte{"handle": sealed}, "one", time.Minute)), false)
	op := deploy("k", platform.Queued)
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error { return tx.Insert(ctx, &op, "k") }))
	h := got[bot.Heard](t)(s.Heard(ctx, "k"))
	same(t, "the outcome", fmt.Sprint(h.Done, h.Started, h.Operation), fmt.Sprint(false, true, op.ID))
	must(t, s.Answered(ctx, "k", nil, 0, false, commands.AuditRow{Person: ann}))
	h = got[bot.Heard](t)(s.Heard(ctx, "k"))
	same(t, "the outcome after the answer", fmt.Sprint(h.Done, h.Started, h.Operation), fmt.Sprint(true, true, op.ID))
	same(t, "the secret", got[string](t)(s.Secret(ctx, "handle")), "canary")
	walk(t, s, op.ID, platform.Running)
	same(t, "the secret while it runs", got[string](t)(s.Secret(ctx, "handle")), "canary")
	walk(t, s, op.ID, platform.Succeeded)
	_, err := s.Secret(ctx, "handle")
	wants(t, err, fault.Missing)
	same(t, "secrets that are left", count(t, s, "SELECT COUNT(*) FROM secrets"), 0)
}

func secretOfNothing(t *testing.T, p Place) {
	s := p.Open(t)
	sealed := got[[]byte](t)(Seal{}.Seal([]byte("canary")))
	got[bool](t)(s.Hear(ctx, line("k"), map[string][]byte{"handle": sealed}, "one", time.Minute))
	got[bool](t)(s.Hear(ctx, line("k"), map[string][]byte{"another": sealed}, "one", time.Minute))
	_, err := s.Secret(ctx, "another") // of a line that was known: not kept
	wants(t, err, fault.Missing)
	must(t, s.Answered(ctx, "k", nil, 0, false, commands.AuditRow{Person: ann}))
	_, err = s.Secret(ctx, "handle")
	wants(t, err, fault.Missing)
}

func retention(t *testing.T, p Place) {
	s := p.Open(t, func(o *store.Options) { o.Keep.Inbound = time.Hour }) // shorter than the floor
	hear(t, s, line("answered"), "one", time.Minute)
	hear(t, s, line("open"), "one", time.Minute)
	must(t, s.Answered(ctx, "answered", nil, 0, false, commands.AuditRow{Person: ann}))
	now := time.Now()
	same(t, "what went within a day", got[store.Pruned](t)(s.Retain(ctx, now.Add(23*time.Hour))), store.Pruned{})
	same(t, "known within a day", hear(t, s, line("answered"), "one", time.Minute), true)
	same(t, "what went after a day", got[store.Pruned](t)(s.Retain(ctx, now.Add(25*time.Hour))), store.Pruned{Inbound: 1})
	_, err := s.Heard(ctx, "answered")
	wants(t, err, fault.Missing)
	got[bot.Heard](t)(s.Heard(ctx, "open"))
}
