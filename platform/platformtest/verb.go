package platformtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"maitred/fault"
	"maitred/platform"
)

// verb is one action of a Fake, whichever way it is carried out. Its effect
// twice leaves the same world.
type verb struct {
	name   string
	way    Way
	undo   bool
	secret bool // it needs the value behind Args.Handle
	effect func(a *app, r platform.Run, in args, secret string) (platform.Result, error)
}

// args are what the plans of a Fake tell its actions.
type args struct {
	Source   *platform.Source    `json:"source,omitempty"`
	Release  string              `json:"release,omitempty"`
	On       bool                `json:"on,omitempty"`
	Why      string              `json:"why,omitempty"`
	Backup   string              `json:"backup,omitempty"`
	Database string              `json:"database,omitempty"`
	Name     string              `json:"name,omitempty"`
	Handle   string              `json:"handle,omitempty"`
	Scale    []platform.Quantity `json:"scale,omitempty"`
	Command  []string            `json:"command,omitempty"`
}

func (in args) raw() json.RawMessage {
	raw, err := json.Marshal(in)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	return raw
}

func readArgs(r platform.Run) args {
	var in args
	if len(r.Step.Args) > 0 && json.Unmarshal(r.Step.Args, &in) != nil {
		return args{}
	}
	return in
}

func (v verb) open(ctx context.Context, r platform.Run) (string, error) {
	if !v.secret {
		return "", nil
	}
	return r.Secret(ctx, readArgs(r).Handle)
}

var verbs = []verb{
	{name: "build", way: Attach, effect: build},
	{name: "undo build", undo: true, effect: unbuild},
	{name: "migrate", effect: migrate},
	{name: "probe", effect: probe},
	{name: "switch", effect: turn},
	{name: "undo switch", undo: true, effect: turnBack},
	{name: "verify", effect: verify},
	{name: "maintenance", effect: maintain},
	{name: "undo maintenance", undo: true, effect: maintainBack},
	{name: "capture", way: Attach, effect: capture},
	{name: "put back", undo: true, effect: putBack},
	{name: "restore", effect: restore},
	{name: "undo restore", undo: true, effect: restoreBack},
	{name: "start", effect: func(a *app, r platform.Run, _ args, _ string) (platform.Result, error) { return a.stopped(r, false) }},
	{name: "stop", effect: func(a *app, r platform.Run, _ args, _ string) (platform.Result, error) { return a.stopped(r, true) }},
	{name: "undo stop", undo: true, effect: unstop},
	{name: "restart", effect: restart},
	{name: "scale", effect: scale},
	{name: "undo scale", undo: true, effect: unscale},
	{name: "run", way: Attach, effect: run},
	{name: "set", secret: true, effect: set},
	{name: "unset", effect: unset},
	{name: "undo set", undo: true, effect: reset},
}

// remember keeps what r found the first time it ran, and returns it as data.
func (a *app) remember(r platform.Run, b before) json.RawMessage {
	if _, ok := a.Before[r.Key]; !ok {
		a.Before[r.Key] = b
	}
	raw, err := json.Marshal(a.Before[r.Key])
	if err != nil {
		panic(err)
	}
	return raw
}

func (a *app) release(id string) *platform.Release {
	for i := range a.Releases {
		if a.Releases[i].ID == id {
			rel := a.Releases[i]
			return &rel
		}
	}
	return nil
}

func (a *app) mark(id string, s platform.ReleaseState) {
	for i := range a.Releases {
		if a.Releases[i].ID == id {
			a.Releases[i].State = s
		}
	}
}

// made is the release that operation op built.
func (a *app) made(op int64) *platform.Release {
	i := slices.IndexFunc(a.Releases, func(r platform.Release) bool { return r.Operation == op })
	if i < 0 {
		return nil
	}
	return &a.Releases[i]
}

func build(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	rel := a.made(r.Operation)
	if rel == nil {
		a.Releases = append(a.Releases, platform.Release{
			ID: "r" + strconv.Itoa(len(a.Releases)+1), Ref: in.Source.Ref, SHA: in.Source.SHA,
			Version: version(in.Source), By: r.Requester, At: time.Now(), Operation: r.Operation,
		})
		rel = &a.Releases[len(a.Releases)-1]
	}
	if rel.ID != a.Live {
		rel.State = platform.ReleasePrepared
	}
	return platform.Result{Say: rel.ID + " built"}, nil
}

func unbuild(a *app, r platform.Run, _ args, _ string) (platform.Result, error) {
	if rel := a.made(r.Operation); rel != nil {
		rel.State = platform.ReleaseFailed
	}
	return platform.Result{Say: "the release was thrown away"}, nil
}

func migrate(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	if a.Migrated >= version(in.Source) {
		return platform.Result{Say: "nothing to migrate"}, nil
	}
	a.Migrated = version(in.Source)
	return platform.Result{Say: "1 migration"}, nil
}

func probe(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	if a.made(r.Operation) == nil {
		return platform.Result{}, fault.New(fault.Internal, "fake.probe", "", "Nothing was built.")
	}
	return platform.Result{Say: version(in.Source) + " answers"}, nil
}

