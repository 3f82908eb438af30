package storetest

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"maitred/chat"
	"maitred/notifications"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
)

// claim takes what is due.
func claim(t testing.TB, s *store.Store) []notifications.Due {
	t.Helper()
	return got[[]notifications.Due](t)(s.Claim(ctx, "one", time.Minute, 10))
}

// shows claims the one row that is due and shows it as a message.
func shows(t testing.TB, s *store.Store, id string) notifications.Due {
	t.Helper()
	all := claim(t, s)
	if len(all) != 1 {
		t.Fatalf("%d rows are due, want 1: %+v", len(all), all)
	}
	must(t, s.Begin(ctx, all[0]))
	must(t, s.Shown(ctx, all[0], all[0].Version, chat.MessageRef{Place: all[0].Place, ID: id}))
	return all[0]
}

func outboxFollows(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	select {
	case <-s.Changed():
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was woken")
	}
	card := notifications.Subject{Kind: notifications.OperationSubject, ID: op.ID}
	d := claim(t, s)
	same(t, "rows due", len(d), 1)
	same(t, "the row", d[0], notifications.Due{ID: d[0].ID, Subject: card, Place: square, Version: 1})
	same(t, "rows that another may claim", len(claim(t, s)), 0)
	n, _, err := s.Backlog(ctx)
	must(t, err)
	same(t, "the backlog", n, 1)

	ref := chat.MessageRef{Place: square, ID: "m1"}
	must(t, s.Begin(ctx, d[0]))
	walk(t, s, op.ID, platform.Running) // it moves on while the chat is slow
	must(t, s.Shown(ctx, d[0], 1, ref))
	again := claim(t, s)
	same(t, "rows due after the change", len(again), 1)
	same(t, "the row", again[0], notifications.Due{ID: d[0].ID, Subject: card, Place: square, Version: 2, Shown: 1, Message: &ref})
	must(t, s.Shown(ctx, again[0], 7, ref)) // the renderer saw a newer one
	walk(t, s, op.ID, platform.Succeeded)
	same(t, "rows due for a version that is shown", len(claim(t, s)), 0)
	n, _, err = s.Backlog(ctx)
	must(t, err)
	same(t, "the backlog", n, 0)
	found, ok, err := s.MessageOf(ctx, card)
	must(t, err)
	same(t, "the message", found, ref)
	same(t, "found", ok, true)
	_, ok, err = s.MessageOf(ctx, notifications.Subject{Kind: "alert", ID: 1})
	must(t, err)
	same(t, "found another", ok, false)

	nowhere := deploy("nowhere", platform.Queued)
	nowhere.Place = chat.Place{}
	insert(t, s, nowhere)
	same(t, "rows due nowhere", len(claim(t, s)), 0)
}

func outboxThread(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	var ids []int64
	for _, kind := range []engine.EventKind{engine.Began, engine.Warned, engine.Finished} {
		e := engine.Event{Operation: op.ID, Kind: kind, At: noon}
		must(t, s.Update(ctx, pizza, func(tx engine.Tx) error { return tx.AddEvent(ctx, &e) }))
		if kind.Told() {
			ids = append(ids, e.ID)
		}
	}
	shows(t, s, "root")
	thread := claim(t, s)
	same(t, "rows of the thread", len(thread), 2)
	for i, d := range thread {
		same(t, "the subject", d.Subject, notifications.Subject{Kind: notifications.EventSubject, ID: ids[i]})
		same(t, "the root", *d.Parent, notifications.Subject{Kind: notifications.OperationSubject, ID: op.ID})
	}
}

