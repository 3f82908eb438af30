package commands

import (
	"context"
	"slices"
	"strings"

	"maitred/platform"
)

// shortest is the length of the shortest value that is taken for a secret:
// shorter ones ("1", "true", "web") are parts of innocent words.
const shortest = 8

// discreet takes the secret values of a target out of a text. When they cannot
// be read nobody knows what is secret, and the caller withholds the text.
func discreet(ctx context.Context, p platform.Provider, t platform.Target) (func(string) string, error) {
	d, ok := p.(platform.Discreet)
	if !ok {
		return func(text string) string { return text }, nil
	}
	values, err := d.SecretValues(ctx, t)
	if err != nil {
		return nil, err
	}
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return len(v) < shortest })
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) }) // a value may be part of another
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v, "[redacted]")
	}
	return strings.NewReplacer(pairs...).Replace, nil
}
