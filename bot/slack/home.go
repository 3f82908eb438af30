package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"maitred/bot"
	"maitred/chat"
)

// mostHomeBlocks is how many blocks a home may have.
const mostHomeBlocks = 100

// homes remembers where maitred talks with whoever has its home open, and keeps
// two pages from being drawn for one person at once.
type homes struct {
	mu      sync.Mutex
	drawing map[string]*sync.Mutex
}

func newHomes() *homes { return &homes{drawing: map[string]*sync.Mutex{}} }

func (h *homes) of(user string) *sync.Mutex {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drawing[user] == nil {
		h.drawing[user] = &sync.Mutex{}
	}
	return h.drawing[user]
}

// takeVisit draws the home of whoever opened it. Nothing is stored for it: when
// it is lost, the next visit draws it.
func (c *Chat) takeVisit(door chat.Door, raw json.RawMessage) (outcome string, err error) {
	e, err := decode[event](raw)
	if err != nil {
		return "", err
	}
	if e.User == "" || e.Tab != "home" && e.Tab != "" {
		return outcomeIgnored, nil
	}
	c.aside(func(ctx context.Context) { c.publishHome(ctx, door, e.User, e.Channel) })
	return outcomeNew, nil
}

// refreshHome draws the home again once a click in it was answered.
func (c *Chat) refreshHome(door chat.Door, in chat.Inbound) {
	waiter, ok := door.(interface {
		Wait(ctx context.Context, key string) (bot.Heard, error)
	})
	if !ok {
		return
	}
	c.aside(func(ctx context.Context) {
		if _, err := waiter.Wait(ctx, in.Key); err != nil {
			return
		}
		c.publishHome(ctx, door, in.Person.ID, in.Place.Channel)
	})
}

// aside does something beside a delivery. Run waits for it.
func (c *Chat) aside(do func(ctx context.Context)) {
	c.working.Go(func() {
		ctx, cancel := within(context.Background(), 30*time.Second)
		defer cancel()
		do(ctx)
	})
}

// publishHome shows the user what concerns them now.
func (c *Chat) publishHome(ctx context.Context, door chat.Door, user, channel string) {
	host, ok := door.(chat.Host)
	if !ok {
		return
	}
	lock := c.homes.of(user)
	lock.Lock()
	defer lock.Unlock()
	who := person(user, "")
	cards := host.Home(ctx, who)
	data, err := json.Marshal(noted{Channel: channel})
	if err != nil {
		c.log.Error("home not written", zap.Error(err))
		return
	}
	_, err = c.api.PublishViewContext(calling(ctx, caller{who: "home " + user}), slack.PublishViewContextRequest{UserID: user,
		View: slack.HomeTabViewRequest{Type: slack.VTHomeTab, PrivateMetadata: string(data), Blocks: slack.Blocks{BlockSet: c.homeBlocks(cards)}}})
	if err = c.explain("views.publish", "", err); err != nil {
		c.log.Warn("home not shown", zap.String("user", user), zap.Error(err))
	}
}

// homeBlocks are the cards of a home, one below the other. What does not fit is
// counted.
func (c *Chat) homeBlocks(cards []chat.Card) []slack.Block {
	var blocks []slack.Block
	for i, card := range cards {
		next := c.look(card, chat.Place{}).blocks
		if len(blocks) > 0 {
			next = append([]slack.Block{slack.NewDividerBlock()}, next...)
		}
		if len(blocks)+len(next) > mostHomeBlocks-1 {
			more := fmt.Sprintf("There is more: %d of %d are shown. /maitred queue shows all that is running.", i, len(cards))
			return append(blocks, slack.NewContextBlock("", slack.NewTextBlockObject(slack.PlainTextType, more, false, false)))
		}
		blocks = append(blocks, next...)
	}
	if len(blocks) == 0 {
		blocks = append(blocks, slack.NewSectionBlock(slack.NewTextBlockObject(slack.PlainTextType, "There is nothing to show.", false, false), nil, nil))
	}
	return blocks
}
