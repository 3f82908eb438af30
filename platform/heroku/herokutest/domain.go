package herokutest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// domain is a host name of an app.
type domain struct {
	id, name, status, acm string
	created               time.Time
	endpoint              string
}

// endpoint is a certificate of an app.
type endpoint struct{ id, name, chain string }

func (a *App) showDomain(d *domain) obj {
	o := obj{
		"id": d.id, "hostname": d.name, "kind": "custom", "status": d.status, "cname": strings.ReplaceAll(d.name, ".", "-") + ".herokudns.com", "acm_status": nil, "acm_status_reason": nil,
		"app": obj{"id": a.id, "name": a.Name}, "created_at": d.created, "updated_at": d.created, "sni_endpoint": nil,
	}
	if d.acm != "" {
		o["acm_status"] = d.acm
	}
	if d.endpoint != "" {
		o["sni_endpoint"] = obj{"id": d.endpoint, "name": d.endpoint}
	}
	return o
}

func (h *Heroku) domainRoutes(r routes) {
	r.mine(200, "GET /apps/{app}/domains", func(a *App, c *call) (any, error) {
		own := obj{"id": a.id, "hostname": a.Name + ".herokuapp.com", "kind": "heroku", "status": "none", "cname": nil, "acm_status": nil, "acm_status_reason": nil, "app": obj{"id": a.id, "name": a.Name}, "created_at": a.created, "updated_at": a.created, "sni_endpoint": nil}
		l := list{items: []obj{own}, other: []string{"hostname"}}
		for _, d := range a.domains {
			l.items = append(l.items, a.showDomain(d))
		}
		return l, nil
	})
	r.mine(http.StatusCreated, "POST /apps/{app}/domains", h.createDomain)
	r.mine(200, "GET /apps/{app}/domains/{domain}", oneDomain(func(a *App, d *domain, c *call) (any, error) { return a.showDomain(d), nil }))
	r.mine(200, "PATCH /apps/{app}/domains/{domain}", oneDomain(func(a *App, d *domain, c *call) (any, error) {
		var in struct {
			Endpoint *string `json:"sni_endpoint"`
		}
		if err := c.read(&in); err != nil {
			return nil, err
		}
		d.endpoint = ""
		if in.Endpoint != nil {
			d.endpoint = *in.Endpoint
		}
		return a.showDomain(d), nil
	}))
	r.mine(200, "DELETE /apps/{app}/domains/{domain}", oneDomain(func(a *App, d *domain, c *call) (any, error) {
		a.domains = slices.DeleteFunc(a.domains, func(o *domain) bool { return o == d })
		return a.showDomain(d), nil
	}))
	h.certificateRoutes(r)
}

func oneDomain(fn func(a *App, d *domain, c *call) (any, error)) func(a *App, c *call) (any, error) {
	return func(a *App, c *call) (any, error) {
		for _, d := range a.domains {
			if d.id == c.PathValue("domain") || d.name == c.PathValue("domain") {
				return fn(a, d, c)
			}
		}
		return nil, missing("domain", "domain")
	}
}

func (h *Heroku) createDomain(a *App, c *call) (any, error) {
	var in struct {
		Hostname string
		Endpoint *string `json:"sni_endpoint"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if !strings.Contains(in.Hostname, ".") || strings.ContainsAny(in.Hostname, " /:") {
		return nil, invalid("Hostname %q is not valid.", in.Hostname)
	}
	for _, other := range h.apps {
		for _, d := range other.domains {
			if d.name == in.Hostname {
				return nil, invalid("%s is currently in use by another app.", in.Hostname)
			}
		}
	}
	d := &domain{id: h.id(), name: in.Hostname, status: "pending", created: time.Now()}
	if a.acm {
		h.certify(d)
	}
	a.domains = append(a.domains, d)
	h.later(Certificates, func() { d.status = "succeeded" })
	return a.showDomain(d), nil
}

func (h *Heroku) certify(d *domain) {
	d.acm = "pending"
	h.later(Certificates, func() {
		if d.acm == "pending" {
			d.acm = "cert issued"
		}
	})
}

// FailCertificate makes the automated certificate of a domain fail.
func (h *Heroku) FailCertificate(app, name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.apps[app].domains {
		if d.name == name {
			d.acm = "failed"
		}
	}
}

func (h *Heroku) certificateRoutes(r routes) {
	acm := func(on bool) func(a *App, c *call) (any, error) {
		return func(a *App, c *call) (any, error) {
			a.acm = on
			for _, d := range a.domains {
				d.acm = ""
				if on {
					h.certify(d)
				}
			}
			return h.show(a), nil
		}
	}
	r.mine(200, "POST /apps/{app}/acm", acm(true))
	r.mine(200, "PATCH /apps/{app}/acm", acm(true))
	r.mine(200, "DELETE /apps/{app}/acm", acm(false))
	show := func(a *App, e *endpoint) obj {
		return obj{
			"id": e.id, "name": e.name, "certificate_chain": e.chain, "app": obj{"id": a.id, "name": a.Name}, "created_at": a.created, "updated_at": a.created, "display_name": nil, "domains": []string{},
			"ssl_cert": obj{"issuer": "herokutest", "expires_at": a.created.Add(90 * 24 * time.Hour), "starts_at": a.created, "cert_domains": []string{}, "ca_signed?": true, "self_signed?": false, "subject": "", "id": e.id},
		}
	}
	r.mine(200, "GET /apps/{app}/sni-endpoints", func(a *App, c *call) (any, error) {
		l := list{other: []string{"name"}}
		for _, e := range a.endpoints {
			l.items = append(l.items, show(a, e))
		}
		return l, nil
	})
	r.mine(http.StatusCreated, "POST /apps/{app}/sni-endpoints", func(a *App, c *call) (any, error) {
		var in struct {
			Chain string `json:"certificate_chain"`
			Key   string `json:"private_key"`
		}
		if err := c.read(&in); err != nil {
			return nil, err
		}
		if !strings.Contains(in.Chain, "BEGIN CERTIFICATE") || !strings.Contains(in.Key, "PRIVATE KEY") {
			return nil, invalid("No certificate given, or no key for it.")
		}
		e := &endpoint{id: h.id(), chain: in.Chain}
		e.name = "tyrannosaurs-" + e.id[:8]
		a.endpoints = append(a.endpoints, e)
		return show(a, e), nil
	})
	r.mine(200, "DELETE /apps/{app}/sni-endpoints/{endpoint}", func(a *App, c *call) (any, error) {
		for _, e := range a.endpoints {
			if e.id == c.PathValue("endpoint") || e.name == c.PathValue("endpoint") {
				a.endpoints = slices.DeleteFunc(a.endpoints, func(o *endpoint) bool { return o == e })
				return show(a, e), nil
			}
		}
		return nil, missing("sni_endpoint", "SNI endpoint")
	})
}
