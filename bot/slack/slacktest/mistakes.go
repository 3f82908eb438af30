package slacktest

import "encoding/json"

// The deliberate mistakes that Options.Wrong can order. Each makes the fake
// unlike Slack in one way, and the conformance run must notice each: what it
// would not notice, it does not prove.
const (
	NoHello           = "no hello"
	NoPing            = "no ping"
	NoPong            = "no pong"
	NoCloseAnswer     = "no answer to a close"
	TCPCloses         = "TCP ends with the close"
	TicketsForEver    = "tickets work twice"
	WrongSignature    = "wrong signature base"
	NoResponseURL     = "no response_url"
	NoTriggerID       = "no trigger_id"
	NoChannelID       = "no channel_id"
	NoUserID          = "no user_id"
	NoTeamID          = "no team_id"
	NoEnvelopeID      = "no envelope_id"
	NoAccepts         = "no accepts_response_payload"
	NoEventID         = "no event_id"
	NoAuthorizations  = "no authorizations"
	NoContainer       = "no container in clicks"
	NoState           = "no state in submissions"
	NoActionValue     = "no value in clicks"
	NoBotID           = "no bot_id in auth.test"
	NoTS              = "no ts in answers"
	NoRetryAfter      = "no Retry-After"
	InventedKey       = "a key that Slack does not send"
	InventedAnswer    = "a key that Slack does not answer"
	TriggersForEver   = "triggers work twice"
	AcksOfAnySize     = "acks of any size"
	RetriedClicks     = "clicks are retried"
	NoEventRetries    = "events are not retried"
	AnyBlocks         = "any blocks"
	AnyToken          = "any token"
	AnswersForEver    = "response URLs work for ever"
	BlocksStay        = "text alone keeps the blocks"
	UploadsOfAnySize  = "uploads of any length"
	NoQueryTokenCheck = "the app token counts as an argument"
)

// Mistakes are all that can be ordered.
func Mistakes() []string {
	return []string{
		NoHello, NoPing, NoPong, NoCloseAnswer, TCPCloses, TicketsForEver, WrongSignature, NoResponseURL, NoTriggerID, NoChannelID, NoUserID, NoTeamID,
		NoEnvelopeID, NoAccepts, NoEventID, NoAuthorizations, NoContainer, NoState, NoActionValue, NoBotID, NoTS, NoRetryAfter, InventedKey,
		InventedAnswer, TriggersForEver, AcksOfAnySize, RetriedClicks, NoEventRetries, AnyBlocks, AnyToken, AnswersForEver, BlocksStay,
		UploadsOfAnySize, NoQueryTokenCheck,
	}
}

// spoilPayload applies the mistakes about what is sent, and encodes it.
func (s *Slack) spoilPayload(kind string, payload any) json.RawMessage {
	in, ok := payload.(map[string]any)
	if !ok || len(s.wrong) == 0 {
		return raw(payload)
	}
	gone := func(mistake string, keys ...string) {
		if s.wrong[mistake] {
			for _, k := range keys {
				delete(in, k)
			}
		}
	}
	gone(NoResponseURL, "response_url")
	gone(NoTriggerID, "trigger_id")
	gone(NoChannelID, "channel_id", "channel")
	gone(NoUserID, "user_id", "user")
	gone(NoTeamID, "team_id", "team")
	gone(NoEventID, "event_id")
	gone(NoAuthorizations, "authorizations")
	gone(NoContainer, "container")
	if view, ok := in["view"].(map[string]any); ok && s.wrong[NoState] {
		delete(view, "state")
	}
	if actions, ok := in["actions"].([]any); ok && s.wrong[NoActionValue] {
		delete(actions[0].(map[string]any), "value")
	}
	if s.wrong[InventedKey] {
		in["thread_id"] = "x"
	}
	return raw(in)
}

func (s *Slack) spoilEnvelope(envelope map[string]any) {
	if s.wrong[NoEnvelopeID] {
		delete(envelope, "envelope_id")
	}
	if s.wrong[NoAccepts] {
		delete(envelope, "accepts_response_payload")
	}
}

// spoil applies the mistakes about what is answered.
func (s *Slack) spoil(method string, out map[string]any) map[string]any {
	if s.wrong[NoBotID] && method == "auth.test" {
		delete(out, "bot_id")
	}
	if s.wrong[NoTS] {
		delete(out, "ts")
	}
	if s.wrong[InventedAnswer] {
		out["message_id"] = "x"
	}
	return out
}
