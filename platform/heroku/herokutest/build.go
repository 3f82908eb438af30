package herokutest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// build is one build. Its output ends with it; its release comes with success.
type build struct {
	id, version, url, checksum, status string
	created                            time.Time
	output                             *stream
	slug                               *slug
	release                            *release
	cancelled                          bool
}

func (h *Heroku) buildRoutes(r routes) {
	r.on(http.StatusCreated, "POST /sources", h.createSource)
	r.mine(http.StatusCreated, "POST /apps/{app}/sources", func(a *App, c *call) (any, error) { return h.createSource(c) })
	r.mine(http.StatusCreated, "POST /apps/{app}/builds", h.createBuild)
	r.mine(200, "GET /apps/{app}/builds", func(a *App, c *call) (any, error) {
		l := list{by: "id", other: []string{"started_at", "created_at"}}
		for _, b := range a.builds {
			l.items = append(l.items, h.showBuild(a, b))
		}
		return l, nil
	})
	r.mine(200, "GET /apps/{app}/builds/{build}", func(a *App, c *call) (any, error) {
		b := a.build(c.PathValue("build"))
		if b == nil {
			return nil, missing("build", "build")
		}
		return h.showBuild(a, b), nil
	})
	r.mine(200, "DELETE /apps/{app}/builds/{build}", func(a *App, c *call) (any, error) {
		b := a.build(c.PathValue("build"))
		if b == nil {
			return nil, missing("build", "build")
		}
		if b.status != "pending" {
			return nil, invalid("The build is not running.")
		}
		b.cancelled = true
		h.finishBuild(a, b, " !     Build cancelled\n", false)
		return h.showBuild(a, b), nil
	})
	r.mine(http.StatusAccepted, "DELETE /apps/{app}/build-cache", func(a *App, c *call) (any, error) { return obj{}, nil })
	r.mux.HandleFunc("PUT /blobs/{blob}", r.h.putBlob)
	r.mux.HandleFunc("GET /blobs/{blob}", r.h.getBlob)
	r.mux.HandleFunc("GET /streams/{stream}", r.h.follow)
	r.mine(200, "GET /apps/{app}/slugs/{slug}", func(a *App, c *call) (any, error) {
		for _, s := range a.slugs {
			if s.id == c.PathValue("slug") {
				return obj{"id": s.id, "commit": s.commit, "process_types": s.types, "size": s.size, "stack": obj{"id": a.Stack, "name": a.Stack}, "created_at": a.created, "updated_at": a.created}, nil
			}
		}
		return nil, missing("slug", "slug")
	})
}

func (a *App) build(id string) *build {
	for _, b := range a.builds {
		if b.id == id {
			return b
		}
	}
	return nil
}

func (h *Heroku) showBuild(a *App, b *build) obj {
	o := obj{
		"id": b.id, "app": obj{"id": a.id}, "status": b.status, "created_at": b.created, "updated_at": b.created, "stack": a.Stack, "user": person(),
		"source_blob": obj{"url": b.url, "version": b.version, "version_description": nil, "checksum": b.checksum}, "buildpacks": []obj{},
		"output_stream_url": h.api + "/streams/" + b.output.id, "release": nil, "slug": nil,
	}
	if b.slug != nil {
		o["slug"] = obj{"id": b.slug.id}
	}
	if b.release != nil {
		o["release"] = obj{"id": b.release.id}
	}
	return o
}

func (h *Heroku) createBuild(a *App, c *call) (any, error) {
	var in struct {
		Source *struct{ URL, Version, Checksum string } `json:"source_blob"`
	}
	if err := c.read(&in); err != nil {
		return nil, err
	}
	if in.Source == nil || in.Source.URL == "" {
		return nil, invalid("source_blob.url must be given.")
	}
	pending := 0
	for _, b := range a.builds {
		if b.status == "pending" {
			pending++
		}
	}
	if pending >= 10 {
		return nil, &refusal{Status: 429, ID: "rate_limit", Message: "Your account has reached its concurrent builds limit."}
	}
	b := &build{id: h.id(), version: in.Source.Version, url: in.Source.URL, checksum: in.Source.Checksum, status: "pending", created: time.Now(), output: h.stream()}
	a.builds = append(a.builds, b)
	h.count("build", a)
	a.log("app", "api", "Build started by user "+owner)
	b.output.write("-----> Building on the " + a.Stack + " stack\n")
	h.later(Builds, func() { h.build(a, b) })
	return h.showBuild(a, b), nil
}

// build is what happens when a build has taken its time. The lock is held.
func (h *Heroku) build(a *App, b *build) {
	if b.status != "pending" || h.apps[a.Name] != a {
		return
	}
	_, id, _ := strings.Cut(b.url, "/blobs/")
	source := h.sources[id]
	if source == nil || !source.full {
		h.finishBuild(a, b, " !     Could not fetch the source at "+b.url+"\n", false)
		return
	}
	sum := sha256.Sum256(source.data)
	if b.checksum != "" && !strings.EqualFold(b.checksum, "SHA256:"+hex.EncodeToString(sum[:])) {
		h.finishBuild(a, b, " !     The checksum of the source is not the one that was announced.\n", false)
		return
	}
	s := &slug{id: h.id(), commit: b.version, size: len(source.data)}
	s.dir = filepath.Join(h.dir, s.id)
	types, err := unpack(source.data, s.dir)
	if err != nil {
		h.finishBuild(a, b, " !     "+err.Error()+"\n", false)
		return
	}
	s.types = types
	if output, err := compile(s.dir); err != nil {
		h.finishBuild(a, b, output+" !     Push rejected, failed to compile app.\n", false)
		return
	} else if output != "" {
		b.output.write(output)
	}
	if a.next != nil {
		a.Stack, a.next = a.next[0], nil
	}
	a.slugs = append(a.slugs, s)
	b.slug = s
	b.release = h.release(a, "Deploy "+short(b.version), s)
	h.finishBuild(a, b, "-----> Discovering process types\n-----> Compressing...\n-----> Launching...\n       Released\n", true)
}

// compile runs bin/compile of the source, if there is one: a build fails the
// way its buildpack does.
func compile(dir string) (string, error) {
	script := filepath.Join(dir, "bin", "compile")
	if _, err := os.Stat(script); err != nil {
		return "", nil
	}
	cmd := exec.Command("/bin/sh", script)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (h *Heroku) finishBuild(a *App, b *build, last string, ok bool) {
	b.output.write(last)
	b.output.close()
	b.status = "failed"
	said := "Build failed"
	if ok {
		b.status, said = "succeeded", "Build succeeded"
	}
	a.log("app", "api", said)
}

// Deploy puts files on an app as a git push by somebody else would, and waits
// until its release has ended. The answer is the status of that release.
func (h *Heroku) Deploy(app, version string, files map[string]string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.apps[app]
	s := &slug{id: h.id(), commit: version, types: procfile(files["Procfile"]), size: 1024}
	s.dir = filepath.Join(h.dir, s.id)
	for name, content := range files {
		path := filepath.Join(s.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			panic(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			panic(err)
		}
	}
	_ = os.MkdirAll(s.dir, 0o700)
	a.slugs = append(a.slugs, s)
	n := h.release(a, "Deploy "+short(version), s)
	h.tell()
	h.mu.Unlock()
	h.wait(nil, func() bool {
		for _, d := range a.dynos {
			if d.state == "starting" && d.session == nil && !h.held[Dynos] {
				return false
			}
		}
		return n.status != "pending"
	})
	h.mu.Lock()
	return n.status
}
