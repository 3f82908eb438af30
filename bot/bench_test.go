package bot_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"maitred/bot"
	"maitred/bot/bottest"
	"maitred/chat"
	"maitred/commands"
	"maitred/store/storetest"
)

// eachStore benchmarks on both stores.
func eachStore(b *testing.B, run func(b *testing.B, p storetest.Place)) {
	b.Run("sqlite", func(b *testing.B) { run(b, storetest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) { run(b, storetest.PostgreSQL(b)) })
}

func report(b *testing.B, name string, took []time.Duration) {
	b.Helper()
	slices.Sort(took)
	at := func(part float64) float64 {
		return float64(took[min(len(took)-1, int(part*float64(len(took))))].Microseconds()) / 1000
	}
	b.ReportMetric(at(.50), name+"-p50-ms")
	b.ReportMetric(at(.99), name+"-p99-ms")
}

// From Receive to committed, with so many callers at once. What the lines do is
// next to nothing, but each is worked on and answered meanwhile. Beside it is what
// the store alone takes, once all is answered, and the CPU time of this process
// for a line from its Receive to its answer.
func BenchmarkReceive(b *testing.B) {
	eachStore(b, func(b *testing.B, p storetest.Place) {
		room := bottest.NewRoom("room")
		h := bottest.Open(b, p, room, oddly(func(context.Context, *commands.Order) (commands.Answer, error) {
			return commands.Answer{}, nil
		}))
		var said atomic.Int64
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
				next := func() chat.Inbound { return saidBy(room, fmt.Sprintf("bench-%d", said.Add(1)), "/status") }
				began, cpu := time.Now(), cpuTime(b)
				took := crowd(b, callers, b.N, func() error {
					_, err := h.Bot.Receive(context.Background(), next())
					return err
				})
				b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "lines/s")
				if _, err := h.Bot.Wait(context.Background(), fmt.Sprintf("bench-%d", said.Load())); err != nil {
					b.Error(err)
				}
				b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/line")
				report(b, "ack", took)
				report(b, "store", crowd(b, callers, min(b.N, 5000), func() error {
					_, err := h.Store.Hear(context.Background(), next(), nil, "alone", time.Hour)
					return err
				}))
			})
		}
	})
}

// crowd lets callers do it n times in all, and returns how long each took.
func crowd(b *testing.B, callers, n int, do func() error) []time.Duration {
	b.Helper()
	took := make([]time.Duration, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				start := time.Now()
				if err := do(); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	return took
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func saidBy(room *bottest.Room, key, line string) chat.Inbound {
	return chat.Inbound{Key: key, Person: room.Person("lea"), Place: chat.Place{Chat: "room", Channel: "general"}, Line: line, Source: chat.Typed, At: time.Now()}
}

// 500 lines a second, nine of ten /status and one /deploy, over fifty apps
// with a channel each. The backlog is the lines without an answer, after half of the time and at its end;
// beside it are the operations on their way and the messages not shown then.
func BenchmarkMix(b *testing.B) {
	eachStore(b, func(b *testing.B, p storetest.Place) {
		m := newMix(b, p)
		for b.Loop() {
			m.play(500, 5*time.Second)
		}
		for i, when := range []string{"half", "end"} {
			b.ReportMetric(float64(m.backlog[i].lines), "backlog-"+when)
			b.ReportMetric(float64(m.backlog[i].operations), "live-"+when)
			b.ReportMetric(float64(m.backlog[i].messages), "due-"+when)
		}
		b.ReportMetric(m.drained.Seconds(), "drained-s")
		report(b, "ack", m.acked)
		report(b, "answer", m.answered)
	})
}

// mix is a house under a steady load.
type mix struct {
	b    *testing.B
	h    *bottest.House
	room *bottest.Room
	said int

	mu              sync.Mutex
	acked, answered []time.Duration
	open            atomic.Int64
	backlog         [2]waiting
	drained         time.Duration
}

func newMix(b *testing.B, p storetest.Place) *mix {
	room := bottest.NewRoom("room")
	m := &mix{b: b, room: room, h: bottest.Open(b, p, room, func(c *bot.Config) { c.Workers = 64 })}
	for i := range 50 {
		m.h.Shop.More = append(m.h.Shop.More, fmt.Sprintf("app%02d", i))
	}
	return m
}

func (m *mix) play(rate int, length time.Duration) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	var wg sync.WaitGroup
	total := int(length.Seconds() * float64(rate))
	for i := range total {
		<-tick.C
		m.said++
		n := m.said
		m.open.Add(1)
		wg.Go(func() { m.say(n); m.open.Add(-1) })
		if i == total/2 {
			m.backlog[0] = m.waiting()
		}
	}
	m.backlog[1] = m.waiting()
	began := time.Now()
	wg.Wait()
	for m.waiting() != (waiting{}) && time.Since(began) < time.Minute {
		time.Sleep(5 * time.Millisecond)
	}
	m.drained = time.Since(began)
}

func (m *mix) say(n int) {
	app := fmt.Sprintf("app%02d", n/10%50)
	line := "/status " + app
	if n%10 == 0 {
		ref := fmt.Sprintf("v9.%d", n)
		m.h.Shop.Move(ref, fmt.Sprintf("%07x", n))
		line = "/deploy " + app + " " + ref
	}
	in := saidBy(m.room, fmt.Sprintf("mix-%d", n), line)
	in.Place.Channel = app
	began := time.Now()
	if _, err := m.h.Bot.Receive(context.Background(), in); err != nil {
		m.b.Errorf("receive: %v", err)
		return
	}
	acked := time.Since(began)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	got, err := m.h.Bot.Wait(ctx, in.Key)
	switch {
	case err != nil:
		m.b.Errorf("%s: %v", line, err)
	case !got.Started && (len(got.Said) != 1 || got.Said[0].Refused):
		m.b.Errorf("%s: %+v", line, got.Said)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked, m.answered = append(m.acked, acked), append(m.answered, time.Since(began))
}

// waiting is what is not done yet.
type waiting struct{ lines, operations, messages int }

func (m *mix) waiting() waiting {
	live, err := m.h.Engine.Live(context.Background())
	if err != nil {
		m.b.Error(err)
	}
	due, _, err := m.h.Store.Backlog(context.Background())
	if err != nil {
		m.b.Error(err)
	}
	return waiting{int(m.open.Load()), len(live), due}
}
