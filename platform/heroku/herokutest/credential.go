package herokutest

import (
	"fmt"
	"net/http"
	"slices"
)

// credential is one role of a database; rotation gives it a new user.
type credential struct {
	uuid, name string
	users      []user
}

type user struct{ name, password, state string }

func (c *credential) active() user { return c.users[len(c.users)-1] }

func (c *credential) show(b *database) obj {
	users := []obj{}
	for _, u := range c.users {
		users = append(users, obj{"user": u.name, "password": u.password, "state": u.state, "connections": 0})
	}
	return obj{"uuid": c.uuid, "name": c.name, "state": "active", "database": b.name(), "host": b.host(), "port": 5432, "credentials": users}
}

// rotate replaces the user, everywhere it is written.
func (h *Heroku) rotate(b *database, c *credential) {
	id := h.id()
	c.users = []user{{"u" + id[:8], fmt.Sprintf("p%x", h.serial), "active"}}
	h.count("rotation", b.addon.app)
}

func (h *Heroku) credentialRoutes(r routes) {
	const root = "/postgres/v0/databases/{db}"
	r.base(200, "GET "+root+"/credentials", func(b *database, c *call) (any, error) {
		all := []obj{}
		for _, one := range b.credentials {
			all = append(all, one.show(b))
		}
		return all, nil
	})
	one := func(fn func(b *database, one *credential) (any, error)) func(b *database, c *call) (any, error) {
		return func(b *database, c *call) (any, error) {
			for _, it := range b.credentials {
				if it.name == c.PathValue("credential") {
					return fn(b, it)
				}
			}
			return nil, missing("credential", "credential")
		}
	}
	r.base(200, "GET "+root+"/credentials/{credential}", one(func(b *database, it *credential) (any, error) { return it.show(b), nil }))
	r.base(200, "POST "+root+"/credentials/{credential}/credentials_rotation", one(func(b *database, it *credential) (any, error) {
		h.rotate(b, it)
		h.refresh(b.addon)
		return obj{"message": "Rotating the credential " + it.name + "."}, nil
	}))
	r.base(200, "POST "+root+"/credentials_rotation", func(b *database, c *call) (any, error) {
		for _, it := range b.credentials {
			h.rotate(b, it)
		}
		h.refresh(b.addon)
		return obj{"message": "Rotating all credentials."}, nil
	})
	r.base(http.StatusCreated, "POST "+root+"/credentials", func(b *database, c *call) (any, error) {
		var in struct{ Name string }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		if in.Name == "" || slices.ContainsFunc(b.credentials, func(o *credential) bool { return o.name == in.Name }) {
			return nil, invalid("The name %q is empty or taken.", in.Name)
		}
		it := &credential{uuid: h.id(), name: in.Name}
		h.rotate(b, it)
		b.credentials = append(b.credentials, it)
		return it.show(b), nil
	})
	r.base(200, "DELETE "+root+"/credentials/{credential}", one(func(b *database, it *credential) (any, error) {
		if it.name == "default" {
			return nil, invalid("The default credential cannot be destroyed.")
		}
		b.credentials = slices.DeleteFunc(b.credentials, func(o *credential) bool { return o == it })
		return obj{"message": "Destroyed."}, nil
	}))
}
