package commands

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"maitred/chat"
	"maitred/fault"
)

// BackupSchedule is /backup schedule APP WHEN [to ENV]: capture whenever a clock
// says so, in the name of whoever asked.
type BackupSchedule struct {
	changes
	Where
	When     []string `arg:"" optional:"" rest:"text" sep:"none" need:"a time, such as at 02:00 Europe/Paris, @daily, or a cron expression" placeholder:"WHEN" help:"at 02:00 [ZONE], @hourly, @daily, @weekly, @monthly, or five cron fields."`
	Database string   `name:"database" complete:"database" placeholder:"DATABASE" help:"The database; the app's default when left out."`
	Zone     string   `name:"zone" placeholder:"ZONE" help:"The time zone, such as Europe/Paris; yours, when the chat tells it, else UTC."`
}

// Run stores the schedule.
func (b *BackupSchedule) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	expression, zone, err := clockwork(text(b.When), b.Zone, c.Person.Zone)
	if err != nil {
		return Answer{}, err
	}
	next, err := upcoming(expression, zone, c.Now)
	if err != nil {
		return Answer{}, err
	}
	line := "/backup capture " + quote(b.App)
	if b.Database != "" {
		line += " " + quote(b.Database)
	}
	place := c.Place.Top()
	if place == (chat.Place{}) {
		place = s.Apps.Home(b.Target())
	}
	stored, err := s.Schedules.AddSchedule(ctx, Schedule{
		Line: line + " to " + quote(b.Environment), Target: b.Target(), Cron: expression, Zone: zone,
		Person: c.Person, Place: place, Created: c.Now,
	})
	if err != nil {
		return Answer{}, err
	}
	card := say("Schedule %d: %s is captured %s, next on %s.", stored.ID, b.Target(), spoken(expression, zone), clock(next, c.Now, zone))
	card.State, card.Word = chat.Good, "scheduled"
	card.Buttons = []chat.Button{{Label: "Unschedule", Line: fmt.Sprintf("/backup unschedule %d", stored.ID)}}
	return Answer{Card: card}, nil
}

// BackupUnschedule is /backup unschedule ID.
type BackupUnschedule struct {
	changes
	Schedule ID `arg:"" optional:"" complete:"schedule" need:"the number of a schedule; /backup schedules lists them" placeholder:"ID" help:"The schedule's number."`
}

// Run removes the schedule.
func (b *BackupUnschedule) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	gone, err := s.Schedules.RemoveSchedule(ctx, int64(b.Schedule))
	if fault.Is(err, fault.Missing) {
		return Answer{}, missing("/backup schedules", "There is no schedule %d.", b.Schedule)
	}
	if err != nil {
		return Answer{}, err
	}
	card := say("Schedule %d of %s is gone: %s is no longer said %s.", gone.ID, gone.Person.Label(), gone.Line, spoken(gone.Cron, gone.Zone))
	if !gone.Person.Same(c.Person) {
		card.Mention = []chat.Person{gone.Person}
	}
	return Answer{Card: card}, nil
}

// BackupSchedules is /backup schedules [APP].
type BackupSchedules struct{ Which }

func (b *BackupSchedules) roams() bool { return true }

// Run lists them.
func (b *BackupSchedules) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	all, err := s.Schedules.Schedules(ctx)
	if err != nil {
		return Answer{}, err
	}
	table := rows{{"ID", "WHAT", "WHEN", "NEXT", "BY"}}
	for _, one := range all {
		if b.App != "" && one.Target.App != b.App {
			continue
		}
		next, err := upcoming(one.Cron, one.Zone, c.Now)
		if err != nil {
			return Answer{}, err
		}
		table = append(table, []string{fmt.Sprint(one.ID), one.Line, spoken(one.Cron, one.Zone), clock(next, c.Now, one.Zone), one.Person.Label()})
	}
	if len(table) == 1 {
		return Answer{Card: say("Nothing is captured regularly. Begin with: /backup schedule APP at 02:00 Europe/Paris")}, nil
	}
	card := say("%s.", capital(count(len(table)-1, "schedule", "schedules")))
	card.Title, card.Output = "Schedules", table.String()
	return Answer{Card: card}, nil
}