func outboxRequests(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Waiting))
	asked := engine.Event{Operation: op.ID, Kind: engine.ApprovalAsked, At: noon}
	must(t, s.Update(ctx, pizza, func(tx engine.Tx) error { return tx.AddEvent(ctx, &asked) }))
	shows(t, s, "root")
	request := shows(t, s, "request")
	same(t, "the request", request.Subject.ID, asked.ID)
	walk(t, s, op.ID, platform.Queued)
	due := claim(t, s)
	same(t, "rows due after the decision", len(due), 2)
	for _, d := range due {
		must(t, s.Shown(ctx, d, d.Version, *d.Message))
	}
	must(t, s.SaveStep(ctx, platform.StepRecord{Operation: op.ID, State: chat.StepRunning}))
	due = claim(t, s)
	same(t, "rows due after a step", len(due), 1)
	same(t, "what is due after a step", due[0].Subject.Kind, notifications.OperationSubject)
}

func outboxClaims(t *testing.T, p Place) {
	s := p.Open(t)
	const rows = 40
	for i := range rows {
		op := deploy(numbered("k", i), platform.Queued)
		op.Kind = platform.Capture
		insert(t, s, op)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64]int{}
	for i := range 4 {
		all.Go(func() {
			for {
				due, err := s.Claim(ctx, numbered("owner", i), time.Minute, 3)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				for _, d := range due {
					seen[d.ID]++
				}
				left := len(seen) < rows
				mu.Unlock()
				if !left || t.Failed() {
					return
				}
			}
		})
	}
	all.Wait()
	for id, n := range seen {
		if n != 1 {
			t.Errorf("row %d was claimed %d times", id, n)
		}
	}

	must(t, force(s, "UPDATE outbox SET lease_until = 1"))
	same(t, "rows to claim after the lease", len(claim(t, s)), 10)
}

// What a process had in hand when it was killed, the next one of the same name
// claims at once; what others have stays theirs.
func outboxAfterKill(t *testing.T, p Place) {
	s := p.Open(t)
	insert(t, s, deploy("mine", platform.Queued))
	same(t, "rows claimed before the kill", len(claim(t, s)), 1)
	must(t, s.Close())
	s = p.Open(t)
	theirs := got[[]notifications.Due](t)(s.Claim(ctx, "two", time.Minute, 10))
	same(t, "rows for another", len(theirs), 0)
	same(t, "rows for the same after the kill", len(claim(t, s)), 1)
	same(t, "rows that are claimed twice", len(claim(t, s)), 0)
}

func outboxDropped(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	tell := func() {
		must(t, s.Update(ctx, pizza, func(tx engine.Tx) error {
			return tx.AddEvent(ctx, &engine.Event{Operation: op.ID, Kind: engine.Warned, At: noon})
		}))
	}
	tell()
	must(t, s.Drop(ctx, claim(t, s)[0], "The channel is gone."))
	tell()
	walk(t, s, op.ID, platform.Running)
	same(t, "rows due after the drop", len(claim(t, s)), 0)
	n, _, err := s.Backlog(ctx)
	must(t, err)
	same(t, "the backlog", n, 0)
}

func outboxLater(t *testing.T, p Place) {
	s := p.Open(t)
	insert(t, s, deploy("k", platform.Queued))
	d := claim(t, s)[0]
	must(t, s.Begin(ctx, d))
	must(t, s.Later(ctx, d, time.Now().Add(time.Hour), "The chat does not answer."))
	same(t, "rows due before their time", len(claim(t, s)), 0)
	d.Posting = true
	must(t, s.Later(ctx, d, time.Now().Add(-time.Second), "The chat does not answer."))
	again := claim(t, s)[0]
	same(t, "attempts", again.Attempts, 2)
	same(t, "whether a post may have happened", again.Posting, true)
	must(t, s.Shown(ctx, again, 1, chat.MessageRef{Place: square, ID: "m"}))
}

func outboxSubjects(t *testing.T, p Place) {
	s := p.Open(t)
	op := insert(t, s, deploy("k", platform.Queued))
	shows(t, s, "root")
	deep := deploy("deep", platform.Queued)
	deep.Place.Thread = "talk"
	deep = insert(t, s, deep)
	shows(t, s, "reply")
	find := func(p chat.Place, want int64) {
		t.Helper()
		subject, ok, err := s.SubjectOf(ctx, p)
		must(t, err)
		if ok != (want != 0) || subject.ID != want {
			t.Fatalf("in %+v is meant %+v %v, want operation %d", p, subject, ok, want)
		}
	}
	in := func(channel, thread string) chat.Place {
		return chat.Place{Chat: "webchat", Channel: channel, Thread: thread}
	}
	find(in("deploys", "root"), op.ID)
	find(in("deploys", "talk"), deep.ID)
	find(in("deploys", ""), 0)
	find(in("deploys", "elsewhere"), 0)
	find(in("general", "root"), 0)
	find(chat.Place{Chat: "slack", Channel: "deploys", Thread: "root"}, 0)
}

