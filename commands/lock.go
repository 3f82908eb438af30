package commands

import (
	"context"
	"fmt"

	"maitred/chat"
	"maitred/platform/engine"
)

// Lock is /lock APP [to ENV] [WHY] [--for 2h]: keep everybody else from changing
// a target.
type Lock struct {
	changes
	Where
	Why []string `arg:"" optional:"" rest:"text" sep:"none" need:"a reason, which others read when they are refused" placeholder:"WHY" help:"What for; others read it when they are refused."`
	For Span     `name:"for" default:"2h" placeholder:"2h" help:"When it ends by itself."`
}

// Run sets the lock.
func (l *Lock) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	lock := engine.Lock{Target: l.Target(), Person: c.Person, Why: text(l.Why), At: c.Now, Expires: c.Now.Add(l.For.Duration())}
	if err := s.Operations.Lock(ctx, lock); err != nil {
		return Answer{}, err
	}
	card := chat.Card{
		State: chat.Warning, Word: "locked",
		Text: fmt.Sprintf("%s is locked by %s until %s%s.", l.Target(), c.Person.Label(), when(lock.Expires, c), because(lock.Why)),
	}
	card.Buttons = []chat.Button{{Label: "Unlock", Line: "/unlock " + aimed(l.Target())}}
	return Answer{Card: card}, nil
}

// Unlock is /unlock APP [to ENV]: take a lock away.
type Unlock struct {
	changes
	Where
}

// Run removes the lock.
func (u *Unlock) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	lock, err := s.Operations.Unlock(ctx, u.Target(), c.Person)
	if err != nil {
		return Answer{}, err
	}
	card := say("%s is unlocked.", u.Target())
	card.State, card.Word = chat.Good, "unlocked"
	if !lock.Person.Same(c.Person) {
		card.Text = fmt.Sprintf("%s is unlocked; %s had locked it%s.", u.Target(), lock.Person.Label(), because(lock.Why))
		card.Mention = []chat.Person{lock.Person}
	}
	return Answer{Card: card}, nil
}

// Freeze is /freeze APP WHY [--for 1d]: stop deploys for everybody.
type Freeze struct {
	changes
	Which
	Why []string `arg:"" optional:"" rest:"text" sep:"none" need:"a reason, which everybody who is refused will read" placeholder:"WHY" help:"Why nothing may be deployed."`
	All bool     `name:"all" help:"Freeze every app."`
	For Span     `name:"for" placeholder:"1d" help:"When it ends by itself; it lasts until /unfreeze when left out."`
}

// Run freezes.
func (f *Freeze) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	freeze := engine.Freeze{App: f.App, Person: c.Person, Why: text(f.Why), At: c.Now}
	until := "until somebody says /unfreeze"
	if f.For > 0 {
		freeze.Expires = c.Now.Add(f.For.Duration())
		until = "until " + when(freeze.Expires, c)
	}
	if f.All {
		freeze.App = ""
	}
	if err := s.Operations.Freeze(ctx, freeze); err != nil {
		return Answer{}, err
	}
	return Answer{Card: chat.Card{
		State: chat.Warning, Word: "frozen",
		Text:    fmt.Sprintf("%s frozen by %s %s%s. Going back stays possible.", frozen(freeze.App), c.Person.Label(), until, because(freeze.Why)),
		Buttons: []chat.Button{{Label: "Unfreeze", Line: thaw(freeze.App)}},
	}}, nil
}

func (f *Freeze) sweeps() bool { return f.All }

// Unfreeze is /unfreeze APP: let deploys happen again.
type Unfreeze struct {
	changes
	Which
	All bool `name:"all" help:"End the freeze of every app."`
}

// Run ends the freeze.
func (u *Unfreeze) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	app := u.App
	if u.All {
		app = ""
	}
	freeze, err := s.Operations.Unfreeze(ctx, app, c.Person)
	if err != nil {
		return Answer{}, err
	}
	card := say("%s no longer frozen.", frozen(app))
	card.State, card.Word = chat.Good, "open"
	if !freeze.Person.Same(c.Person) {
		card.Mention = []chat.Person{freeze.Person}
	}
	return Answer{Card: card}, nil
}

func (u *Unfreeze) sweeps() bool { return u.All }

func frozen(app string) string {
	if app == "" {
		return "Every app is"
	}
	return app + " is"
}

func thaw(app string) string {
	if app == "" {
		return "/unfreeze --all"
	}
	return "/unfreeze " + app
}
