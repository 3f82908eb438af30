package slack

import (
	"github.com/slack-go/slack"

	"maitred/chat"
)

// look is a card in Slack's form: blocks, and the text for notifications and
// screen readers.
type look struct {
	blocks []slack.Block
	text   string
}

func (l look) options() []slack.MsgOption {
	return []slack.MsgOption{slack.MsgOptionText(l.text, false), slack.MsgOptionBlocks(l.blocks...)}
}

// draw gives card Slack's form, within all its limits.
func draw(card chat.Card) look {
	return look{text: card.Text, blocks: []slack.Block{slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, card.Text, false, false), nil, nil)}}
}
