package slack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"maitred/bot/bottest"
	"maitred/bot/slack/slacktest"
	"maitred/platform"
	"maitred/platform/engine"
	"maitred/store/storetest"
)

// Connections are lost in every way and at any point while people type and
// click. What Slack has an acknowledgement for is done once; nothing is done
// twice; every card ends true. MAITRED_SOAK makes it 200 cuts instead of 20.
func TestCuts(t *testing.T) {
	cuts := 20
	if os.Getenv("MAITRED_SOAK") != "" {
		cuts = 200
	}
	seed := uint64(time.Now().UnixNano())
	c := newCutter(t, seed)
	done := make(chan struct{})
	var people sync.WaitGroup
	people.Go(func() { c.typing(done) })
	people.Go(func() { c.mentioning(done) })
	people.Go(func() { c.approving(done) })
	for range cuts {
		c.flowing()
		time.Sleep(time.Duration(c.intn(200)) * time.Millisecond) // at any point
		c.cut()
	}
	close(done)
	people.Wait()
	c.heal()
	c.judge()
	t.Logf("seed %d: %d cuts (%s)", seed, cuts, c.kinds())
	t.Logf("%d lines typed, %d acknowledged; %d clicks, %d acknowledged; %d operations, %d answers of Slack lost",
		c.typed, c.acked, c.clicks, c.clicked, c.operations, c.lost)
}

// cutter is a house in Slack whose connections do not last.
type cutter struct {
	t     *testing.T
	stage *stage
	house *bottest.House

	mu                                                     sync.Mutex
	random                                                 *rand.Rand
	acks                                                   map[string]bool // by ref: whether Slack has an acknowledgement
	count                                                  map[string]int
	typed, acked, clicks, clicked, operations, lost, moved int
}

func newCutter(t *testing.T, seed uint64) *cutter {
	s := newStage(t, Socket, slacktest.Options{
		Seed: seed, AckWithin: time.Second, PingEvery: 150 * time.Millisecond, Grace: 200 * time.Millisecond,
		Retries: []time.Duration{0, 500 * time.Millisecond, 2 * time.Second},
	})
	s.silence = time.Second
	c := &cutter{t: t, stage: s, random: rand.New(rand.NewPCG(seed, 1)), acks: map[string]bool{}, count: map[string]int{}}
	c.house = bottest.Open(t, storetest.SQLite(t), s)
	for i := range 20 {
		c.house.Shop.More = append(c.house.Shop.More, fmt.Sprintf("app%02d", i))
	}
	return c
}

func (c *cutter) intn(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.random.IntN(n)
}

// flowing waits until something is acknowledged again, so that every cut meets
// a stream and not the silence after another.
func (c *cutter) flowing() {
	before := c.acknowledged()
	for end := time.Now().Add(bottest.Within); c.acknowledged() == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Errorf("nothing was acknowledged within %s of a cut", bottest.Within)
			return
		}
	}
}

func (c *cutter) acknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.acked
}

// cut loses a connection, or all, or what goes over it.
func (c *cutter) cut() {
	slack, all := c.stage.slack, c.intn(3) == 0
	kinds := []struct {
		name string
		do   func()
	}{
		{"reset", func() { slack.Cut(all) }},
		{"half open", func() {
			slack.HalfOpen(all)
			time.AfterFunc(1500*time.Millisecond, slack.Sweep)
		}},
		{"refresh", func() { slack.Refresh(all) }},
		{"too_many_websockets", func() { slack.TooMany(all) }},
		{"token revoked", func() {
			slack.RevokeToken()
			slack.RevokeAppToken()
			slack.Cut(true)
			time.AfterFunc(300*time.Millisecond, slack.RestoreTokens)
		}},
		{"acknowledgement lost", func() { slack.LoseAcks(1) }},
		{"answer lost", func() {
			slack.LoseAnswers([]string{"chat.postMessage", "chat.update"}[c.intn(2)], 1)
			c.mu.Lock()
			c.lost++
			c.mu.Unlock()
		}},
	}
	k := kinds[c.intn(len(kinds))]
	c.mu.Lock()
	c.count[k.name]++
	c.mu.Unlock()
	k.do()
}

