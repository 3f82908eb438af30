package commands

import "testing"

func TestTry(t *testing.T) {
	for _, l := range leaves() {
		t.Log(l.Usage, "|", l.Role, l.Group, l.Aliases)
	}
}
