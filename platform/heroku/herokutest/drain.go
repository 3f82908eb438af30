package herokutest

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// drain is a place that logs are sent to. The fake sends nothing.
type drain struct {
	id, url, token string
	created        time.Time
}

func (d *drain) show() obj {
	return obj{"id": d.id, "url": d.url, "token": d.token, "addon": nil, "created_at": d.created, "updated_at": d.created}
}

func (h *Heroku) drainRoutes(r routes) {
	r.mine(200, "GET /apps/{app}/log-drains", func(a *App, c *call) (any, error) {
		l := list{}
		for _, d := range a.drains {
			l.items = append(l.items, d.show())
		}
		return l, nil
	})
	r.mine(http.StatusCreated, "POST /apps/{app}/log-drains", func(a *App, c *call) (any, error) {
		var in struct{ URL string }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		u, err := url.Parse(in.URL)
		switch {
		case a.Generation == "fir":
			return nil, invalid("Log drains are not supported for apps on the Fir generation. Use telemetry drains.")
		case err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "syslog", "syslog+tls"}, u.Scheme):
			return nil, invalid("Url is not a valid drain.")
		case len(a.drains) >= 5:
			return nil, invalid("You have already the most drains an app can have.")
		case slices.ContainsFunc(a.drains, func(o *drain) bool { return o.url == in.URL }):
			return nil, invalid("Url has already been taken")
		}
		d := &drain{id: h.id(), url: in.URL, created: time.Now()}
		d.token = "d." + d.id
		a.drains = append(a.drains, d)
		return d.show(), nil
	})
	one := func(fn func(a *App, d *drain) (any, error)) func(a *App, c *call) (any, error) {
		return func(a *App, c *call) (any, error) {
			for _, d := range a.drains {
				if name := c.PathValue("drain"); d.id == name || d.url == name || d.token == name {
					return fn(a, d)
				}
			}
			return nil, missing("log_drain", "log drain")
		}
	}
	r.mine(200, "GET /apps/{app}/log-drains/{drain}", one(func(a *App, d *drain) (any, error) { return d.show(), nil }))
	r.mine(200, "DELETE /apps/{app}/log-drains/{drain}", one(func(a *App, d *drain) (any, error) {
		a.drains = slices.DeleteFunc(a.drains, func(o *drain) bool { return o == d })
		return d.show(), nil
	}))
	r.mine(200, "GET /apps/{app}/telemetry-drains", func(a *App, c *call) (any, error) { return list{}, nil })
}
