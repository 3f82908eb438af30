package slack

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// DefaultCommands are the slash commands besides /maitred when the configuration
// names none.
var DefaultCommands = []string{"deploy", "rollback", "approve", "maintenance", "backup", "update", "releases"}

// reserved are the slash commands that Slack keeps for itself. One of them in a
// manifest makes Slack refuse all of it.
var reserved = strings.Fields(`active apps archive away call calls canvas collapse dm dnd expand feed feedback gif giphy
	huddle invite invite_people invitepeople join kick leave list me msg msgthread mute open part people pref prefs remind remove
	rename search settings shortcuts shrug star status topic unarchive unmute who workflow`)

var commandShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,30}$`)

// CommandProblem says why name cannot be a slash command of maitred's, with what
// to write in its place; both are empty when it can be one. Words are the first
// words of maitred's commands.
func CommandProblem(name string, words []string) (say, hint string) {
	switch {
	case strings.HasPrefix(name, "/"):
		return fmt.Sprintf("%q begins with a slash, which is left out here.", name), fmt.Sprintf("Write %s.", strings.TrimLeft(name, "/"))
	case !commandShape.MatchString(name):
		return fmt.Sprintf("%q is no name for a slash command: small letters, digits, dashes and underscores, 31 at most.", name), ""
	case name == Main:
		return "/maitred is there in any case.", "Take it out."
	case slices.Contains(reserved, name):
		return fmt.Sprintf("Slack keeps /%s for itself, and refuses an app that asks for it.", name), fmt.Sprintf("Take it out; people type /maitred %s.", name)
	case !slices.Contains(words, name):
		return fmt.Sprintf("maitred has no command %q.", name), "One of " + strings.Join(words, ", ") + "."
	}
	return "", ""
}
