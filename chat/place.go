package chat

// Place is where something is said. The zero Place is nowhere.
type Place struct {
	Chat    string `json:"chat,omitempty"`
	Channel string `json:"channel,omitempty"`
	Thread  string `json:"thread,omitempty"` // id of the message that the thread hangs on; empty for the channel itself
}

// Top is the channel of p, outside any thread.
func (p Place) Top() Place { return Place{Chat: p.Chat, Channel: p.Channel} }

// MessageRef finds a message again, to edit it or to answer in its thread.
type MessageRef struct {
	Place Place  `json:"place"`
	ID    string `json:"id"`
}

// InThread is the place in the thread of the message.
func (r MessageRef) InThread() Place {
	if r.Place.Thread != "" {
		return r.Place // threads do not nest
	}
	return Place{Chat: r.Place.Chat, Channel: r.Place.Channel, Thread: r.ID}
}
