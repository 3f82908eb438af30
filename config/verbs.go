package config

import "maitred/commands"

// verbs are the commands that a role can name.
func verbs() []string {
	var paths []string
	for _, v := range commands.Verbs() {
		paths = append(paths, v.Path)
	}
	return paths
}
