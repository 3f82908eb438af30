package heroku

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"maitred/platform"
)

// Inspect implements platform.Inspector. Required are the variables of the
// configuration, and those that app.json of the source says it must have.
func (p *Provider) Inspect(ctx context.Context, t platform.Target, src platform.Source) (platform.Inspection, error) {
	var in platform.Inspection
	if err := p.mine(t); err != nil {
		return in, err
	}
	procfile, found, err := p.mirrors.File(ctx, src, "Procfile")
	if err != nil {
		return in, err
	}
	if found {
		in.Processes = parseProcfile(procfile)
		if len(in.Processes) == 0 {
			in.Problems = append(in.Problems, "The Procfile names no process.")
		}
	} else {
		in.Problems = append(in.Problems, "There is no Procfile, so Heroku starts what the buildpack thinks best.")
	}
	required := map[string]bool{}
	for _, name := range p.config.Required {
		required[name] = true
	}
	manifest, found, err := p.mirrors.File(ctx, src, "app.json")
	if err != nil {
		return in, err
	}
	if found {
		names, ok := requiredBy(manifest)
		if !ok {
			in.Problems = append(in.Problems, "The file app.json of the source cannot be read.")
		}
		for _, name := range names {
			required[name] = true
		}
	}
	values, err := p.values(ctx, t)
	if err != nil {
		return in, err
	}
	for _, name := range slices.Sorted(maps.Keys(required)) {
		if value(values[name]) == "" {
			in.Missing = append(in.Missing, name)
		}
	}
	return in, nil
}

// parseProcfile reads lines such as "web: ./server"; others are left out.
func parseProcfile(data []byte) map[string]string {
	processes := map[string]string{}
	for line := range strings.Lines(string(data)) {
		name, command, ok := strings.Cut(strings.TrimSpace(line), ":")
		if name = strings.TrimSpace(name); ok && processName.MatchString(name) {
			processes[name] = strings.TrimSpace(command)
		}
	}
	return processes
}

// requiredBy are the variables that an app.json asks for and gives no value.
func requiredBy(manifest []byte) (names []string, ok bool) {
	var app struct{ Env map[string]json.RawMessage }
	if json.Unmarshal(manifest, &app) != nil {
		return nil, false
	}
	for _, name := range slices.Sorted(maps.Keys(app.Env)) {
		// A bare string is a value; only an object asks for one.
		var asked struct {
			Value    *string `json:"value"`
			Required *bool   `json:"required"`
		}
		if json.Unmarshal(app.Env[name], &asked) != nil || asked.Value != nil || asked.Required != nil && !*asked.Required {
			continue
		}
		names = append(names, name)
	}
	return names, true
}
