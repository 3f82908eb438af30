package sample

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
)

// Run is the command maitred sample-app, run in a checkout: it serves the app on
// the unix socket $SOCKET as release $RELEASE with the database $DATABASE_PATH;
// with the word migrate it brings the database up to date instead.
func Run(ctx context.Context, args []string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	database := os.Getenv("DATABASE_PATH")
	if database == "" {
		return fmt.Errorf("ocpizza needs DATABASE_PATH, the file that its orders are in")
	}
	switch strings.Join(args, " ") {
	case "migrate":
		return Migrate(ctx, dir, database)
	case "":
		return serve(ctx, dir, database)
	}
	return fmt.Errorf("ocpizza knows no command %q: it serves, or migrates", strings.Join(args, " "))
}

func serve(ctx context.Context, dir, database string) error {
	log.SetFlags(log.LUTC | log.Ldate | log.Ltime)
	release := os.Getenv("RELEASE")
	app, err := Open(dir, release, database)
	if err != nil {
		return err
	}
	defer app.Close()
	socket := os.Getenv("SOCKET")
	if socket == "" {
		return fmt.Errorf("ocpizza needs SOCKET, the unix socket that it serves on")
	}
	l, err := Listen(socket)
	if err != nil {
		return err
	}
	log.Printf("ocpizza %s is open", release)
	if err := app.Serve(ctx, l); err != nil {
		return err
	}
	log.Printf("ocpizza %s is closed", release)
	return nil
}
