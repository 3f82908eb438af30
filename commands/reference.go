package commands

import (
	"fmt"
	"strings"
)

//go:generate go run ./gen

// Reference is the page docs/commands.md, written from the grammar.
func Reference() string {
	var b strings.Builder
	b.WriteString("# Commands\n\n" + referenceIntro)
	group := ""
	for _, v := range Verbs() {
		if v.Group != group {
			group = v.Group
			fmt.Fprintf(&b, "\n## %s\n", group)
		}
		fmt.Fprintf(&b, "\n### `/%s`\n\n%s\n\n    %s\n", v.Path, v.Help, v.Usage)
		if len(v.Args)+len(v.Flags) > 0 {
			b.WriteString("\n| | |\n|---|---|\n")
		}
		for _, p := range append(append([]Param(nil), v.Args...), v.Flags...) {
			help := p.Help
			if p.Default != "" && p.Default != "0" && !p.Switch {
				help += " Normally `" + p.Default + "`."
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(p.Shown, "|", `\|`), strings.ReplaceAll(help, "|", `\|`))
		}
		if v.Example != "" {
			fmt.Fprintf(&b, "\nFor example `%s`.\n", v.Example)
		}
		if len(v.Aliases) > 0 {
			fmt.Fprintf(&b, "\nAlso spelled `/%s`.\n", strings.Join(v.Aliases, "`, `/"))
		}
		fmt.Fprintf(&b, "\nUsually given to: %s.\n", v.Role)
	}
	return b.String()
}

const referenceIntro = "This page is written by `go generate ./commands` from the tags in\n" +
	"`commands/grammar.go`; a test keeps the two equal.\n\n" +
	"The leading `/` may be left out where maitred is spoken to by name\n" +
	"(`@maitred status ocpizza`), and before `approve`, `reject` and `cancel` in the\n" +
	"thread of an operation. `APP` left out is the channel's app, else the only one; otherwise maitred asks. `to ENV`, `in ENV`\n" +
	"and `on ENV` mean the same; left out it is the channel's environment, else the\n" +
	"only one, else maitred asks. An unknown word is never replaced by a default.\n" +
	"Lengths of time are written `30m`, `2h`, `1d` or `1w`.\n"
