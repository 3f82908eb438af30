package host

import (
	"os"
	"strings"
	"testing"

	"maitred/platform"
	"maitred/platform/platformtest"
)

func TestConformance(t *testing.T) {
	platformtest.Run(t, platformtest.Subject{Open: func(t *testing.T) platformtest.Stage {
		s := newStage(t)
		return platformtest.Stage{
			Provider: s.Provider,
			Reopen: func() platform.Provider {
				s.Provider = s.open()
				return s.Provider
			},
			Target: pizza, First: s.source("v1.0.0"), Second: s.source("v1.1.0"), Broken: s.source("v1.2.0"),
			Answer: func() string { _, text := s.visit("/"); return text },
			Write:  s.post,
			Read: func() string {
				_, text := s.visit("/notes")
				lines := strings.Split(text, "\n")
				return lines[len(lines)-1]
			},
			Starts: func(key string) int {
				data, err := os.ReadFile(s.path("shared", "starts"))
				if err != nil {
					t.Error(err)
				}
				return strings.Count(string(data), "/"+fileName(key)+"-")
			},
			Echo: []string{"sh", "-c", "echo hello from $RELEASE"}, Says: "hello from v1.0.0",
			Exit3: []string{"sh", "-c", "exit 3"}, Long: []string{"sleep", "60"},
			Printed: "serving v1.0.0", Procfile: true,
		}
	}})
}
