package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"maitred/fault"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// checkName refuses what cannot be the name of a variable of the app.
func checkName(name string) error {
	switch {
	case !variableName.MatchString(name):
		return fault.New(fault.Invalid, "host.variable", "", "%s cannot be the name of a variable: letters, digits and _ only.", fault.Quote(name))
	case slices.Contains(reserved, name):
		return fault.New(fault.Invalid, "host.variable", "", "%s is set by maitred itself.", name)
	}
	return nil
}

// variables reads shared/env: lines NAME="value", quoted as Go and most shells
// do; NAME=value without quotes is taken as it stands, and # begins a comment.
func (p *Provider) variables() (map[string]string, error) {
	data, err := p.box.Read(p.path("shared", "env"))
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, p.fail("host.env", err)
	}
	values := map[string]string{}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if name = strings.TrimSpace(name); !ok || !variableName.MatchString(name) {
			return nil, fault.New(fault.Invalid, "host.env", "Correct it on the machine.",
				"Line %d of the environment file of %s is not NAME=\"value\".", i+1, p.target)
		}
		if value = strings.TrimSpace(value); strings.HasPrefix(value, `"`) {
			if value, err = strconv.Unquote(value); err != nil {
				return nil, fault.New(fault.Invalid, "host.env", "Correct it on the machine.",
					"The value of %s in the environment file of %s is not quoted well.", name, p.target)
			}
		}
		values[name] = value
	}
	return values, nil
}

func (p *Provider) putVariables(values map[string]string) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Variables of %s, kept by maitred.\n", p.target)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&out, "%s=%s\n", name, strconv.Quote(values[name]))
	}
	return p.fail("host.env", p.box.Put(p.path("shared", "env"), out.Bytes(), 0o640))
}

// environment is what the processes of e see: see Config. Slot is empty for
// those that serve nothing.
func (p *Provider) environment(e entry, slot string) ([]string, error) {
	own, err := p.variables()
	if err != nil {
		return nil, err
	}
	all := map[string]string{
		"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": p.path("shared"), "LANG": "C.UTF-8",
	}
	maps.Copy(all, p.config.Env)
	maps.Copy(all, own)
	maps.Copy(all, map[string]string{
		"APP": p.target.App, "ENVIRONMENT": p.target.Environment,
		"RELEASE": e.Version, "RELEASE_ID": e.ID, "RELEASE_SHA": e.SHA,
	})
	if p.config.Database.Kind != "" {
		all["DATABASE_PATH"] = p.databaseFile()
	}
	if slot != "" {
		all["SOCKET"] = p.socket(slot)
	}
	env := make([]string, 0, len(all)+1)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	return env, nil
}

func (p *Provider) databaseFile() string { return p.path(p.config.Database.Path) }
