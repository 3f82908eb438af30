// Command gen writes the reference page of all commands: go generate ./commands.
package main

import (
	"fmt"
	"os"

	"maitred/commands"
)

func main() {
	if err := os.WriteFile("../docs/commands.md", []byte(commands.Reference()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
