package bot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rules are the people and roles of the configuration. The names of the maps are
// what people are called: chat.Person.Who.
type Rules struct {
	People   map[string]Member  `yaml:"people,omitempty"`
	Services map[string]Service `yaml:"services,omitempty"`
	Roles    map[string]Role    `yaml:"roles,omitempty"`
}

// Member is one human, under all identities.
type Member struct {
	Name        string            `yaml:"name,omitempty"` // as written in full
	Roles       []string          `yaml:"roles,omitempty"`
	Zone        string            `yaml:"zone,omitempty"`  // IANA time zone
	Chats       map[string]string `yaml:"chats,omitempty"` // chat → immutable id there
	TokenSHA256 string            `yaml:"token_sha256,omitempty"`
}

// Service is something that is no human and never approves.
type Service struct {
	Roles       []string          `yaml:"roles,omitempty"`
	Chats       map[string]string `yaml:"chats,omitempty"`
	TokenSHA256 string            `yaml:"token_sha256,omitempty"`
}

// Role is a set of rights. Empty Apps or Environments do not limit it.
type Role struct {
	May          []string            `yaml:"may"` // "deploy", "backup" (also "backup capture"), "*"
	Apps         []string            `yaml:"apps,omitempty"`
	Environments []string            `yaml:"environments,omitempty"`
	Groups       map[string][]string `yaml:"groups,omitempty"` // chat → groups whose members hold the role too, if they are configured people
}

// covers reports whether r gives verb at all.
func (r Role) covers(verb string) bool {
	return slices.ContainsFunc(r.May, func(p string) bool {
		return p == "*" || p == verb || strings.HasPrefix(verb, p+" ")
	})
}

// unlimited reports whether r is for every app and environment.
func (r Role) unlimited() bool { return len(r.Apps) == 0 && len(r.Environments) == 0 }

// check finds what makes rules unusable: roles that do not exist, one id for two
// people, one name for two.
func (r Rules) check() error {
	owners := map[identity]string{}
	claim := func(name string, chats map[string]string) error {
		for c, id := range chats {
			who := identity{c, id}
			if other, taken := owners[who]; taken {
				return fmt.Errorf("people: %s and %s have the same id in %s", other, name, c)
			}
			owners[who] = name
		}
		return nil
	}
	known := func(name string, roles []string) error {
		for _, role := range roles {
			if _, ok := r.Roles[role]; !ok {
				return fmt.Errorf("people: %s has the role %s, which does not exist", name, role)
			}
		}
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(r.People)) {
		if err := claim(name, r.People[name].Chats); err != nil {
			return err
		}
		if err := known(name, r.People[name].Roles); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Services)) {
		if _, twice := r.People[name]; twice {
			return fmt.Errorf("people: %s is a person and a service", name)
		}
		if err := claim(name, r.Services[name].Chats); err != nil {
			return err
		}
		if err := known(name, r.Services[name].Roles); err != nil {
			return err
		}
	}
	return nil
}
