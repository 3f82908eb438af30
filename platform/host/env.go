package host

import (
	"regexp"
	"slices"

	"maitred/fault"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// checkName refuses what cannot be the name of a variable of the app.
func checkName(name string) error {
	switch {
	case !variableName.MatchString(name):
		return fault.New(fault.Invalid, "host.variable", "", "%q cannot be the name of a variable: letters, digits and _ only.", name)
	case slices.Contains(reserved, name):
		return fault.New(fault.Invalid, "host.variable", "", "%s is set by maitred itself.", name)
	}
	return nil
}
