package commands

import (
	"context"

	"maitred/platform"
)

// Update is /update APP[@REF] [REF] [to ENV]: maintenance page, backup, deploy
// with migrations and checks, page off, as one operation. What fails is put
// back, the database too.
type Update struct {
	submits
	Where
	Version
}

// Run resolves the ref and submits.
func (u *Update) Run(ctx context.Context, c Call, s Services) (Answer, error) {
	if u.App == "" {
		return Answer{Form: whichApp(s, "Update", "/update"), Private: true}, nil
	}
	src, err := u.resolve(ctx, s, "/update", u.Target())
	if err != nil {
		return Answer{}, err
	}
	return submit(ctx, c, s, platform.Update, u.Target(), &src, nil)
}

func (u *Update) asks(c Call) bool { return u.Ref == "" && mayAsk(c) }