func turn(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	to := in.Release
	if in.Source != nil {
		rel := a.made(r.Operation)
		if rel == nil {
			return platform.Result{}, fault.New(fault.Internal, "fake.switch", "", "Nothing was built.")
		}
		to = rel.ID
	}
	data := a.remember(r, before{Live: a.Live, Stopped: a.Stopped})
	if a.Live != to {
		a.mark(a.Live, platform.ReleaseSuperseded)
	}
	a.Live, a.Stopped = to, false
	a.mark(to, platform.ReleaseLive)
	a.print("web", a.release(to).Version+" is live")
	return platform.Result{Say: to + " is live", Release: to, Data: data}, nil
}

func turnBack(a *app, r platform.Run, _ args, _ string) (platform.Result, error) {
	was, ok := a.Before[r.Key]
	if !ok {
		return platform.Result{Say: "nothing had been switched"}, nil
	}
	if a.Live != was.Live {
		a.mark(a.Live, platform.ReleaseSuperseded)
		a.mark(was.Live, platform.ReleaseLive)
	}
	a.Live, a.Stopped = was.Live, was.Stopped
	return platform.Result{Say: "back to " + was.Live, Release: was.Live}, nil
}

func verify(a *app, _ platform.Run, _ args, _ string) (platform.Result, error) {
	live := a.release(a.Live)
	if live == nil {
		return platform.Result{}, fault.New(fault.Invalid, "fake.verify", "", "Nobody answers.")
	}
	return platform.Result{Say: live.Version + " answers"}, nil
}

func maintain(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	data := a.remember(r, before{Maintenance: a.Maintenance})
	if a.Maintenance.On == in.On {
		return platform.Result{Say: "as it was", Data: data}, nil
	}
	a.Maintenance = platform.Maintenance{}
	if in.On {
		a.Maintenance = platform.Maintenance{On: true, Why: in.Why, By: r.Requester, Since: time.Now()}
	}
	return platform.Result{Say: "visitors see it now", Data: data}, nil
}

func maintainBack(a *app, r platform.Run, _ args, _ string) (platform.Result, error) {
	if was, ok := a.Before[r.Key]; ok {
		a.Maintenance = was.Maintenance
	}
	return platform.Result{Say: "as before"}, nil
}

func (a *app) stopped(r platform.Run, stop bool) (platform.Result, error) {
	if a.Live == "" {
		return platform.Result{}, fault.New(fault.Refused, "fake.stop", "", "Nothing was deployed yet.")
	}
	data := a.remember(r, before{Stopped: a.Stopped})
	a.Stopped = stop
	return platform.Result{Say: map[bool]string{true: "stopped", false: "started"}[stop], Data: data}, nil
}

func unstop(a *app, r platform.Run, _ args, _ string) (platform.Result, error) {
	if was, ok := a.Before[r.Key]; ok {
		a.Stopped = was.Stopped
	}
	return platform.Result{Say: "as before"}, nil
}

func restart(a *app, r platform.Run, _ args, _ string) (platform.Result, error) {
	if _, again := a.Before[r.Key]; !again {
		a.Restarts++
	}
	a.remember(r, before{})
	a.print("web", "restarted")
	return platform.Result{Say: "restarted"}, nil
}

func scale(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	data := a.remember(r, before{Processes: maps.Clone(a.Processes)})
	was := a.Before[r.Key].Processes
	for _, q := range in.Scale {
		a.Processes[q.Process] = q.Count
		if q.Delta {
			a.Processes[q.Process] = max(0, was[q.Process]+q.Count)
		}
	}
	return platform.Result{Say: "scaled", Data: data}, nil
}

func unscale(a *app, r platform.Run, _ args, _ string) (platform.Result, error) {
	if was, ok := a.Before[r.Key]; ok {
		a.Processes = maps.Clone(was.Processes)
	}
	return platform.Result{Say: "as before"}, nil
}

// run understands two commands: echo WORDS prints them, exit N exits.
func run(a *app, r platform.Run, in args, _ string) (platform.Result, error) {
	exit, text := 0, ""
	switch in.Command[0] {
	case "echo":
		text = strings.Join(in.Command[1:], " ")
	case "exit":
		exit = 1
		if len(in.Command) > 1 {
			if n, err := strconv.Atoi(in.Command[1]); err == nil {
				exit = n
			}
		}
	default:
		exit, text = 127, in.Command[0]+": not found"
	}
	if text != "" {
		a.print("run", text)
		fmt.Fprintln(r.Log, text)
	}
	return platform.Result{Say: fmt.Sprintf("exit code %d", exit), Exit: &exit}, nil
}

func (a *app) print(process, text string) {
	a.Printed = append(a.Printed, platform.LogLine{At: time.Now(), Process: process, Text: text})
}

func version(src *platform.Source) string {
	if src.Version != "" {
		return src.Version
	}
	return src.SHA[:min(7, len(src.SHA))]
}