func (c *cutter) kinds() string {
	var out []string
	for name, n := range c.count {
		out = append(out, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// ref is a ref that was not there before.
func (c *cutter) ref(kind string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved++
	ref := fmt.Sprintf("v%s.%d", kind, c.moved)
	c.house.Shop.Move(ref, fmt.Sprintf("%07x", 0x1000000+c.moved))
	c.typed++
	return ref
}

// told remembers what became of a line, and reports whether it was acknowledged.
func (c *cutter) told(ref string, d *slacktest.Delivery) bool {
	ctx, cancel := context.WithTimeout(context.Background(), bottest.Within)
	defer cancel()
	err := d.Wait(ctx)
	_, ok := d.Acked()
	if err != nil && ok {
		c.t.Errorf("%s: %v", ref, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks[ref] = ok
	if ok {
		c.acked++
	}
	return ok
}

func (c *cutter) until(done chan struct{}, f func(n int)) {
	for n := 0; ; n++ {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(c.intn(100)) * time.Millisecond):
			f(n)
		}
	}
}

func (c *cutter) typing(done chan struct{}) {
	bob := c.stage.slack.Person("bob")
	c.until(done, func(n int) {
		ref := c.ref("1")
		c.told(ref, bob.Slash(fmt.Sprintf("room%d", n%10), fmt.Sprintf("/deploy app%02d %s", n%10, ref)))
	})
}

func (c *cutter) mentioning(done chan struct{}) {
	ann := c.stage.slack.Person("ann")
	c.until(done, func(n int) {
		ref := c.ref("2")
		_, d := ann.Type(fmt.Sprintf("hall%d", n%10), fmt.Sprintf("@maitred deploy app%02d %s", 10+n%10, ref))
		c.told(ref, d)
	})
}

// approving types deploys that lea approves by a click, which she repeats until
// it was heard.
func (c *cutter) approving(done chan struct{}) {
	ann := c.stage.slack.Person("ann")
	c.until(done, func(int) {
		ref := c.ref("3")
		if !c.told(ref, ann.Slash("deploys", "/deploy ocpizza "+ref)) {
			return
		}
		for end := time.Now().Add(bottest.Within); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			op, found := c.operation(ref)
			if found && op.State.Ended() {
				return
			}
			if found && op.State == platform.Waiting {
				c.click(op.ID)
			}
		}
		c.t.Errorf("the deploy of %s was never approved", ref)
	})
}

func (c *cutter) click(id int64) {
	for _, m := range slices.Backward(c.stage.slack.Messages("deploys")) {
		if !strings.Contains(m.Text, fmt.Sprintf("#%d of", id)) || !slices.ContainsFunc(m.Buttons(), func(b slacktest.Button) bool { return b.Label == "Approve" }) {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), bottest.Within)
		defer cancel()
		err := c.stage.slack.Person("lea").Click(m, "Approve").Wait(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.clicks++
		if err == nil {
			c.clicked++
		}
		return
	}
}

func (c *cutter) all() []platform.Operation {
	all, err := c.house.Engine.List(context.Background(), engine.Filter{Limit: 100000})
	if err != nil {
		c.t.Fatalf("list: %v", err)
	}
	return all
}

func (c *cutter) operation(ref string) (platform.Operation, bool) {
	for _, op := range c.all() {
		if op.Source != nil && op.Source.Ref == ref {
			return op, true
		}
	}
	return platform.Operation{}, false
}

// heal ends what was cut, and waits until Slack reaches maitred and all is done.
func (c *cutter) heal() {
	slack := c.stage.slack
	time.Sleep(time.Second + 600*time.Millisecond) // the last sweep and the last token come by a clock
	slack.Sweep()
	slack.RestoreTokens()
	slack.LoseAcks(0)
	slack.LoseAnswers("chat.postMessage", 0)
	slack.LoseAnswers("chat.update", 0)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := slack.Wait(ctx, func() bool { return slack.Connections() == 2 && c.stage.chat.Load().Ready(ctx) == nil }); err != nil {
		c.t.Errorf("maitred has %d connections: %v", slack.Connections(), err)
	}
	for _, op := range c.all() { // typed without an acknowledgement, so nobody waited to approve it
		if op.State == platform.Waiting {
			c.click(op.ID)
		}
	}
	if _, ok := c.house.Settled(2 * time.Minute); !ok {
		c.t.Error("operations are still on their way")
	}
}

// judge compares what Slack shows with what was acknowledged and what is true.
func (c *cutter) judge() {
	times := map[string]int{}
	all := c.all()
	c.operations = len(all)
	for _, op := range all {
		times[op.Source.Ref]++
		if op.State != platform.Succeeded {
			c.t.Errorf("#%d %s ended %s: %s", op.ID, op.Source.Ref, op.State, op.Message)
		}
	}
	for ref, acked := range c.acks {
		if n := times[ref]; n > 1 || acked && n == 0 {
			c.t.Errorf("the deploy of %s (acknowledged: %v) was started %d times", ref, acked, n)
		}
	}
	for _, op := range all {
		c.card(op)
	}
}

// card waits until the operation has one message, and it says how it ended.
func (c *cutter) card(op platform.Operation) {
	name := fmt.Sprintf("Deploy #%d of", op.ID)
	var cards []string
	ok := func() bool {
		cards = nil
		for _, m := range c.stage.slack.Messages(op.Place.Channel) {
			if text := c.stage.slack.Reads(m) + "\n" + m.Text; m.Thread == "" && m.Only == "" && strings.Contains(text, name) {
				cards = append(cards, text)
			}
		}
		return len(cards) == 1 && strings.Contains(cards[0], "is done")
	}
	ctx, cancel := context.WithTimeout(context.Background(), bottest.Within)
	defer cancel()
	if c.stage.slack.Wait(ctx, ok) != nil {
		c.t.Errorf("#%d has %d messages: %q", op.ID, len(cards), cards)
	}
}
