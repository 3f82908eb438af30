package bot

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"maitred/chat"
	"maitred/commands"
	"maitred/fault"
)

// refuse says what is needed and who has it: "Deploying ocpizza to production
// needs the role developer, which ann and bob have."
func (b *book) refuse(verb string, t commands.Target, gives func(role string) bool) error {
	var roles []string
	for _, name := range slices.Sorted(maps.Keys(b.Rules.Roles)) {
		if gives(name) {
			roles = append(roles, name)
		}
	}
	e := &fault.Error{Kind: fault.Forbidden, Op: "bot.may", Hint: "/whoami"}
	people := b.holders(roles)
	switch {
	case len(roles) == 0:
		e.Say = fmt.Sprintf("%s is given to nobody by the configuration.", doing(verb, t))
	case len(people) == 0:
		e.Say = fmt.Sprintf("%s needs the role %s, which nobody has.", doing(verb, t), either(roles))
	default:
		e.Say = fmt.Sprintf("%s needs the role %s, which %s.", doing(verb, t), either(roles), have(people))
	}
	return e
}

// askWhom is the hint for people whom maitred does not know.
func (b *book) askWhom() string {
	var roles []string
	for name, r := range b.Rules.Roles {
		if r.covers("*") && r.unlimited() {
			roles = append(roles, name)
		}
	}
	if people := b.holders(roles); len(people) > 0 {
		return "Ask " + either(people) + " to add you to the configuration."
	}
	return "Ask whoever keeps maitred's configuration to add you."
}

func chatID(who chat.Person) string { return who.Chat + ":" + who.ID }

// gerunds are the verbs whose sentence is not "Using /verb on …". The first %s is
// the app, the second the environment.
var gerunds = map[string]string{
	"deploy":            "Deploying %s to %s",
	"update":            "Updating %s in %s",
	"rollback":          "Rolling back %s in %s",
	"restart":           "Restarting %s in %s",
	"start":             "Starting %s in %s",
	"stop":              "Stopping %s in %s",
	"scale":             "Scaling %s in %s",
	"run":               "Running a command in %s in %s",
	"logs":              "Reading the logs of %s in %s",
	"lock":              "Locking %s in %s",
	"unlock":            "Unlocking %s in %s",
	"freeze":            "Freezing %s in %s",
	"unfreeze":          "Unfreezing %s in %s",
	"approve":           "Approving operations on %s in %s",
	"reject":            "Rejecting operations on %s in %s",
	"cancel":            "Cancelling operations on %s in %s",
	"settle":            "Settling operations on %s in %s",
	"breakglass":        "Breaking the glass for %s in %s",
	"maintenance on":    "Switching on the maintenance page of %s in %s",
	"maintenance off":   "Switching off the maintenance page of %s in %s",
	"config set":        "Setting variables of %s in %s",
	"config unset":      "Unsetting variables of %s in %s",
	"backup capture":    "Backing up %s in %s",
	"backup restore":    "Restoring a backup of %s in %s",
	"backup schedule":   "Scheduling backups of %s in %s",
	"backup unschedule": "Unscheduling backups of %s in %s",
}

// doing is what was wanted, at the beginning of a sentence.
func doing(verb string, t commands.Target) string {
	words, known := gerunds[verb]
	switch {
	case known && t.Environment != "":
		return fmt.Sprintf(words, t.App, t.Environment)
	case known && t.App != "":
		head, _, _ := strings.Cut(words, " %s")
		return fmt.Sprintf("%s %s everywhere", head, t.App)
	case t.App != "":
		return fmt.Sprintf("Using /%s on %s", verb, t)
	case wholesale[verb]:
		return fmt.Sprintf("Using /%s on all apps at once", verb)
	}
	return "Using /" + verb
}

// have is people and the verb: "ann has", "ann and bob have".
func have(people []string) string {
	if len(people) == 1 {
		return people[0] + " has"
	}
	return joined(people, "and") + " have"
}

func either(words []string) string { return joined(words, "or") }

func joined(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + last + " " + words[len(words)-1]
}
