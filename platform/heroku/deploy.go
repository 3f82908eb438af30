package heroku

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/fault"
	"maitred/platform"
)

// checkArgs name a one-off command that must exit with 0.
type checkArgs struct {
	Command string `json:"command"`
}

// PlanDeploy implements platform.Provider.
func (p *Provider) PlanDeploy(ctx context.Context, t platform.Target, src platform.Source) (platform.Plan, error) {
	if err := p.mine(t); err != nil {
		return platform.Plan{}, err
	}
	if len(src.SHA) < 7 || src.Repository == "" && src.Archive == "" {
		return platform.Plan{}, fault.New(fault.Invalid, "heroku.deploy", "Name a branch, a tag or a commit.", "There is no commit to deploy on %s.", t)
	}
	app, err := p.client.AppInfo(ctx, p.config.App)
	if err != nil {
		return platform.Plan{}, p.fail("heroku.deploy", err)
	}
	if app.BuildStack.Name == "container" {
		return platform.Plan{}, fault.New(fault.Invalid, "heroku.deploy", "Give the app a stack with buildpacks, such as heroku-24.",
			"%s is on the container stack, which takes images and not commits.", p.config.App)
	}
	steps := []platform.Step{
		{Name: "build", Action: "build", Args: raw(buildArgs{src}), Undo: "unbuild", Always: true},
		{Name: "release", Action: "release"},
		{Name: "dynos", Action: "settle"},
	}
	if p.config.Health.Path != "" {
		steps = append(steps, platform.Step{Name: "check " + p.config.Health.Path, Action: "probe"})
	}
	for i, command := range p.config.Checks {
		steps = append(steps, platform.Step{Name: fmt.Sprintf("check %d", i+1), Action: "check", Args: raw(checkArgs{command})})
	}
	return platform.Plan{Steps: steps}, nil
}

// releaseStep follows the release phase to its end.
func (p *Provider) releaseStep(ctx context.Context, r platform.Run) (platform.Result, error) {
	id, err := p.releaseOf(ctx, r)
	if err != nil {
		return platform.Result{}, err
	}
	if err := p.follow(ctx, r, id, ""); err != nil {
		return platform.Result{}, err
	}
	release, err := p.client.ReleaseInfo(ctx, p.config.App, id)
	if err != nil {
		return platform.Result{}, p.fail("heroku.release", err)
	}
	return platform.Result{Say: name(*release), Release: name(*release)}, nil
}

// follow waits until a release has ended, and fails when it did not go live.
func (p *Provider) follow(ctx context.Context, r platform.Run, id, as string) error {
	release, err := p.client.ReleaseInfo(ctx, p.config.App, id)
	if err != nil {
		return p.fail("heroku.release", err)
	}
	var out output
	if release.OutputStreamURL != nil {
		out = p.stream(ctx, r.Log, *release.OutputStreamURL)
	}
	if release, err = p.ended(ctx, id); err != nil {
		out.end()
		return err
	}
	last := out.wait()
	if release.Status == "succeeded" {
		return nil
	}
	if as == "" {
		as = name(*release)
	}
	return &fault.Error{Kind: fault.Refused, Op: "heroku.release", Hint: "Look at the output of the release phase in this thread.",
		Say: fmt.Sprintf("The release phase of %s failed%s The release before keeps running.", as, quoted(last))}
}

