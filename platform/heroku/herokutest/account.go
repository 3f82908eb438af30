package herokutest

import (
	"net/http"
	"slices"
	"time"
)

func (h *Heroku) accountRoutes(r routes) {
	account := func(c *call) (any, error) {
		o := person()
		o["name"], o["verified"], o["two_factor_authentication"], o["created_at"] = "Ann", true, false, time.Unix(1700000000, 0)
		o["default_team"], o["default_organization"], o["beta"], o["allow_tracking"] = nil, nil, false, false
		return o, nil
	}
	r.on(200, "GET /account", account)
	r.on(200, "GET /users/{user}", account)
	r.on(200, "GET /account/rate-limits", func(c *call) (any, error) { return obj{"remaining": r.h.left}, nil })
	r.on(200, "GET /account/features", func(c *call) (any, error) { return list{}, nil })
	r.on(200, "GET /teams", func(c *call) (any, error) { return list{}, nil })
	r.on(200, "GET /regions", func(c *call) (any, error) {
		return list{items: []obj{{"id": "us", "name": "us", "description": "United States"}, {"id": "eu", "name": "eu", "description": "Europe"}}}, nil
	})
	r.mine(200, "GET /apps/{app}/collaborators", func(a *App, c *call) (any, error) {
		l := list{}
		for _, email := range a.collaborators {
			l.items = append(l.items, obj{"id": email, "user": obj{"id": email, "email": email}, "app": obj{"id": a.id, "name": a.Name}, "role": "owner", "permissions": []obj{}, "created_at": a.created, "updated_at": a.created})
		}
		return l, nil
	})
	r.mine(http.StatusCreated, "POST /apps/{app}/collaborators", func(a *App, c *call) (any, error) {
		var in struct{ User string }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		if in.User == "" || slices.Contains(a.collaborators, in.User) {
			return nil, invalid("User %q is empty or has access already.", in.User)
		}
		a.collaborators = append(a.collaborators, in.User)
		return obj{"id": in.User, "user": obj{"id": in.User, "email": in.User}, "app": obj{"id": a.id, "name": a.Name}}, nil
	})
	r.mine(200, "DELETE /apps/{app}/collaborators/{user}", func(a *App, c *call) (any, error) {
		user := c.PathValue("user")
		if !slices.Contains(a.collaborators, user) {
			return nil, missing("collaborator", "collaborator")
		}
		a.collaborators = slices.DeleteFunc(a.collaborators, func(o string) bool { return o == user })
		return obj{"id": user, "user": obj{"id": user, "email": user}}, nil
	})
	r.mine(200, "GET /apps/{app}/features", func(a *App, c *call) (any, error) {
		l := list{by: "name", other: []string{"id"}}
		for _, name := range features {
			l.items = append(l.items, a.feature(name))
		}
		return l, nil
	})
	r.mine(200, "GET /apps/{app}/features/{feature}", func(a *App, c *call) (any, error) {
		if !slices.Contains(features, c.PathValue("feature")) {
			return nil, missing("feature", "feature")
		}
		return a.feature(c.PathValue("feature")), nil
	})
	r.mine(200, "PATCH /apps/{app}/features/{feature}", func(a *App, c *call) (any, error) {
		var in struct{ Enabled bool }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		name := c.PathValue("feature")
		if !slices.Contains(features, name) {
			return nil, missing("feature", "feature")
		}
		a.features[name] = in.Enabled
		return a.feature(name), nil
	})
}

var features = []string{"http-end-to-end-continuity", "http-session-affinity", "log-runtime-metrics", "preboot", "runtime-dyno-metadata"}

func (a *App) feature(name string) obj {
	return obj{"id": name, "name": name, "enabled": a.features[name], "state": "general", "description": name, "display_name": name, "doc_url": "", "feedback_email": "", "created_at": a.created, "updated_at": a.created}
}
