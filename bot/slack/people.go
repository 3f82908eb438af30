package slack

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"go.uber.org/zap"

	"maitred/chat"
	"maitred/fault"
)

// Know completes who with what Slack says of them: whether they are a guest, in
// which of the trusted groups they are, and their time zone. It remembers for a
// few minutes; anew asks Slack whatever is remembered. Groups that cannot be read
// are an error only then, before a refusal. Faults: Forbidden (the account is
// deactivated), Unsupported (a scope is missing), Unreachable.
func (c *Chat) Know(ctx context.Context, who chat.Person, anew bool) (chat.Person, error) {
	if who.Chat != Name {
		return who, nil
	}
	u, err := c.people.find(ctx, who.ID, anew)
	if err != nil {
		return who, err
	}
	if u.Deleted {
		return who, fault.New(fault.Forbidden, "slack.know", "", "Slack says that the account of %s is deactivated.", who.Label())
	}
	who.Guest = c.stranger(u)
	who.Automaton = who.Automaton || u.IsBot
	if _, err := time.LoadLocation(u.TZ); err == nil && u.TZ != "" {
		who.Zone = u.TZ
	}
	if who.Name == "" {
		who.Name = shown(u)
	}
	if who.Guest {
		who.Groups = nil
		return who, nil
	}
	if who.Groups, err = c.groups.of(ctx, who.ID, anew); err != nil && !anew {
		c.log.Warn("groups not read, so they give nothing", zap.String("who", who.Label()), zap.Error(err))
		return who, nil // what the configuration gives by itself still counts
	}
	return who, err
}

// stranger reports whether u is no full member of maitred's workspace: a guest
// of it, or somebody of another who shares a channel.
func (c *Chat) stranger(u *slack.User) bool {
	if u.IsRestricted || u.IsUltraRestricted || u.IsStranger {
		return true
	}
	s := c.self.Load()
	if s == nil || u.TeamID == "" || u.TeamID == s.Team {
		return false
	}
	return !slices.Contains(u.Enterprise.Teams, s.Team) // another workspace of one organisation
}

func shown(u *slack.User) string {
	for _, name := range []string{u.Profile.DisplayName, u.RealName, u.Name} {
		if name != "" {
			return name
		}
	}
	return u.ID
}

// people remembers users.info.
type people = memory[*slack.User]

func newPeople(c *Chat) *people {
	return newMemory(c.options.Now, c.log.Named("people"), func(ctx context.Context, id string) (*slack.User, error) {
		u, err := c.api.GetUserInfoContext(calling(ctx, caller{who: "user " + id}), id)
		return u, c.explain("users.info", "", err)
	})
}

// groups remembers who is in the groups that the configuration trusts. No other
// group is ever asked for.
type groups struct {
	trusted func() []string
	members *memory[[]string]
}

func newGroups(c *Chat) *groups {
	g := &groups{trusted: c.options.Groups}
	g.members = newMemory(c.options.Now, c.log.Named("groups"), func(ctx context.Context, id string) ([]string, error) {
		ids, err := c.api.GetUserGroupMembersContext(calling(ctx, caller{who: "group " + id}), id)
		switch code(err) {
		case "no_users_in_group":
			return nil, nil
		case "no_such_subteam", "subteam_disabled":
			c.log.Warn("a trusted group is not there", zap.String("group", id))
			return nil, nil
		}
		return ids, c.explain("usergroups.users.list", "", err)
	})
	return g
}

// of are the trusted groups that the user is in, asked for at once. One that
// cannot be read counts as one the user is not in; the error is told when no
// group could be read that gives anything.
func (g *groups) of(ctx context.Context, id string, anew bool) ([]string, error) {
	if g.trusted == nil {
		return nil, nil
	}
	trusted := g.trusted()
	in, errs := make([]bool, len(trusted)), make([]error, len(trusted))
	var all sync.WaitGroup
	for i, group := range trusted {
		all.Go(func() {
			members, err := g.members.find(ctx, group, anew)
			in[i], errs[i] = slices.Contains(members, id), err
		})
	}
	all.Wait()
	var found []string
	var failed error
	for i, group := range trusted {
		if in[i] {
			found = append(found, group)
		}
		if errs[i] != nil {
			failed = fmt.Errorf("members of the group %s: %w", group, errs[i])
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, failed
}
