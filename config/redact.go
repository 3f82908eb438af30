package config

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// hidden is what stands where a secret was.
const hidden = "[hidden]"

// shortest is how long a value must be to be looked for: shorter ones would take
// ordinary words out of every text.
const shortest = 8

// shapes are secrets that can be told by how they look.
var shapes = []*regexp.Regexp{
	regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`),
	regexp.MustCompile(`\bxox[a-z]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}`),             // Slack
	regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}`),       // GitHub
	regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`),                                        // GitLab
	regexp.MustCompile(`\bHRKU-[A-Za-z0-9_-]{30,}`),                                         // Heroku
	regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`),                                     // AWS
	regexp.MustCompile(`\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}`),                            // Stripe
	regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}`), // JSON web tokens
	regexp.MustCompile(`\bmaitred_[A-Za-z0-9]{20,}`),                                        // our own
}

// beside are secrets that can be told by what stands before them; that is kept.
var beside = []*regexp.Regexp{
	regexp.MustCompile(`(\b[A-Za-z][A-Za-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(@)`),
	regexp.MustCompile(`(?i)(\bauthorization:\s*(?:bearer|basic|token)\s+)[^\s"']+()`),
	regexp.MustCompile(`(?i)(\b(?:bearer)\s+)[A-Za-z0-9._~+/-]{16,}=*()`),
}

// Redactor takes secrets out of texts.
type Redactor struct{ own []string }

// NewRedactor knows maitred's own secret values.
func NewRedactor(own []string) *Redactor { return &Redactor{own: own} }

// Text is text without maitred's own secrets and without what looks like one.
func (r *Redactor) Text(text string) string { return r.With(nil)(text) }

// With returns what also takes values out: those of a target.
func (r *Redactor) With(values []string) func(string) string {
	var pairs []string
	for _, form := range forms(append(slices.Clone(r.own), values...)) {
		pairs = append(pairs, form, hidden)
	}
	replacer := strings.NewReplacer(pairs...)
	return func(text string) string {
		text = replacer.Replace(text)
		for _, shape := range shapes {
			text = shape.ReplaceAllString(text, hidden)
		}
		for _, shape := range beside {
			text = shape.ReplaceAllString(text, "${1}"+hidden+"${2}")
		}
		return text
	}
}

// forms are the ways in which programs print values, the longest first: as it
// is, line by line, and as it looks inside JSON, a URL and base64.
func forms(values []string) []string {
	var all []string
	for _, value := range values {
		value = strings.TrimSpace(value)
		if len(value) < shortest {
			continue
		}
		inJSON, _ := json.Marshal(value) // a string always marshals
		all = append(all, value, strings.Trim(string(inJSON), `"`), url.QueryEscape(value), url.PathEscape(value),
			base64.StdEncoding.EncodeToString([]byte(value)), base64.RawURLEncoding.EncodeToString([]byte(value)))
		if strings.ContainsAny(value, "\r\n") {
			for line := range strings.Lines(value) {
				all = append(all, strings.TrimSpace(line))
			}
		}
		if u, err := url.Parse(value); err == nil {
			if password, ok := u.User.Password(); ok {
				all = append(all, password)
			}
		}
	}
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < shortest })
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(all)
}
