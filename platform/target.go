// Package platform says what a place where apps run can do: the Provider that
// every platform implements, the capabilities that some have, and the plans
// that operations are made of. It does nothing itself; the engine does.
package platform

import "fmt"

// Target is an app in one environment: what operations work on.
type Target struct {
	App         string `json:"app"`
	Environment string `json:"environment"`
}

// String is how a target is named in sentences and keys: "ocpizza/production".
func (t Target) String() string {
	if t.Environment == "" {
		return t.App
	}
	return fmt.Sprintf("%s/%s", t.App, t.Environment)
}

// Source is what a deploy puts live, resolved: a commit of a repository, or an
// archive.
type Source struct {
	Repository string `json:"repository,omitempty"` // URL or path of the git repository
	Ref        string `json:"ref,omitempty"`        // as the person named it: a branch, tag or SHA
	SHA        string `json:"sha"`                  // the commit, or the SHA-256 of the archive
	Version    string `json:"version,omitempty"`    // what the release is called: the tag when the commit has one, else the short SHA
	Archive    string `json:"archive,omitempty"`    // path or URL of a .tar.gz; empty for git
}

// Commit is one commit between two releases.
type Commit struct {
	SHA     string `json:"sha"`
	Author  string `json:"author"`
	Subject string `json:"subject"`
}
