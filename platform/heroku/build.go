package heroku

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	heroku "github.com/heroku/heroku-go/v6"

	"maitred/fault"
	"maitred/platform"
)

// buildArgs say what to build.
type buildArgs struct {
	Source platform.Source `json:"source"`
}

// noVersion is what a source is called that has no tag.
func called(src platform.Source) string {
	if src.Version != "" {
		return src.Version
	}
	return short(src.SHA)
}

// startBuild uploads the source and asks for a build of it. The archive carries
// the operation in its header, so that its checksum, which Heroku keeps with the
// build, is this operation's alone.
func (p *Provider) startBuild(ctx context.Context, r platform.Run) (platform.Handle, error) {
	var args buildArgs
	if err := readArgs(r, &args); err != nil {
		return "", err
	}
	file, err := os.CreateTemp("", "maitred-source-*.tar.gz")
	if err != nil {
		return "", p.fail("heroku.build", err)
	}
	defer func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }()
	sum, err := p.pack(ctx, r, args.Source, file)
	if err != nil {
		return "", p.local(err)
	}
	version := called(args.Source)
	err = p.keep(ctx, func(n *note) {
		if n.Builds == nil {
			n.Builds = map[string]built{}
		}
		n.Builds[sum] = built{Operation: r.Operation, By: r.Requester, Version: version}
	})
	if err != nil {
		return "", err
	}
	blob, err := p.client.SourceCreate(ctx)
	if err != nil {
		return "", p.fail("heroku.build", err)
	}
	if err := p.upload(ctx, blob.SourceBlob.PutURL, file); err != nil {
		return "", err
	}
	var in heroku.BuildCreateOpts
	in.SourceBlob.URL, in.SourceBlob.Checksum = &blob.SourceBlob.GetURL, &sum
	in.SourceBlob.Version, in.SourceBlob.VersionDescription = &args.Source.SHA, heroku.String(mark(version, r))
	b, err := p.client.BuildCreate(ctx, p.config.App, in)
	if err != nil {
		return "", p.fail("heroku.build", err)
	}
	return platform.Handle(b.ID), nil
}

// local words trouble with this machine's own files.
func (p *Provider) local(err error) error {
	if errors.As(err, new(*fault.Error)) || errors.Is(err, context.Canceled) {
		return err
	}
	return &fault.Error{Kind: fault.Internal, Op: "heroku.pack", Say: "The source could not be packed on the machine of maitred.", Hint: "Look at the room on its disk.", Err: err}
}

// pack writes the tree of src to w as a .tar.gz and returns its checksum as
// Heroku writes it.
func (p *Provider) pack(ctx context.Context, r platform.Run, src platform.Source, w io.Writer) (string, error) {
	home, err := os.MkdirTemp("", "maitred-source-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home)
	dir := filepath.Join(home, "tree")
	if _, err := p.mirrors.Export(ctx, src, dir, nil); err != nil {
		return "", err
	}
	hash := sha256.New()
	z := gzip.NewWriter(io.MultiWriter(w, hash))
	z.Comment = fmt.Sprintf("maitred %s %s", r.Target, r.Key)
	t := tar.NewWriter(z)
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return errors.Join(err, ctx.Err())
		}
		return errors.Join(ctx.Err(), add(t, dir, path, d))
	})
	if err := errors.Join(err, t.Close(), z.Close()); err != nil {
		return "", err
	}
	return "SHA256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

func add(t *tar.Writer, dir, path string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	if h.Name, err = filepath.Rel(dir, path); err != nil {
		return err
	}
	h.Uid, h.Gid, h.Uname, h.Gname, h.Format = 0, 0, "", "", tar.FormatPAX
	h.ModTime = time.Unix(1, 0)
	h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
	h.Mode |= h.Mode >> 3 & 0o055 // what the group may, everybody may
	if d.IsDir() {
		h.Name += "/"
	}
	if err := t.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return errors.Join(err, f.Close())
}

// upload puts file where Heroku takes it. The address is its own secret: it is
// in no error.
func (p *Provider) upload(ctx context.Context, at string, file *os.File) error {
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return p.local(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return p.local(err)
	}
	unreachable := func(err error) error {
		return &fault.Error{Kind: fault.Unreachable, Op: "heroku.upload", Say: "The source could not be uploaded to Heroku.", Err: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, at, io.NopCloser(file))
	if err != nil {
		return unreachable(errors.New("the address is none"))
	}
	request.ContentLength = size
	response, err := p.client.streams.Do(request)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return unreachable(errors.New("no answer"))
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return unreachable(fmt.Errorf("it was answered with %d", response.StatusCode))
	}
	return nil
}

// findBuild looks for the build of r's operation: of the same commit, and of
// the archive that carries the operation.
func (p *Provider) findBuild(ctx context.Context, r platform.Run) (platform.Handle, bool, error) {
	b, ok, err := p.ours(ctx, r.Operation)
	return platform.Handle(b.ID), ok, err
}

// ours is the build that an operation started.
func (p *Provider) ours(ctx context.Context, operation int64) (heroku.Build, bool, error) {
	list, err := p.builds(ctx)
	if err != nil {
		return heroku.Build{}, false, err
	}
	var h history
	if h.notes, err = p.noted(ctx); err != nil {
		return heroku.Build{}, false, err
	}
	i := slices.IndexFunc(list, func(b heroku.Build) bool {
		m, ok := h.made(b)
		return ok && m.Operation == operation
	})
	if i < 0 {
		return heroku.Build{}, false, nil
	}
	return list[i], true, nil
}

