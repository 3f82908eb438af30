package slack

import (
	"bytes"
	"context"

	"github.com/slack-go/slack"

	"maitred/chat"
)

// Upload shows a file at to, in Slack's three steps: ask for an address, send the
// bytes there, say where the file belongs. The same key twice is one file as far
// as maitred remembers.
func (c *Chat) Upload(ctx context.Context, to chat.Place, name string, data []byte, key string) error {
	p := c.said.of("file " + key)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done || len(data) == 0 {
		return nil
	}
	ctx = calling(ctx, caller{who: key})
	where, err := c.api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{FileName: name, FileSize: len(data)})
	if err = c.explain("files.getUploadURLExternal", to.Channel, err); err != nil {
		return err
	}
	err = c.api.UploadToURL(ctx, slack.UploadToURLParameters{UploadURL: where.UploadURL, Reader: bytes.NewReader(data), Filename: name})
	if err = c.explain("upload", to.Channel, err); err != nil {
		return err
	}
	_, err = c.api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{
		Files: []slack.FileSummary{{ID: where.FileID, Title: name}}, Channel: to.Channel, ThreadTimestamp: to.Thread,
	})
	if err = c.explain("files.completeUploadExternal", to.Channel, err); err != nil {
		return err
	}
	p.done = true
	return nil
}
