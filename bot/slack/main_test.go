package slack

import (
	"flag"
	"os"
	"testing"
)

// The monstrous cards are a long counted proof: a quarter of them is drawn
// everywhere, all of them where MAITRED_SOAK is set.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv("MAITRED_SOAK") == "" {
		chosen := false
		flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
		if f := flag.Lookup("rapid.checks"); f != nil && !chosen {
			if err := f.Value.Set("25"); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}
