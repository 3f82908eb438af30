package herokutest

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// release is one version of an app: a slug and config vars.
type release struct {
	id, description, status string
	version                 int
	created                 time.Time
	slug                    *slug
	config                  map[string]string
	output                  *stream // of its release phase
	current                 bool
	rollback                bool
}

// release makes a release. With a slug that has a release phase it is pending
// until the phase ends well. The lock is held.
func (h *Heroku) release(a *App, description string, s *slug) *release {
	n := &release{id: h.id(), description: description, status: "succeeded", version: len(a.releases) + 1, created: time.Now(), slug: s, config: maps.Clone(a.config)}
	fresh := s != nil
	if s == nil {
		if live := a.current(); live != nil {
			n.slug = live.slug
		}
	}
	a.releases = append(a.releases, n)
	h.count("release", a)
	a.log("app", "api", fmt.Sprintf("Release v%d created by user %s", n.version, owner))
	if command := n.phase(); fresh && command != "" {
		n.status, n.output = "pending", h.stream()
		h.runPhase(a, n, command)
		return n
	}
	h.succeed(a, n)
	return n
}

func (r *release) phase() string {
	if r.slug == nil {
		return ""
	}
	return r.slug.types["release"]
}

// runPhase runs the release command as a dyno would.
func (h *Heroku) runPhase(a *App, n *release, command string) {
	s := h.session(a, n, "release."+strconv.Itoa(n.version), command, nil, n.output)
	s.hold = Releases
	s.ended = func(code int) {
		n.output.close()
		if code != 0 {
			n.status = "failed"
			a.log("app", "api", fmt.Sprintf("Release v%d command failed", n.version))
			return
		}
		n.status = "succeeded"
		h.succeed(a, n)
	}
	h.start(s)
}

// succeed makes a release the current one and starts its dynos.
func (h *Heroku) succeed(a *App, n *release) {
	for _, r := range a.releases {
		r.current = false
	}
	n.current, n.rollback = true, n.slug != nil
	if n.slug != nil {
		a.adopt(h, n.slug)
	}
	h.cycle(a, func(*dyno) bool { return true })
}

func (a *App) current() *release {
	for _, r := range a.releases {
		if r.current {
			return r
		}
	}
	return nil
}

func (h *Heroku) showRelease(a *App, r *release) obj {
	o := obj{
		"id": r.id, "version": r.version, "description": r.description, "status": r.status, "current": r.current, "created_at": r.created, "updated_at": r.created,
		"eligible_for_rollback": r.rollback, "addon_plan_names": []string{}, "app": obj{"id": a.id, "name": a.Name}, "user": person(), "slug": nil, "output_stream_url": nil,
		"oci_image": nil, "artifacts": []obj{},
	}
	if r.slug != nil {
		o["slug"] = obj{"id": r.slug.id}
	}
	if r.output != nil {
		o["output_stream_url"] = h.api + "/streams/" + r.output.id
	}
	return o
}

func (h *Heroku) releaseRoutes(r routes) {
	r.mine(200, "GET /apps/{app}/releases", func(a *App, c *call) (any, error) {
		l := list{by: "version", other: []string{"id"}}
		for _, n := range a.releases {
			l.items = append(l.items, h.showRelease(a, n))
		}
		return l, nil
	})
	r.mine(200, "GET /apps/{app}/releases/{release}", func(a *App, c *call) (any, error) {
		n, err := a.releaseNamed(c.PathValue("release"))
		if err != nil {
			return nil, err
		}
		return h.showRelease(a, n), nil
	})
	r.mine(200, "GET /apps/{app}/releases/{release}/config-vars", func(a *App, c *call) (any, error) {
		n, err := a.releaseNamed(c.PathValue("release"))
		if err != nil {
			return nil, err
		}
		return n.config, nil
	})
	r.mine(http.StatusCreated, "POST /apps/{app}/releases", h.createRelease)
}

func (a *App) releaseNamed(name string) (*release, error) {
	for _, r := range a.releases {
		if r.id == name || strconv.Itoa(r.version) == strings.TrimPrefix(name, "v") {
			return r, nil
		}
	}
	return nil, missing("release", "release")
}

// createRelease rolls back to a release, or releases a slug.
func (h *Heroku) createRelease(a *App, c *call) (any, error) {
	var in struct{ Release, Slug, Description string }
	if err := c.read(&in); err != nil {
		return nil, err
	}
	switch {
	case in.Release != "":
		old, err := a.releaseNamed(in.Release)
		if err != nil {
			return nil, err
		}
		if !old.rollback {
			return nil, invalid("Cannot rollback to v%d. It was never live.", old.version)
		}
		a.config = maps.Clone(old.config)
		n := h.release(a, fmt.Sprintf("Rollback to v%d", old.version), old.slug)
		return h.showRelease(a, n), nil
	case in.Slug != "":
		s := h.slug(in.Slug)
		if s == nil {
			return nil, missing("slug", "slug")
		}
		if in.Description == "" {
			in.Description = "Deploy " + short(s.commit)
		}
		return h.showRelease(a, h.release(a, in.Description, s)), nil
	}
	return nil, invalid("Require either a release or a slug.")
}

func (h *Heroku) slug(id string) *slug {
	for _, a := range h.apps {
		for _, s := range a.slugs {
			if s.id == id {
				return s
			}
		}
	}
	return nil
}

func short(commit string) string { return commit[:min(8, len(commit))] }