// outboxWalk plays operations that change and a dispatcher that succeeds, fails,
// crashes and gives up, in any order. Then the dispatcher works on alone: what
// the chat shows is the last version of each operation that was not dropped.
func outboxWalk(t *testing.T, p Place) {
	s := p.Open(t)
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		must(t, force(s, "DELETE FROM outbox"))
		var ops []platform.Operation
		var mine []notifications.Due
		dropped := map[int64]bool{}
		take := func() (d notifications.Due, ok bool) {
			if len(mine) == 0 {
				return d, false
			}
			i := rapid.IntRange(0, len(mine)-1).Draw(r, "row")
			d = mine[i]
			mine = append(mine[:i], mine[i+1:]...)
			return d, true
		}
		r.Repeat(map[string]func(*rapid.T){
			"submit": func(*rapid.T) {
				n++
				op := deploy(numbered("outbox", n), platform.Queued)
				op.Kind = platform.RunCommand
				ops = append(ops, insert(t, s, op))
			},
			"change": func(*rapid.T) {
				if len(ops) > 0 {
					id := rapid.SampledFrom(ops).Draw(r, "operation").ID
					must(t, s.SaveStep(ctx, platform.StepRecord{Operation: id}))
				}
			},
			"claim": func(*rapid.T) {
				for _, d := range got[[]notifications.Due](t)(s.Claim(ctx, "one", time.Hour, 2)) {
					for _, m := range mine {
						if m.ID == d.ID {
							r.Fatalf("row %d was claimed twice", d.ID)
						}
					}
					mine = append(mine, d)
				}
			},
			"show": func(*rapid.T) {
				if d, ok := take(); ok {
					must(t, s.Begin(ctx, d))
					must(t, s.Shown(ctx, d, d.Version, chat.MessageRef{Place: square, ID: numbered("m", int(d.ID))}))
				}
			},
			"fail": func(*rapid.T) {
				if d, ok := take(); ok {
					must(t, s.Later(ctx, d, time.Now().Add(-time.Second), "unreachable"))
				}
			},
			"drop": func(*rapid.T) {
				if d, ok := take(); ok {
					must(t, s.Drop(ctx, d, "gone"))
					dropped[d.Subject.ID] = true
				}
			},
			"crash": func(*rapid.T) {
				mine = nil
				must(t, force(s, "UPDATE outbox SET lease_until = 1 WHERE lease_until > 0"))
			},
		})
		must(t, force(s, "UPDATE outbox SET lease_until = 0"))
		shown := map[int64]int64{}
		for due := claim(t, s); len(due) > 0; due = claim(t, s) {
			for _, d := range due {
				must(t, s.Shown(ctx, d, d.Version, chat.MessageRef{Place: square, ID: numbered("m", int(d.ID))}))
				shown[d.Subject.ID] = d.Version
			}
		}
		for _, op := range ops {
			version := got[platform.Operation](t)(s.Operation(ctx, op.ID)).Version
			if at, late := shown[op.ID]; late && (at != version || dropped[op.ID]) {
				r.Fatalf("#%d is shown at version %d, is at %d, dropped %v", op.ID, at, version, dropped[op.ID])
			}
		}
		if n := count(t, s, "SELECT COUNT(*) FROM outbox o JOIN operations p ON p.id = o.subject WHERE o.kind = 'operation' AND o.dropped = 0 AND o.shown <> p.version"); n != 0 {
			r.Fatalf("%d cards do not show the last version", n)
		}
	})
}
