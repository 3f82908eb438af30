package heroku

import (
	"testing"
	"time"

	"maitred/platform"
	"maitred/platform/heroku/herokutest"
	"maitred/platform/platformtest"
)

func TestConformance(t *testing.T) {
	platformtest.Run(t, platformtest.Subject{Open: func(t *testing.T) platformtest.Stage {
		return perform(newStage(t, herokutest.Options{Latency: time.Millisecond, Page: 3}))
	}})
}

func perform(s *stage) platformtest.Stage {
	return platformtest.Stage{
		Provider: s.open(), Reopen: func() platform.Provider { return s.open() },
		Target: pizza, First: s.sources["v1.0.0"], Second: s.sources["v1.1.0"], Broken: s.sources["v1.2.0"],
		Answer: s.answer, Starts: s.starts,
		Write: func(data string) { s.heroku.Write("ocpizza", data) }, Read: func() string { return s.heroku.Read("ocpizza") },
		Echo: []string{"sh", "-c", "echo hello from $(cat VERSION)"}, Says: "hello from v1.0.0",
		Exit3: []string{"sh", "-c", "exit 3"}, Long: []string{"sleep", "60"},
		Printed: "migrating to v1.0.0", Procfile: true,
	}
}
