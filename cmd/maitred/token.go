package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// token makes a token. It is printed once and stored nowhere: the configuration
// has its hash.
func token(_ context.Context, t terminal, args []string) error {
	if len(args) > 0 {
		return mistyped("token", "token takes no arguments.")
	}
	secret := "maitred_" + rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(secret))
	fmt.Fprintf(t.out, "token:        %s\n", secret)
	fmt.Fprintf(t.out, "token_sha256: %s\n", hex.EncodeToString(sum[:]))
	fmt.Fprintln(t.err, "Keep the token secret; put the line token_sha256 under the person or service in maitred.yml.")
	return nil
}
