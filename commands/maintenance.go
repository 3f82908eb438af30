package commands

import (
	"context"
	"fmt"

	"maitred/chat"
	"maitred/platform"
	"maitred/platform/engine"
)

// Maintenance is /maintenance on|off|status: the page that visitors see while an
// app is worked on.
type Maintenance struct {
	On     MaintenanceOn     `cmd:"" role:"oncall" example:"/maintenance on ocpizza --why \"moving the database\"" help:"Show visitors the maintenance page."`
	Off    MaintenanceOff    `cmd:"" role:"oncall" example:"/maintenance off ocpizza" help:"Let visitors in again."`
	Status MaintenanceStatus `cmd:"" role:"viewer" example:"/maintenance status ocpizza" help:"Whether visitors see the page, since when and why."`
}

// MaintenanceOn is /maintenance on APP [to ENV] [--why …].
type MaintenanceOn struct {
	submits
	Where
	Why string `name:"why" placeholder:"WHY" help:"Why; visitors do not see it."`
}

// Run submits.
func (m *MaintenanceOn) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	return submit(ctx, c, s, platform.Maintain, m.Target(), nil, engine.MaintenanceArgs{On: true, Why: m.Why})
}

// MaintenanceOff is /maintenance off APP [to ENV].
type MaintenanceOff struct {
	submits
	Where
}

// Run submits.
func (m *MaintenanceOff) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	return submit(ctx, c, s, platform.Maintain, m.Target(), nil, engine.MaintenanceArgs{})
}

// MaintenanceStatus is /maintenance status APP [to ENV].
type MaintenanceStatus struct{ Where }

// Run asks the platform.
func (m *MaintenanceStatus) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	p, err := provider[platform.Maintainer](s, m.Target(), "show a maintenance page")
	if err != nil {
		return Answer{}, err
	}
	now, err := p.Maintenance(ctx, m.Target())
	if err != nil {
		return Answer{}, err
	}
	card := chat.Card{State: chat.Good, Word: "open", Text: fmt.Sprintf("Visitors reach %s; no maintenance page is shown.", m.Target())}
	card.Buttons = []chat.Button{{Label: "Maintenance on", Line: "/maintenance on " + aimed(m.Target()), Confirm: fmt.Sprintf("Show the maintenance page to the visitors of %s?", m.Target())}}
	if now.On {
		card = chat.Card{State: chat.Warning, Word: "maintenance", Text: fmt.Sprintf("Visitors of %s see the maintenance page: %s.", m.Target(), sinceBy(now, c))}
		card.Buttons = []chat.Button{{Label: "Maintenance off", Line: "/maintenance off " + aimed(m.Target())}}
	}
	return Answer{Card: card}, nil
}

// sinceBy says how a maintenance came to be: "since 14:05, by ann, because …".
func sinceBy(m platform.Maintenance, c Call) string {
	text := "for an unknown time"
	if !m.Since.IsZero() {
		text = "since " + when(m.Since, c)
	}
	if m.By != "" {
		text += ", by " + m.By
	}
	return text + because(m.Why)
}
