// Checks payloads and answers against Slack's published samples (slackapi/
// java-slack-sdk, json-logs/samples, in the folder slack-samples of
// MAITRED_ORACLES): a sample proves that a key exists, so a key that is not in it
// is one that Slack does not send. What must be there is listed here.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = process.env.MAITRED_ORACLES ? join(process.env.MAITRED_ORACLES, 'slack-samples') : '';
export const haveSamples = root !== '' && existsSync(root);
export let checked = 0;

const samples = new Map();
function sample(path) {
  if (!samples.has(path)) {
    const file = join(root, path);
    samples.set(path, existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null);
  }
  return samples.get(path);
}

const plain = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

// unknown lists the keys of v that the sample does not have. Blocks are the
// app's own words; an empty object in a sample says nothing about what is in it.
function unknown(v, known, at = '') {
  if (Array.isArray(v)) {
    const like = Array.isArray(known) ? Object.assign({}, ...known.filter(plain)) : undefined;
    return like && Object.keys(like).length ? v.flatMap((e, i) => unknown(e, like, `${at}[${i}]`)) : [];
  }
  if (!plain(v) || !plain(known) || Object.keys(known).length === 0) return [];
  return Object.keys(v).flatMap((k) => {
    if (!(k in known)) return [`${at}.${k}`];
    return k === 'blocks' ? [] : unknown(v[k], known[k], `${at}.${k}`);
  });
}

const need = {
  slash: 'token team_id team_domain channel_id channel_name user_id user_name command text api_app_id is_enterprise_install response_url trigger_id',
  event: 'token team_id api_app_id event type event_id event_time authorizations',
  block_actions: 'type user api_app_id token container trigger_id team enterprise is_enterprise_install actions',
  onMessage: 'channel state response_url',
  view_submission: 'type team user api_app_id token trigger_id view is_enterprise_install enterprise',
  block_suggestion: 'type team user api_app_id token action_id block_id value container',
  'auth.test': 'url team user team_id user_id bot_id',
  'apps.connections.open': 'url',
  'chat.postMessage': 'channel ts message',
  'chat.update': 'channel ts text message',
  'chat.delete': 'channel ts',
  'chat.postEphemeral': 'message_ts',
  'chat.getPermalink': 'channel permalink',
  'views.open': 'view',
  'views.publish': 'view',
  'views.update': 'view',
  'files.getUploadURLExternal': 'upload_url file_id',
  'files.completeUploadExternal': 'files',
  'users.info': 'user',
  'users.list': 'members cache_ts',
  'usergroups.list': 'usergroups',
  'usergroups.users.list': 'users',
  'conversations.info': 'channel',
  'conversations.open': 'channel',
  'conversations.replies': 'messages has_more',
  'conversations.history': 'messages has_more',
};

const missing = (v, keys) => keys.split(' ').filter((k) => !(k in v)).map((k) => `lacks ${k}`);

function say(what, problems) {
  checked++;
  if (problems.length) throw new Error(`${what}: ${problems.join(', ')}`);
}

function against(path, v) {
  const known = haveSamples ? sample(path) : null;
  return known ? unknown(v, known).map((k) => `Slack has no ${k}`) : [];
}

const eventFiles = { app_mention: 'AppMentionPayload', message: 'MessagePayload', app_home_opened: 'AppHomeOpenedPayload', tokens_revoked: 'TokensRevokedPayload' };

// checkPayload checks what the app was sent, whole.
export function checkPayload(p) {
  if (p.command) return say('slash command', [...missing(p, need.slash), ...against('app-backend/slash-commands/SlashCommandPayload.json', p)]);
  if (p.type === 'event_callback' || p.event) {
    const { view, ...event } = p.event;
    const problems = [...missing(p, need.event), ...against(`events/${eventFiles[event.type]}.json`, { ...p, event })];
    return say(`event ${event.type}`, [...problems, ...inView(view)]);
  }
  const file = { block_actions: 'interactive-components/BlockActionPayload', view_submission: 'views/ViewSubmissionPayload' }[p.type];
  const problems = missing(p, need[p.type] ?? 'type');
  if (p.container?.type === 'message' || (p.type === 'block_actions' && !p.view)) problems.push(...missing(p, need.onMessage));
  if (p.view) problems.push(...missing(p.view, 'id team_id type blocks private_metadata callback_id state hash app_id bot_id'));
  for (const a of p.actions ?? []) if (a.type === 'button') problems.push(...missing(a, 'action_id block_id type text value action_ts'));
  const { view, ...rest } = p;
  if (file) problems.push(...against(`app-backend/${file}.json`, rest));
  say(p.type, [...problems, ...inView(view)]);
}

// The samples of payloads lack the blocks of a view; that of views.open has them.
const inView = (view) => (view && haveSamples ? unknown(view, sample('api/views.open.json').view).map((k) => `Slack has no view${k}`) : []);

// checkCalls checks every answer of the Web API.
export function checkCalls(calls) {
  for (const c of calls) {
    if (c.Method === 'upload' || c.Method === 'response_url') continue;
    const problems = against(`api/${c.Method}.json`, c.Answer);
    if (c.Answer.ok) problems.push(...missing(c.Answer, need[c.Method] ?? 'ok'));
    else if (!c.Answer.error) problems.push('lacks error');
    say(`answer of ${c.Method}`, problems);
  }
}
