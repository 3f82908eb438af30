package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"maitred/platform"
)

// Rules are the parts of the configuration that the gates read. A reload swaps
// them whole.
type Rules struct {
	Approvals []ApprovalRule
	Windows   []DeployWindow
	Own       []platform.Target // maitred's own: never a target; an empty environment is all of them
}

// ApprovalRule says which operations need whose approval. The first rule that
// matches an operation decides; empty Apps or Environments match all.
type ApprovalRule struct {
	Verbs        []string      `yaml:"for"` // "deploy", "backup" (also "backup restore"), "*"
	Apps         []string      `yaml:"apps,omitempty"`
	Environments []string      `yaml:"environments,omitempty"`
	Count        int           `yaml:"count,omitempty"`   // how many; one when zero
	Roles        []string      `yaml:"of"`                // whose holders may decide
	Unless       []string      `yaml:"unless,omitempty"`  // roles whose holders need no approval
	Expires      time.Duration `yaml:"expires,omitempty"` // an hour when zero
	Remind       time.Duration `yaml:"remind,omitempty"`  // half of Expires when zero
}

func (r ApprovalRule) matches(op platform.Operation) bool {
	return slices.ContainsFunc(r.Verbs, func(p string) bool { return Covers(p, op.Kind.Verb()) }) &&
		among(r.Apps, op.Target.App) && among(r.Environments, op.Target.Environment)
}

// DeployWindow is when deploys may start. An operation must be inside one of
// the windows that match its target; a target that none matches is always open.
type DeployWindow struct {
	Apps         []string  `yaml:"apps,omitempty"`
	Environments []string  `yaml:"environments,omitempty"`
	Days         []Weekday `yaml:"days,omitempty"` // all when empty
	From         Clock     `yaml:"from"`
	To           Clock     `yaml:"to"`             // not after midnight; zero is midnight
	Zone         string    `yaml:"zone,omitempty"` // IANA name; UTC when empty
}

func (w DeployWindow) matches(t platform.Target) bool {
	return among(w.Apps, t.App) && among(w.Environments, t.Environment)
}

// Holds reports whether at is inside the window.
func (w DeployWindow) Holds(at time.Time) (bool, error) {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return false, fmt.Errorf("deploy window: %w", err)
	}
	at = at.In(zone)
	if len(w.Days) > 0 && !slices.Contains(w.Days, Weekday(at.Weekday())) {
		return false, nil
	}
	clock := Clock(time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second)
	return clock >= w.From && clock < w.end(), nil
}

// Opens is the next time after at when the window begins to hold.
func (w DeployWindow) Opens(at time.Time) (time.Time, error) {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("deploy window: %w", err)
	}
	at = at.In(zone)
	for day := range 8 {
		minutes := int(time.Duration(w.From) / time.Minute)
		begin := time.Date(at.Year(), at.Month(), at.Day()+day, minutes/60, minutes%60, 0, 0, zone)
		if !begin.After(at) {
			continue
		}
		if in, _ := w.Holds(begin); in {
			return begin, nil
		}
	}
	return time.Time{}, fmt.Errorf("deploy window %s never opens", w)
}

// String is how a window is named in a sentence: "Mon, Tue 09:00–17:00 Europe/Berlin".
func (w DeployWindow) String() string {
	days := "every day"
	if len(w.Days) > 0 {
		names := make([]string, len(w.Days))
		for i, d := range w.Days {
			names[i] = d.String()
		}
		days = strings.Join(names, ", ")
	}
	zone := w.Zone
	if zone == "" {
		zone = "UTC"
	}
	return fmt.Sprintf("%s %s–%s %s", days, w.From, w.end(), zone)
}

func (w DeployWindow) end() Clock {
	if w.To == 0 {
		return Clock(24 * time.Hour)
	}
	return w.To
}

// Weekday is a day of the week, written "mon" or "Monday" in the configuration.
type Weekday time.Weekday

// UnmarshalText reads a name or its first three letters.
func (d *Weekday) UnmarshalText(text []byte) error {
	word := strings.ToLower(string(text))
	for day := time.Sunday; day <= time.Saturday; day++ {
		name := strings.ToLower(day.String())
		if word == name || word == name[:3] {
			*d = Weekday(day)
			return nil
		}
	}
	return fmt.Errorf("%q is no day of the week: mon, tue, wed, thu, fri, sat or sun", text)
}

// MarshalText is the short name.
func (d Weekday) MarshalText() ([]byte, error) { return []byte(strings.ToLower(d.String())), nil }

func (d Weekday) String() string { return time.Weekday(d).String()[:3] }

// Clock is a time of day, since midnight, written "09:30".
type Clock time.Duration

// UnmarshalText reads "09:30"; "24:00" is the end of the day.
func (c *Clock) UnmarshalText(text []byte) error {
	if string(text) == "24:00" {
		*c = Clock(24 * time.Hour)
		return nil
	}
	t, err := time.Parse("15:04", string(text))
	if err != nil {
		return fmt.Errorf("%q is no time of day: write it as 09:30", text)
	}
	*c = Clock(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute)
	return nil
}

// MarshalText is the form that UnmarshalText reads.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c Clock) String() string {
	minutes := int(time.Duration(c) / time.Minute)
	return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60)
}

// Covers reports whether a pattern of a rule or role covers a verb: it is equal,
// a whole-word prefix ("backup" covers "backup restore"), or "*".
func Covers(pattern, verb string) bool {
	return pattern == "*" || pattern == verb || strings.HasPrefix(verb, pattern+" ")
}

// among reports whether name is in list; an empty list has everything.
func among(list []string, name string) bool {
	return len(list) == 0 || slices.Contains(list, name)
}