var (
	atTime = regexp.MustCompile(`^(?i:(?:every day |daily )?at )?(\d{1,2}):(\d{2})(?: (\S+))?$`)
	named5 = regexp.MustCompile(`^(@[a-z]+|\S+ \S+ \S+ \S+ \S+)(?: ([A-Za-z]+(?:/[A-Za-z_+-]+)*|UTC))?$`)
)

// regularly are the words for a time.
var regularly = []string{"@hourly", "@daily", "@weekly", "@monthly"}

// clockwork reads WHEN as a cron expression and a zone: the one that the words
// end with, else the option's, else the person's, else UTC.
func clockwork(when, option, person string) (expression, zone string, err error) {
	when = strings.Join(strings.Fields(when), " ")
	hint := "/backup schedule APP at 02:00 Europe/Paris"
	if m := atTime.FindStringSubmatch(when); m != nil {
		var hour, minute int
		fmt.Sscan(m[1], &hour)
		fmt.Sscan(m[2], &minute)
		if hour > 23 || minute > 59 {
			return "", "", invalid(hint, "%s:%s is not a time of day.", m[1], m[2])
		}
		expression, zone = fmt.Sprintf("%d %d * * *", minute, hour), m[3]
	} else if m := named5.FindStringSubmatch(when); m != nil {
		expression, zone = m[1], m[2]
	} else {
		return "", "", invalid(hint, "“%s” is not a time that I understand. Write it as at 02:00 Europe/Paris, @daily, or five cron fields.", short(when))
	}
	for _, z := range []string{option, person, "UTC"} {
		if zone == "" {
			zone = z
		}
	}
	if _, err := time.LoadLocation(zone); err != nil || strings.EqualFold(zone, "local") {
		return "", "", invalid(hint, "There is no time zone “%s”. Write it as Europe/Paris.", short(zone))
	}
	if strings.HasPrefix(expression, "@") && !slices.Contains(regularly, expression) {
		if best := nearest(expression, regularly); best != "" {
			return "", "", invalid("/backup schedule APP "+best, "“%s” is not a time that I understand. Did you mean %s?", short(expression), best)
		}
		return "", "", invalid(hint, "“%s” is not a time that I understand. There is %s.", short(expression), list(regularly, "and"))
	}
	if _, err := cron.ParseStandard(expression); err != nil {
		return "", "", &fault.Error{Kind: fault.Invalid, Op: "commands.schedule", Hint: hint, Err: err,
			Say: fmt.Sprintf("“%s” is not a cron expression: minute, hour, day of the month, month, day of the week.", expression)}
	}
	return expression, zone, nil
}

// upcoming is the next tick after now.
func upcoming(expression, zone string, now time.Time) (time.Time, error) {
	place, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("zone of schedule: %w", err)
	}
	plan, err := cron.ParseStandard(expression)
	if err != nil {
		return time.Time{}, fmt.Errorf("read schedule: %w", err)
	}
	next := plan.Next(now.In(place))
	if next.IsZero() {
		return time.Time{}, invalid("/backup schedule APP @daily", "“%s” never comes.", expression)
	}
	return next, nil
}

// spoken is an expression as people say it, where that is easy.
func spoken(expression, zone string) string {
	var minute, hour int
	if n, _ := fmt.Sscanf(expression, "%d %d * * *", &minute, &hour); n == 2 && strings.HasSuffix(expression, " * * *") {
		return fmt.Sprintf("every day at %02d:%02d %s", hour, minute, zone)
	}
	if name, ok := strings.CutPrefix(expression, "@"); ok {
		return name + " (" + zone + ")"
	}
	return fmt.Sprintf("at “%s” (%s)", expression, zone)
}
