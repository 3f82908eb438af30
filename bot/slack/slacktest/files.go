package slacktest

import (
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// File is a file that was uploaded.
type File struct {
	ID       string
	Name     string
	Title    string
	Data     []byte
	Channel  string
	Thread   string
	Comment  string
	Complete bool

	length int
	got    bool
}

// Files are the files whose upload was completed.
func (s *Slack) Files() []File {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []File
	for _, f := range s.files {
		if f.Complete {
			out = append(out, *f)
		}
	}
	return out
}

func (s *Slack) file(id string) *File {
	for _, f := range s.files {
		if f.ID == id {
			return f
		}
	}
	return nil
}

func (s *Slack) uploadURL(in args) (map[string]any, *failure) {
	length, err := strconv.Atoi(in["length"])
	switch {
	case in["filename"] == "" || err != nil:
		return nil, fail("invalid_arguments")
	case length <= 0:
		return nil, fail("invalid_arguments", "[ERROR] must be greater than 0 [json-pointer:/length]")
	}
	f := &File{ID: s.id("F"), Name: in["filename"], length: length}
	s.files = append(s.files, f)
	return map[string]any{"upload_url": s.base + "/upload/v1/" + f.ID, "file_id": f.ID}, nil
}

// upload takes the bytes, raw or as multipart.
func (s *Slack) upload(w http.ResponseWriter, r *http.Request) {
	arrived := s.Now()
	if !s.pause(r, "upload") {
		return
	}
	id := strings.TrimPrefix(r.URL.Path, "/upload/v1/")
	data, err := uploaded(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.file(id)
	call := Call{Method: "upload", Args: args{"file": id, "size": strconv.Itoa(len(data))}, At: arrived, Status: http.StatusOK, Answer: []byte(`{}`)}
	switch {
	case f == nil || f.got:
		call.Status, call.Error = http.StatusNotFound, "no such upload"
	case err != nil, len(data) != f.length && !s.wrong[UploadsOfAnySize]:
		call.Status, call.Error = http.StatusBadRequest, "the length is not what was said"
	default:
		f.Data, f.got = data, true
	}
	s.calls = append(s.calls, call)
	s.bump()
	if call.Error != "" {
		http.Error(w, call.Error, call.Status)
		return
	}
	io.WriteString(w, "OK - "+strconv.Itoa(len(data))) //nolint:errcheck
}

func uploaded(r *http.Request) ([]byte, error) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		return io.ReadAll(r.Body)
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for {
		p, err := parts.NextPart()
		if err != nil {
			return nil, err
		}
		if p.FileName() != "" || p.FormName() == "file" {
			return io.ReadAll(p)
		}
	}
}

func (s *Slack) completeUpload(in args) (map[string]any, *failure) {
	var wanted []struct{ ID, Title string }
	if in["files"] == "" || !in.object("files", &wanted) || len(wanted) == 0 {
		return nil, fail("invalid_arguments")
	}
	if in["blocks"] != "" && strings.Contains(in["blocks"], `"markdown"`) {
		return nil, fail("internal_error")
	}
	channel := in["channel_id"]
	if channel == "" {
		channel = in["channels"]
	}
	var c *Channel
	if channel != "" {
		var f *failure
		if c, f = s.target(args{"channel": channel}); f != nil {
			return nil, f
		}
		if !c.has(s.BotUserID) {
			return nil, fail("not_in_channel")
		}
	}
	var shapes []map[string]any
	for _, w := range wanted {
		f := s.file(w.ID)
		if f == nil || !f.got || f.Complete {
			return nil, fail("file_not_found")
		}
		f.Title, f.Complete, f.Comment, f.Thread = w.Title, true, in["initial_comment"], in["thread_ts"]
		if f.Title == "" {
			f.Title = f.Name
		}
		if c != nil {
			f.Channel = c.ID
		}
		shapes = append(shapes, s.fileShape(f))
	}
	if c != nil { // the message comes a moment later, when Slack has looked at the file
		s.spawn(func() { s.share(c.ID, wanted[0].ID) })
	}
	return map[string]any{"files": shapes}, nil
}

func (s *Slack) share(channel, file string) {
	select {
	case <-time.After(5 * time.Millisecond):
	case <-s.ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.file(file)
	s.add(&Message{Channel: channel, Thread: f.Thread, User: s.BotUserID, Text: f.Comment, Files: []string{file}})
}

func (s *Slack) fileShape(f *File) map[string]any {
	now := s.now().Unix()
	kind := f.Name[strings.LastIndex(f.Name, ".")+1:]
	return map[string]any{
		"id": f.ID, "created": now, "timestamp": now, "name": f.Name, "title": f.Title, "mimetype": "", "filetype": kind, "pretty_type": "",
		"user": s.BotUserID, "user_team": s.TeamID, "editable": false, "size": len(f.Data), "mode": "hosted", "is_external": false,
		"external_type": "", "is_public": false, "public_url_shared": false, "display_as_bot": false, "username": "",
		"url_private": "https://files.slack.com/" + f.ID, "url_private_download": "https://files.slack.com/" + f.ID + "/download",
		"permalink": "https://example.slack.com/files/" + f.ID, "permalink_public": "https://slack-files.com/" + f.ID,
		"comments_count": 0, "is_starred": false, "shares": map[string]any{}, "channels": []string{}, "groups": []string{}, "ims": []string{},
		"has_more_shares": false, "has_rich_preview": false, "file_access": "visible", "media_display_type": "unknown",
	}
}
