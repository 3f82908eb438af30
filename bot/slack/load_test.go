package slack

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"maitred/bot/bottest"
	"maitred/bot/slack/slacktest"
	"maitred/store/storetest"
)

// 50 and 500 slash commands a second over 100 channels, nine of ten /maitred
// status and one /deploy. An acknowledgement is as Slack sees it, after the
// commit; a first reply is when its call reaches Slack. With slow, Slack answers
// every call only after 150 ms.
func BenchmarkSlashCommands(b *testing.B) {
	for _, mode := range []Mode{HTTP, Socket} {
		for _, load := range []struct {
			rate int
			slow time.Duration
		}{{50, 0}, {50, 150 * time.Millisecond}, {500, 0}} {
			b.Run(fmt.Sprintf("%s/rate=%d/slow=%s", mode, load.rate, load.slow), func(b *testing.B) {
				for b.Loop() {
					newLoad(b, mode, load.slow).play(load.rate, 5*time.Second)
				}
			})
		}
	}
}

// load is a house in Slack with many who type.
type load struct {
	b     *testing.B
	stage *stage
	house *bottest.House
	said  []typed
}

// typed is a line in one of the hundred channels.
type typed struct {
	*slacktest.Delivery
	channel, ref string // ref of a deploy; empty for a status
}

func newLoad(b *testing.B, mode Mode, slow time.Duration) *load {
	b.Helper()
	l := &load{b: b, stage: newStage(b, mode)}
	l.house = bottest.Open(b, storetest.SQLite(b), l.stage)
	for i := range 50 {
		l.house.Shop.More = append(l.house.Shop.More, fmt.Sprintf("app%02d", i))
	}
	for i := range 100 {
		l.stage.slack.Channel(fmt.Sprintf("team%02d", i))
	}
	l.stage.slack.Slow("", slow)
	return l
}

func (l *load) play(rate int, length time.Duration) {
	bob := l.stage.slack.Person("bob")
	total := int(length.Seconds() * float64(rate))
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := range total {
		<-tick.C
		channel := fmt.Sprintf("team%02d", n%100)
		app, ref := fmt.Sprintf("app%02d", n/10%50), ""
		line := "/maitred status " + app
		if n%10 == 0 {
			ref = fmt.Sprintf("v1.%d", n)
			l.house.Shop.Move(ref, fmt.Sprintf("%07x", 0x1000000+n))
			line = "/deploy " + app + " " + ref
		}
		l.said = append(l.said, typed{bob.Slash(channel, line), slacktest.ChannelID(channel), ref})
	}
	l.report()
}

func (l *load) report() {
	deadline := time.Now().Add(30 * time.Second)
	var acks []time.Duration
	for _, s := range l.said {
		select {
		case <-s.Done():
			acks = append(acks, s.Took())
		case <-time.After(time.Until(deadline)):
			l.b.Fatal("not all were acknowledged")
		}
		if _, ok := s.Acked(); !ok {
			l.b.Errorf("%s was not acknowledged", s.Payload)
		}
	}
	var replies []time.Duration
	for replies = l.replies(); len(replies) < len(l.said); replies = l.replies() {
		if time.Now().After(deadline) {
			l.b.Errorf("%d of %d were answered", len(replies), len(l.said))
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	percentiles(l.b, "ack", acks)
	percentiles(l.b, "reply", replies)
}

// replies are how long each line waited for what first answers it: for a deploy
// the message that names its ref, for a status the next one in its channel.
func (l *load) replies() []time.Duration {
	deploys, others := map[string]time.Time{}, map[string][]time.Time{}
	for _, c := range l.stage.slack.Calls("chat.postMessage") {
		text := c.Args["text"]
		switch ref := reference.FindString(text + c.Args["blocks"]); {
		case c.Error != "" || c.Args["thread_ts"] != "":
		case !strings.HasPrefix(text, "Deploy "):
			others[c.Args["channel"]] = append(others[c.Args["channel"]], c.At)
		case deploys[ref].IsZero() || c.At.Before(deploys[ref]):
			deploys[ref] = c.At
		}
	}
	for _, at := range others {
		slices.SortFunc(at, time.Time.Compare)
	}
	var out []time.Duration
	for _, s := range l.said {
		at := deploys[s.ref]
		if next := others[s.channel]; s.ref == "" && len(next) > 0 {
			at, others[s.channel] = next[0], next[1:]
		}
		if !at.IsZero() {
			out = append(out, at.Sub(s.At))
		}
	}
	return out
}

var reference = regexp.MustCompile(`v1\.[0-9]+\b`)

func percentiles(b *testing.B, name string, took []time.Duration) {
	b.Helper()
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	for _, p := range []int{50, 90, 99} {
		at := took[min(len(took)-1, len(took)*p/100)]
		b.ReportMetric(float64(at.Microseconds())/1000, fmt.Sprintf("%s-p%d-ms", name, p))
	}
}
