// Package slack is the chat of maitred in Slack. It hears slash commands,
// mentions, direct messages, buttons and forms over Socket Mode or signed HTTP,
// and speaks in messages that are edited in place. Whatever Slack limits, a card
// is made to fit; see render.go.
package slack

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// Name is the chat's name in places, people and configuration.
const Name = "slack"

// Mode is how Slack's deliveries come in.
type Mode string

const (
	Socket Mode = "socket" // maitred connects to Slack; no port has to be open
	HTTP   Mode = "http"   // Slack posts to maitred; needs the signing secret
)

// Options are the tokens of the Slack app and how it is reached.
type Options struct {
	BotToken      string   // xoxb-…
	AppToken      string   // xapp-…, in socket mode
	SigningSecret string   // in HTTP mode
	Mode          Mode     // Socket when empty
	APIURL        string   // another place than Slack for all calls: tests and proxies
	Commands      []string // slash commands besides /maitred, without the slash: "deploy"
	Connections   int      // in socket mode; 2 when zero, so that one serves while the other is recycled
	Replicas      int      // how many maitreds share the app; 1 when zero
	// Silence is how long a connection may be silent before it is given up; 30 s
	// when zero. Slack pings more often.
	Silence time.Duration
	// Groups are the ids of the user groups that the configuration gives a role.
	// No other group counts.
	Groups func() []string

	Transport http.RoundTripper // for all calls; http.DefaultTransport when nil
	Now       func() time.Time
	Log       *zap.Logger
	Metrics   prometheus.Registerer
}

// withDefaults fills in what may be left out.
func (o Options) withDefaults() Options {
	if o.Mode == "" {
		o.Mode = Socket
	}
	if o.APIURL == "" {
		o.APIURL = slack.APIURL
	}
	if o.APIURL[len(o.APIURL)-1] != '/' {
		o.APIURL += "/"
	}
	if o.Connections == 0 {
		o.Connections = 2
	}
	if o.Silence == 0 {
		o.Silence = 30 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	return o
}

// Check tells when a token is another one than it should be, which is easily
// mixed up. Faults: Invalid, Missing. It never repeats a token.
func (o Options) Check() error {
	o = o.withDefaults()
	wrong := func(name, begins string) error {
		return fault.New(fault.Invalid, "slack.options", "docs/slack.md says where each is found.",
			"The %s of the Slack app should begin with %s; this is another secret.", name, begins)
	}
	lacks := func(name string) error {
		return fault.New(fault.Missing, "slack.options", "docs/slack.md says where it is found.", "The %s of the Slack app is missing.", name)
	}
	switch {
	case o.BotToken == "":
		return lacks("bot token")
	case !strings.HasPrefix(o.BotToken, "xox"):
		return wrong("bot token", "xoxb-")
	case o.Mode == Socket && o.AppToken == "":
		return lacks("app token")
	case o.Mode == Socket && !strings.HasPrefix(o.AppToken, "xapp-"):
		return wrong("app token", "xapp-")
	case o.Mode == HTTP && o.SigningSecret == "":
		return lacks("signing secret")
	case o.Mode == HTTP && strings.HasPrefix(o.SigningSecret, "x"):
		return wrong("signing secret", "a hexadecimal digit")
	}
	return nil
}

// Chat is the Slack app. It is safe for concurrent use.
type Chat struct {
	options Options
	log     *zap.Logger
	metrics *metrics
	api     *slack.Client // paced and patient; see api.go
	pace    *pace
	replies *replies // where to answer what was heard a moment ago
	said    *said    // what was posted under which key

	hearing

	self atomic.Pointer[self]
	mute atomic.Pointer[fault.Error] // why nothing can be said now; nil when all is well
	deaf atomic.Pointer[fault.Error] // why nothing can be heard now
}

var (
	_ chat.Hearer     = (*Chat)(nil)
	_ chat.HTTPHearer = (*Chat)(nil)
	_ chat.FormOpener = (*Chat)(nil)
	_ chat.Knower     = (*Chat)(nil)
	_ chat.Sender     = (*Chat)(nil)
	_ chat.Uploader   = (*Chat)(nil)
	_ chat.Pacer      = (*Chat)(nil)
	_ chat.Finder     = (*Chat)(nil)
)

// self is who maitred is in Slack.
type self struct{ Team, TeamName, User, Bot string }

// New returns the Slack app. It asks Slack nothing yet: a Slack that is away, or
// a token that was revoked, is for Ready to tell and keeps nothing from starting.
func New(o Options) *Chat {
	o = o.withDefaults()
	c := &Chat{options: o, log: o.Log, metrics: newMetrics(o.Metrics), replies: newReplies(o.Now), said: newSaid()}
	c.pace = newPace(o.Now)
	c.api = c.client()
	c.hearing = c.newHearing()
	return c
}

// Name is "slack".
func (c *Chat) Name() string { return Name }

// Ready says why Slack cannot be heard or spoken with: the last thing known, so
// that the question costs no call.
func (c *Chat) Ready(context.Context) error {
	if f := c.mute.Load(); f != nil {
		return f
	}
	if f := c.deaf.Load(); f != nil {
		return f
	}
	return nil
}

// whoami asks Slack who maitred is there, which also tells whether the bot token
// works.
func (c *Chat) whoami(ctx context.Context) (self, error) {
	r, err := c.api.AuthTestContext(ctx)
	if err = c.explain("auth.test", "", err); err != nil {
		return self{}, err
	}
	s := self{Team: r.TeamID, TeamName: r.Team, User: r.UserID, Bot: r.BotID}
	c.self.Store(&s)
	return s, nil
}