// ended is a release that is not pending any more.
func (p *Provider) ended(ctx context.Context, id string) (*heroku.Release, error) {
	for {
		release, err := p.client.ReleaseInfo(ctx, p.config.App, id)
		if err != nil {
			return nil, p.fail("heroku.release", err)
		}
		if release.Status != "pending" {
			return release, nil
		}
		if err := p.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// settleStep waits until the dynos run what was released.
func (p *Provider) settleStep(ctx context.Context, r platform.Run) (platform.Result, error) {
	id, err := p.releaseOf(ctx, r)
	if err != nil {
		return platform.Result{}, err
	}
	release, err := p.client.ReleaseInfo(ctx, p.config.App, id)
	if err != nil {
		return platform.Result{}, p.fail("heroku.dynos", err)
	}
	n, err := p.settle(ctx, release.Version)
	if err != nil {
		return platform.Result{}, err
	}
	if n == 0 {
		return platform.Result{Say: "no dynos", Warnings: []string{"The app is stopped: it has no dynos. /start " + r.Target.App}}, nil
	}
	return platform.Result{Say: plural(n, "dyno") + " up"}, nil
}

// settle waits until all dynos run a release not older than version, and counts
// them. A dyno that crashes is the end of waiting.
func (p *Provider) settle(ctx context.Context, version int) (int, error) {
	for {
		list, err := p.dynos(ctx)
		if err != nil {
			return 0, err
		}
		up := 0
		for _, d := range list {
			if d.Release.Version >= version && d.State == "crashed" {
				return 0, &fault.Error{Kind: fault.Refused, Op: "heroku.dynos", Say: fmt.Sprintf("The dyno %s crashed with v%d.", d.Name, d.Release.Version),
					Hint: "/logs " + p.target.App}
			}
			if d.Release.Version >= version && (d.State == "up" || d.State == "idle") {
				up++
			}
		}
		if up == len(list) {
			return up, nil
		}
		if err := p.pause(ctx); err != nil {
			return 0, err
		}
	}
}

// probe asks the app until it answers well.
func (p *Provider) probe(ctx context.Context, r platform.Run) (platform.Result, error) {
	app, err := p.client.AppInfo(ctx, p.config.App)
	if err != nil {
		return platform.Result{}, p.fail("heroku.probe", err)
	}
	if app.WebURL == nil {
		return platform.Result{}, fault.New(fault.Refused, "heroku.probe", "", "%s has no address on the web to check.", p.config.App)
	}
	at := strings.TrimRight(*app.WebURL, "/") + p.config.Health.Path
	if app.Maintenance {
		return platform.Result{Say: "not asked", Warnings: []string{"The maintenance page is up, so " + p.config.Health.Path + " was not asked; the dynos are up."}}, nil
	}
	deadline := time.Now().Add(p.config.Health.Deadline)
	for {
		began := time.Now()
		said := p.get(ctx, at)
		if said == "200" || strings.HasPrefix(said, "20") {
			return platform.Result{Say: fmt.Sprintf("%s answered %s in %d ms", p.config.Health.Path, said, time.Since(began).Milliseconds())}, nil
		}
		if ctx.Err() != nil {
			return platform.Result{}, ctx.Err()
		}
		if time.Now().After(deadline) {
			return platform.Result{}, fault.New(fault.Refused, "heroku.probe", "/logs "+r.Target.App,
				"%s of %s did not get well within %s: %s.", p.config.Health.Path, r.Target, p.config.Health.Deadline, said)
		}
		if err := p.pause(ctx); err != nil {
			return platform.Result{}, err
		}
	}
}

// get is the status of an answer, or why there is none.
func (p *Provider) get(ctx context.Context, at string) string {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return "its address is none"
	}
	response, err := p.client.streams.Do(request)
	if err != nil {
		return "there was no answer"
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return fmt.Sprint(response.StatusCode)
}

// check runs a one-off command that must exit with 0. It may be repeated.
func (p *Provider) check(ctx context.Context, r platform.Run) (platform.Result, error) {
	var args checkArgs
	if err := readArgs(r, &args); err != nil {
		return platform.Result{}, err
	}
	code, err := p.oneOff(ctx, r, args.Command)
	if err != nil {
		return platform.Result{}, err
	}
	if code != 0 {
		return platform.Result{}, fault.New(fault.Refused, "heroku.check", "Look at its output in this thread.", "The check `%s` ended with exit code %d.", args.Command, code)
	}
	return platform.Result{Say: "passed"}, nil
}
