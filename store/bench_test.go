package store_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"maitred/chat"
	"maitred/commands"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store"
	"maitred/store/storetest"
)

// BenchmarkHear measures how long a caller waits until what he said is on disk.
func BenchmarkHear(b *testing.B) {
	for name, place := range places {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, callers), func(b *testing.B) {
				s := place(b).Open(b)
				crowd(b, callers, func(i int64) error {
					_, err := s.Hear(ctx, said(i), nil, "one", time.Minute)
					return err
				})
			})
		}
	}
}

// BenchmarkHearBesideEngine is the same while the engine writes without a pause.
func BenchmarkHearBesideEngine(b *testing.B) {
	for name, place := range places {
		b.Run(name+"/16", func(b *testing.B) {
			s := place(b).Open(b)
			op := platform.Operation{Key: "k", Kind: platform.Capture, State: platform.Queued, Target: platform.Target{App: "a"}}
			must(b, s.Update(ctx, op.Target, func(tx engine.Tx) error { return tx.Insert(ctx, &op, "") }))
			stop, writes := make(chan bool), 0
			var engines sync.WaitGroup
			engines.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := s.SaveStep(ctx, platform.StepRecord{Operation: op.ID, Output: "some output"}); err != nil {
						b.Error(err)
						return
					}
					writes++
				}
			})
			crowd(b, 16, func(i int64) error {
				_, err := s.Hear(ctx, said(i), nil, "one", time.Minute)
				return err
			})
			close(stop)
			engines.Wait()
			b.ReportMetric(float64(writes)/b.Elapsed().Seconds(), "engine-writes/s")
		})
	}
}

// BenchmarkOpen measures how long a start waits for a store that is there.
func BenchmarkOpen(b *testing.B) {
	for name, place := range places {
		b.Run(name, func(b *testing.B) {
			p := place(b)
			s := p.Open(b)
			grow(b, s, 5000, 5000)
			must(b, s.Close())
			for b.Loop() {
				must(b, p.Open(b).Close())
			}
		})
	}
}

// BenchmarkGrowth compares a young store, which has just enough to fill a page of
// each list, with one that has 100,000 operations and 1,000,000 audit rows.
func BenchmarkGrowth(b *testing.B) {
	for name, place := range places {
		for _, size := range []struct {
			name              string
			operations, audit int
		}{{"young", 100, 3000}, {"grown", 100_000, 1_000_000}} {
			b.Run(name+"/"+size.name, func(b *testing.B) {
				s := place(b).Open(b)
				grow(b, s, size.operations, size.audit)
				for _, call := range growthCalls {
					b.Run(call.name, func(b *testing.B) {
						var i int64
						crowd(b, 1, func(int64) error {
							i++
							return call.run(s, i)
						})
					})
				}
			})
		}
	}
}

var growthCalls = []struct {
	name string
	run  func(s *store.Store, i int64) error
}{
	{"Operations", func(s *store.Store, i int64) error {
		_, err := s.Operations(ctx, engine.Filter{App: "ocpizza", Environment: "production", Limit: 5})
		return err
	}},
	{"OperationsOfRareApp", func(s *store.Store, i int64) error {
		_, err := s.Operations(ctx, engine.Filter{App: "rare", Environment: "production", Limit: 5})
		return err
	}},
	{"LastDeploys", func(s *store.Store, i int64) error {
		_, err := s.Operations(ctx, engine.Filter{App: "ocpizza", Environment: "production", Kinds: []platform.Kind{platform.Deploy}, States: []platform.State{platform.Succeeded}, Limit: 5})
		return err
	}},
	{"Live", func(s *store.Store, i int64) error {
		_, err := s.Live(ctx)
		return err
	}},
	{"Audit", func(s *store.Store, i int64) error {
		_, err := s.Audit(ctx, commands.AuditFilter{})
		return err
	}},
	{"AuditOfApp", func(s *store.Store, i int64) error {
		_, err := s.Audit(ctx, commands.AuditFilter{App: "ocpizza", Who: "ann"})
		return err
	}},
	{"AuditOfRareVerb", func(s *store.Store, i int64) error {
		_, err := s.Audit(ctx, commands.AuditFilter{Verb: "breakglass"})
		return err
	}},
	{"AuditOfToday", func(s *store.Store, i int64) error {
		_, err := s.Audit(ctx, commands.AuditFilter{Since: grownUntil.Add(-time.Hour), Outcome: "refused"})
		return err
	}},
	{"Hear", func(s *store.Store, i int64) error {
		_, err := s.Hear(ctx, said(i), nil, "one", time.Minute)
		return err
	}},
	{"Claim", func(s *store.Store, i int64) error {
		_, err := s.Claim(ctx, "one", time.Minute, 10)
		return err
	}},
}

var (
	places = map[string]func(testing.TB) storetest.Place{"sqlite": storetest.SQLite, "postgres": storetest.PostgreSQL}

	grownUntil = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	benchRun   atomic.Int64
)

func said(i int64) chat.Inbound {
	return chat.Inbound{Key: fmt.Sprintf("%d-%d", benchRun.Load(), i), Line: "/status ocpizza",
		Person: chat.Person{Chat: "webchat", ID: "U1", Who: "ann"}, Place: chat.Place{Chat: "webchat", Channel: "deploys"}}
}

// crowd lets n callers do it b.N times in all, and reports how long each waits.
func crowd(b *testing.B, n int, do func(i int64) error) {
	benchRun.Add(1)
	var next atomic.Int64
	waits := make([]time.Duration, b.N)
	var callers sync.WaitGroup
	b.ResetTimer()
	for range n {
		callers.Go(func() {
			for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
				begun := time.Now()
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
				waits[i] = time.Since(begun)
			}
		})
	}
	callers.Wait()
	b.StopTimer()
	slices.Sort(waits)
	at := func(share float64) float64 {
		return float64(waits[int(share*float64(len(waits)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.50), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
