package main

import (
	"context"
	"flag"
	"net/url"

	"maitred/bot/slack"
	"maitred/commands"
	"maitred/config"
)

// manifest prints the app manifest of a chat. With a configuration it is the one
// that fits; without, the one of the defaults.
func manifest(_ context.Context, t terminal, args []string) error {
	var file, address, name string
	chats, err := flags(t, "manifest", args, func(f *flag.FlagSet) {
		f.StringVar(&file, "config", "", "the configuration whose commands and mode are meant")
		f.StringVar(&address, "url", "", "where Slack reaches maitred, for mode: http, as https://maitred.example.org")
		f.StringVar(&name, "name", "", "the name of the app; maitred when left out")
	})
	if err != nil {
		return err
	}
	if len(chats) != 1 || chats[0] != slack.Name {
		return mistyped("manifest", "manifest needs the name of a chat, and there is one: slack.")
	}
	o := slack.ManifestOptions{Name: name, URL: address}
	if address != "" {
		o.Mode = slack.HTTP
	}
	for _, v := range commands.Verbs() {
		o.Verbs = append(o.Verbs, slack.Verb{Path: v.Path, Usage: v.Usage, Help: v.Help})
	}
	if file != "" {
		c, err := config.Load(file)
		if err != nil {
			return err
		}
		if s := c.Chat.Slack; s != nil {
			o.Mode, o.Commands = slack.Mode(s.Mode), s.Commands
		}
	}
	if u, err := url.Parse(address); o.Mode == slack.HTTP && (err != nil || u.Scheme != "https" || u.Host == "") {
		return mistyped("manifest", "In the mode http Slack has to know where it reaches maitred: --url https://….")
	}
	text, err := slack.Manifest(o)
	if err != nil {
		return err
	}
	_, err = t.out.Write(text)
	return err
}
