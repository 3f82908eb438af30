package commands

import (
	"context"
	"fmt"

	"maitred/chat"
	"maitred/platform"
)

// Releases is /releases APP [to ENV] [--limit N].
type Releases struct {
	Where
	Limit int `name:"limit" default:"10" placeholder:"10" help:"How many, 100 at most."`
}

// Run asks the platform.
func (r *Releases) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	if r.Limit < 1 || r.Limit > 100 {
		return Answer{}, invalid("/releases "+aimed(r.Target())+" --limit=100", "--limit is between 1 and 100.")
	}
	p, err := provider[platform.Historian](s, r.Target(), "list releases")
	if err != nil {
		return Answer{}, err
	}
	releases, err := p.Releases(ctx, r.Target(), r.Limit)
	if err != nil {
		return Answer{}, err
	}
	if len(releases) == 0 {
		card := say("%s was never deployed.", r.Target())
		card.Buttons = []chat.Button{{Label: "Deploy", Line: "/deploy " + aimed(r.Target())}}
		return Answer{Card: card}, nil
	}
	table := rows{{"", "ID", "VERSION", "COMMIT", "STATE", "WHEN", "BY", "NOTE"}}
	var live *platform.Release
	for i, one := range releases {
		mark := ""
		if one.State == platform.ReleaseLive {
			mark, live = "→", &releases[i]
		}
		table = append(table, []string{mark, one.ID, one.Version, commit(one.SHA), string(one.State), when(one.At, c), one.By, one.Note})
	}
	card := say("No release of %s is live.", r.Target())
	card.Title, card.Output = "Releases of "+r.Target().String(), table.String()
	if live != nil {
		since, _ := live.Since()
		card.Text = fmt.Sprintf("%s (%s) is live on %s since %s.", live.Version, live.ID, r.Target(), when(since, c))
		card.Buttons = s.backTo(r.Target(), releases, *live)
	}
	return Answer{Card: card}, nil
}

// backTo offers the release that was live before.
func (s Services) backTo(t platform.Target, releases []platform.Release, live platform.Release) []chat.Button {
	past := false
	for _, one := range releases {
		if one.ID == live.ID {
			past = true
			continue
		}
		if past && one.State == platform.ReleaseSuperseded {
			return []chat.Button{{
				Label: "Roll back to " + shownAs(one), Line: s.rollback(t, one.ID, live.ID), Danger: true,
				Confirm: fmt.Sprintf("Go back from %s to %s on %s?", shownAs(live), shownAs(one), t),
			}}
		}
	}
	return nil
}

// rollback is the absolute line of a button that goes back: to a release, and
// only while another is live. The environment is left out where there is one.
func (s Services) rollback(t platform.Target, to, from string) string {
	line := fmt.Sprintf("/rollback %s to %s if %s", quote(t.App), to, from)
	if app, err := s.app(t.App); err == nil && len(app.Environments) > 1 {
		line += " in " + quote(t.Environment)
	}
	return line
}

func shownAs(r platform.Release) string {
	if r.Version == "" {
		return r.ID
	}
	return r.Version + " (" + r.ID + ")"
}