// builtData is what later steps know of a build.
type builtData struct {
	Build   string `json:"build"`
	Release string `json:"release"` // Heroku's id of it
}

// waitBuild follows a build to its end.
func (p *Provider) waitBuild(ctx context.Context, r platform.Run, h platform.Handle) (platform.Result, error) {
	b, err := p.client.BuildInfo(ctx, p.config.App, string(h))
	if err != nil && ctx.Err() == nil {
		return platform.Result{}, p.fail("heroku.build", err)
	}
	var out output
	if err == nil {
		out = p.stream(ctx, r.Log, b.OutputStreamURL)
		for b.Status == "pending" && ctx.Err() == nil {
			if p.pause(ctx) != nil {
				break
			}
			next, err := p.client.BuildInfo(ctx, p.config.App, string(h))
			if err != nil {
				if ctx.Err() != nil {
					break
				}
				out.end()
				return platform.Result{}, p.fail("heroku.build", err)
			}
			b = next
		}
		if b.Status == "pending" || ctx.Err() != nil {
			out.end()
		}
	}
	if ctx.Err() != nil {
		return platform.Result{}, p.stopBuild(ctx, string(h))
	}
	last := out.wait()
	if b.Status != "succeeded" || b.Release == nil {
		return platform.Result{}, &fault.Error{Kind: fault.Refused, Op: "heroku.build", Hint: "Look at the output of the build in this thread.",
			Say: fmt.Sprintf("The build of %s failed%s The release before keeps running.", short(value(b.SourceBlob.Version)), quoted(last))}
	}
	return platform.Result{Say: fmt.Sprintf("built in %s", b.UpdatedAt.Sub(b.CreatedAt).Round(time.Second)), Data: raw(builtData{b.ID, b.Release.ID})}, nil
}

// stopBuild is what becomes of a build when nobody waits for it any more: it
// goes on when maitred only stops.
func (p *Provider) stopBuild(ctx context.Context, id string) error {
	if errors.Is(context.Cause(ctx), platform.ErrStopping) {
		return ctx.Err()
	}
	late, cancel := after(ctx)
	defer cancel()
	if _, err := p.client.BuildCancel(late, p.config.App, id); err != nil {
		p.log.Info("a build was not cancelled; its undo looks at it again") // it has ended, or cannot be reached
	}
	return ctx.Err()
}

// unbuild leaves nothing of a build: cancelled while it runs, and what it
// released is taken back.
func (p *Provider) unbuild(ctx context.Context, r platform.Run) (platform.Result, error) {
	b, ok, err := p.ours(ctx, r.Operation)
	if err != nil || !ok {
		return platform.Result{Say: "nothing was built"}, err
	}
	for b.Status == "pending" {
		_, err := p.client.BuildCancel(ctx, p.config.App, b.ID)
		var refused *apiError
		if err != nil && !errors.As(err, &refused) {
			return platform.Result{}, p.fail("heroku.unbuild", err)
		}
		now, err := p.client.BuildInfo(ctx, p.config.App, b.ID)
		if err != nil {
			return platform.Result{}, p.fail("heroku.unbuild", err)
		}
		if b = *now; b.Status == "pending" {
			if err := p.pause(ctx); err != nil {
				return platform.Result{}, err
			}
		}
	}
	if b.Release == nil {
		return platform.Result{Say: "nothing was released"}, nil
	}
	release, err := p.ended(ctx, b.Release.ID)
	if err != nil {
		return platform.Result{}, err
	}
	if release.Status != "succeeded" {
		return platform.Result{Say: name(*release) + " never went live"}, nil
	}
	return p.takeBack(ctx, r, *release)
}

// takeBack goes back to the release before release, if that is what runs.
func (p *Provider) takeBack(ctx context.Context, r platform.Run, release heroku.Release) (platform.Result, error) {
	h, err := p.history(ctx, 50)
	if err != nil {
		return platform.Result{}, err
	}
	i := slices.IndexFunc(h.raw, func(o heroku.Release) bool {
		return o.Version < release.Version && o.Slug != nil && o.Status == "succeeded"
	})
	if i < 0 {
		return platform.Result{Say: "it was the first release", Warnings: []string{name(release) + " was the first release; it stays, because there is none to go back to."}}, nil
	}
	err = p.keep(ctx, func(n *note) {
		if n.Failed == nil {
			n.Failed = map[int]int64{}
		}
		n.Failed[release.Version] = r.Operation
	})
	if err != nil {
		return platform.Result{}, err
	}
	if now, ok := h.current(); ok && h.raw[0].Status != "pending" && slug(now) != slug(release) {
		return platform.Result{Say: name(now) + " is live"}, nil
	}
	return p.goBack(ctx, r, h.origin(h.raw[i]).Version)
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func quoted(line string) string {
	if line == "" {
		return "."
	}
	return fmt.Sprintf(": %s.", line)
}

// releaseOf is the release that the build of r's operation made.
func (p *Provider) releaseOf(ctx context.Context, r platform.Run) (string, error) {
	for _, data := range r.Results {
		var d builtData
		if json.Unmarshal(data, &d) == nil && d.Build != "" {
			return d.Release, nil
		}
	}
	b, ok, err := p.ours(ctx, r.Operation)
	if err != nil {
		return "", err
	}
	if !ok || b.Release == nil {
		return "", fault.New(fault.Missing, "heroku.release", "", "The build of #%d made no release.", r.Operation)
	}
	return b.Release.ID, nil
}
