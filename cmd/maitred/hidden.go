package main

import (
	"context"
	"flag"

	"maitred/cmd/maitred/sample"
	"maitred/platform/host"
)

// front is the small reverse proxy before an app, in a process of its own that
// outlives maitred. The provider host starts it.
func front(ctx context.Context, t terminal, args []string) error {
	var c host.FrontConfig
	if _, err := flags(t, "front", args, func(f *flag.FlagSet) {
		f.StringVar(&c.Listen, "listen", "", "address")
		f.StringVar(&c.Dir, "dir", "", "the app's home")
	}); err != nil {
		return err
	}
	return host.Front(ctx, c)
}

// sampleApp is the runtime of the app that the demo deploys.
func sampleApp(ctx context.Context, _ terminal, args []string) error { return sample.Run(ctx, args) }
