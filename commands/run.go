package commands

import (
	"context"

	"maitred/platform"
	"maitred/platform/engine"
)

// Run is /run APP [to ENV] COMMAND…: a one-off command in the live release. What
// follows the app is the command, options and all.
type Run struct {
	submits
	Where
	Command []string `arg:"" optional:"" rest:"raw" sep:"none" need:"a command to run" placeholder:"COMMAND…" help:"The command, as it would be typed in a shell there."`
}

// Run submits.
func (r *Run) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	return submit(ctx, c, s, platform.RunCommand, r.Target(), nil, engine.RunArgs{Command: r.Command})
}
