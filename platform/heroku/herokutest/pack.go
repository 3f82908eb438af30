package herokutest

func (h *Heroku) packRoutes(r routes) {
	show := func(a *App) []obj {
		all := []obj{}
		for i, url := range a.packs {
			all = append(all, obj{"ordinal": i, "buildpack": obj{"url": url, "name": url}})
		}
		return all
	}
	r.mine(200, "GET /apps/{app}/buildpack-installations", func(a *App, c *call) (any, error) { return show(a), nil })
	r.mine(200, "PUT /apps/{app}/buildpack-installations", func(a *App, c *call) (any, error) {
		var in struct{ Updates []struct{ Buildpack string } }
		if err := c.read(&in); err != nil {
			return nil, err
		}
		packs := []string{}
		for _, u := range in.Updates {
			if u.Buildpack == "" {
				return nil, invalid("Buildpack must be given.")
			}
			packs = append(packs, u.Buildpack)
		}
		a.packs = packs
		return show(a), nil
	})
}
