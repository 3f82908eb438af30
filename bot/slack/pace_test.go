package slack

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"maitred/chat"
)

// clock is a pace whose time stands still until it is moved.
type clock struct {
	*pace
	at time.Time
}

func newClock() *clock {
	c := &clock{at: noon}
	c.pace = newPace(func() time.Time { return c.at })
	return c
}

func (c *clock) edit(who string) time.Duration { return c.take("chat.update", caller{who: who}) }

func TestEditsStayBelowSlacksLimit(t *testing.T) {
	c := newClock()
	sent := 0
	for c.at.Before(noon.Add(10 * time.Minute)) { // fifty messages that all want to change all the time
		for m := range 50 {
			if c.edit(fmt.Sprint(m)) <= 0 {
				sent++
			}
		}
		c.at = c.at.Add(100 * time.Millisecond)
	}
	if most := 40*10 + 15; sent > most || sent < 400 {
		t.Errorf("%d edits in ten minutes; %d are right", sent, most)
	}
}

func TestEveryMessageGetsItsTurn(t *testing.T) {
	c := newClock()
	shown := map[string]int{}
	for c.at.Before(noon.Add(10 * time.Minute)) {
		for m := range 50 {
			if who := fmt.Sprint(m); c.edit(who) <= 0 {
				shown[who]++
			}
		}
		c.at = c.at.Add(100 * time.Millisecond)
	}
	for m := range 50 {
		if n := shown[fmt.Sprint(m)]; n < 6 {
			t.Errorf("message %d was edited %d times in ten minutes", m, n)
		}
	}
}

func TestWhoComesBackAtThePromisedTimeGoes(t *testing.T) {
	c := newClock()
	for i := range 15 {
		if wait := c.edit(fmt.Sprint("burst", i)); wait > 0 {
			t.Fatalf("the burst ends after %d", i)
		}
	}
	first, second := c.edit("first"), c.edit("second")
	if first <= 0 || second <= first {
		t.Fatalf("promised in %s and %s", first, second)
	}
	c.at = c.at.Add(second)
	if wait := c.edit("second"); wait > 0 {
		t.Errorf("the promise is broken by %s", wait)
	}
	if wait := c.edit("third"); wait <= 0 {
		t.Errorf("somebody without a promise went")
	}
}

func TestAPageGoesBeforeWhatWaits(t *testing.T) {
	c := newClock()
	say := func(who string, page bool) time.Duration {
		return c.take("chat.postMessage", caller{channel: "C1", who: who, page: page})
	}
	for i := range 20 {
		say(fmt.Sprint(i), false)
	}
	if wait := say("quiet", false); wait <= 0 {
		t.Fatal("the channel is not busy")
	}
	if wait := say("alert", true); wait > 0 {
		t.Errorf("the page waits %s", wait)
	}
	if wait := c.take("chat.postMessage", caller{channel: "C2", who: "other"}); wait > 0 {
		t.Errorf("another channel waits %s", wait)
	}
	c.close("chat.postMessage", time.Minute)
	page, other := say("alert 2", true), say("quiet 2", false)
	if page != time.Minute || other <= page {
		t.Errorf("after Retry-After the page waits %s and others %s", page, other)
	}
}

func TestAfterRetryAfterNotEverythingComesAtOnce(t *testing.T) {
	c := newClock()
	c.close("chat.update", 30*time.Second)
	for m := range 30 {
		c.edit(fmt.Sprint(m))
	}
	c.at = c.at.Add(31 * time.Second)
	sent := 0
	for m := range 30 {
		if c.edit(fmt.Sprint(m)) <= 0 {
			sent++
		}
	}
	if sent == 0 || sent > 3 {
		t.Errorf("%d edits in the first second", sent)
	}
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	p := newPace(time.Now)
	for i := range 5 {
		p.take("chat.postMessage", caller{channel: "C1", who: fmt.Sprint(i)})
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(calling(t.Context(), caller{channel: "C1", who: "late"}))
	cancel(why)
	if err := p.turn(ctx, "chat.postMessage"); !errors.Is(err, why) || chat.Patience(err) <= 0 {
		t.Errorf("it ended with %v", err)
	}
}
