package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Changes are the settings in which next differs from c, by name and in the
// order of the file: "roles", "people.ann", "apps.ocpizza". Fixed are those of
// them that only a restart can put in force.
func (c *Config) Changes(next *Config) (changed, fixed []string) {
	was, is := reflect.ValueOf(*c), reflect.ValueOf(*next)
	for i := range was.NumField() {
		field := was.Type().Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		if name == "" || reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
			continue
		}
		if slices.Contains(atStart, name) {
			fixed = append(fixed, name)
			continue
		}
		changed = append(changed, entries(name, was.Field(i), is.Field(i))...)
	}
	return changed, fixed
}

// atStart are the settings that are read once.
var atStart = []string{"data_dir", "database", "listen", "replica", "keys", "chat", "retention"}

// entries are the names of the entries that differ, when the setting has such.
func entries(name string, was, is reflect.Value) []string {
	names, ok := was.Interface().(interface{ Names() []string })
	if !ok {
		return []string{name}
	}
	all := append(names.Names(), is.Interface().(interface{ Names() []string }).Names()...)
	var differ []string
	for _, entry := range slices.Compact(slices.Sorted(slices.Values(all))) {
		a, b := find(was, entry), find(is, entry)
		switch {
		case a == nil:
			differ = append(differ, fmt.Sprintf("%s.%s (new)", name, entry))
		case b == nil:
			differ = append(differ, fmt.Sprintf("%s.%s (gone)", name, entry))
		case !reflect.DeepEqual(a, b):
			differ = append(differ, name+"."+entry)
		}
	}
	if differ == nil {
		return []string{name + " (order)"}
	}
	return differ
}

// find is the value of an entry of a Named; nil when there is none.
func find(named reflect.Value, name string) any {
	for i := range named.Len() {
		if named.Index(i).Field(0).String() == name {
			return named.Index(i).Field(1).Interface()
		}
	}
	return nil
}
