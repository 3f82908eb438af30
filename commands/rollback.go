package commands

import (
	"context"
	"slices"
	"strings"

	"maitred/platform"
	"maitred/platform/engine"
)

// Rollback is /rollback APP [to RELEASE] [if RELEASE] [in ENV]: go back to an
// earlier release. A release is named by its id (r3) or by the version that the
// app shows (v1.0.0). With "if", it happens only while that release is live.
type Rollback struct {
	submits
	Where
	Release string `arg:"" optional:"" complete:"release" words:"to" placeholder:"RELEASE" help:"The release to go back to; the one before the live one when left out."`
	If      string `name:"if" words:"if" complete:"release" placeholder:"RELEASE" help:"Only while this release is live: what a button says, so that a late click does no harm."`
}

// Run finds the releases that are meant and submits.
func (r *Rollback) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	p, err := provider[platform.Rollbacker](s, r.Target(), "go back to an earlier release")
	if err != nil {
		return Answer{}, err
	}
	args := engine.RollbackArgs{To: r.Release, If: r.If}
	if r.Release != "" || r.If != "" {
		releases, err := p.Releases(ctx, r.Target(), 0)
		if err != nil {
			return Answer{}, err
		}
		if args.To, err = releaseID(releases, r.Release, r.Target()); err != nil {
			return Answer{}, err
		}
		if args.If, err = releaseID(releases, r.If, r.Target()); err != nil {
			return Answer{}, err
		}
	}
	return submit(ctx, c, s, platform.Rollback, r.Target(), nil, args)
}

// releaseID turns an id or a version into an id. Of several releases of one
// version the newest that can be gone back to is meant.
func releaseID(releases []platform.Release, name string, t platform.Target) (string, error) {
	if name == "" {
		return "", nil
	}
	var version string
	var known []string
	for _, r := range releases {
		if strings.EqualFold(r.ID, name) {
			return r.ID, nil
		}
		usable := r.State == platform.ReleaseLive || r.State == platform.ReleaseSuperseded
		if strings.EqualFold(r.Version, name) && (version == "" && usable) {
			version = r.ID
		}
		if usable {
			known = append(known, r.ID)
			if r.Version != "" && !slices.Contains(known, r.Version) {
				known = append(known, r.Version)
			}
		}
	}
	if version != "" {
		return version, nil
	}
	if best := nearest(name, known); best != "" {
		return "", missing("/releases "+t.App, "%s has no release “%s” to go back to. Did you mean %s?", t.App, name, best)
	}
	return "", missing("/releases "+t.App, "%s has no release “%s” to go back to.", t.App, name)
}
