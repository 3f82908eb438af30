// What the app says and asks, through the official Web API client.
import assert from 'node:assert/strict';
import webApi from '@slack/web-api';
import { ann, button } from './hearing.mjs';
import { eventually } from './desk.mjs';

const at = { channel: 'C0DEPLOYS' };
const section = (text) => ({ type: 'section', text: { type: 'mrkdwn', text } });
const message = async (fake, ts) => (await fake.see(ann)).find((m) => m.TS === ts);
const code = (want) => (e) => { assert.equal(e.data?.error, want); return true; };

export const speaking = {
  'a message is posted, and in a thread': async ({ fake, bot }) => {
    const { ts, message: m } = await bot.client.chat.postMessage({ ...at, text: 'Deploy #1', blocks: [section('*Deploy* #1')], metadata: { event_type: 'operation', event_payload: { key: 'k1' } } });
    assert.deepEqual([m.ts, m.user, m.metadata.event_payload.key], [ts, fake.botUser, 'k1']);
    const reply = await bot.client.chat.postMessage({ ...at, thread_ts: ts, text: 'step 1 <@U0BOB>' });
    assert.equal((await message(fake, reply.ts)).Thread, ts);
    const { messages } = await bot.client.conversations.replies({ ...at, ts, include_all_metadata: true });
    assert.deepEqual([messages.length, messages[0].reply_count, messages[0].metadata.event_payload.key, messages[1].parent_user_id], [2, 1, 'k1', fake.botUser]);
    assert.equal((await bot.client.conversations.history(at)).messages.find((x) => x.ts === ts).metadata, undefined);
  },
  'an edit with text alone removes the blocks': async ({ fake, bot }) => {
    const { ts } = await bot.client.chat.postMessage({ ...at, text: 'one', blocks: [section('one'), button('Go', '/go')] });
    await bot.client.chat.update({ ...at, ts, text: 'two', blocks: [section('two')] });
    assert.equal((await message(fake, ts)).Reads, 'two');
    await bot.client.chat.update({ ...at, ts, text: 'three' });
    const m = await message(fake, ts);
    assert.deepEqual([m.Reads, m.Blocks ?? []], ['three', []]);
  },
  'a message is deleted': async ({ fake, bot }) => {
    const { ts } = await bot.client.chat.postMessage({ ...at, text: 'gone' });
    await bot.client.chat.delete({ ...at, ts });
    assert.equal(await message(fake, ts), undefined);
    await assert.rejects(bot.client.chat.update({ ...at, ts, text: 'x' }), code('message_not_found'));
  },
  'a whisper is for one and cannot be edited': async ({ fake, bot }) => {
    await fake.type({ ...ann, text: 'I am here' });
    const { message_ts: ts } = await bot.client.chat.postEphemeral({ ...at, user: 'U0ANN', text: 'psst' });
    assert.equal((await message(fake, ts)).Only, 'U0ANN');
    await assert.rejects(bot.client.chat.update({ ...at, ts, text: 'x' }), code('message_not_found'));
    await assert.rejects(bot.client.chat.postEphemeral({ ...at, user: 'U0NOBODY', text: 'x' }), code('user_not_in_channel'));
  },
  'a message has a link': async ({ bot }) => {
    const { ts } = await bot.client.chat.postMessage({ ...at, text: 'x' });
    const { permalink } = await bot.client.chat.getPermalink({ ...at, message_ts: ts });
    assert.ok(permalink.endsWith(`/archives/C0DEPLOYS/p${ts.replace('.', '')}`));
  },
  'a file goes up in three steps': async ({ fake, bot }) => {
    await bot.client.filesUploadV2({ channel_id: 'C0DEPLOYS', filename: 'output.txt', content: 'line 1\nline 2\n', initial_comment: 'the output' });
    const f = (await fake.files()).at(-1);
    assert.deepEqual([f.Name, Buffer.from(f.Data, 'base64').toString(), f.Channel], ['output.txt', 'line 1\nline 2\n', 'C0DEPLOYS']);
    await eventually('the message', async () => (await fake.see(ann)).some((m) => m.Reads === 'the output'));
  },
  'a file of another length is refused': async ({ bot }) => {
    const { upload_url } = await bot.client.files.getUploadURLExternal({ filename: 'a.txt', length: 10 });
    assert.equal((await fetch(upload_url, { method: 'POST', body: 'four' })).status, 400);
  },
  'too many calls are answered with 429 and obeyed': async ({ fake, bot }) => {
    await fake.limit({ name: 'chat.postMessage', times: 1, number: 1 });
    const begin = Date.now();
    await bot.client.chat.postMessage({ ...at, text: 'patient' });
    assert.ok(Date.now() - begin >= 950, 'it did not wait');
    assert.deepEqual((await fake.calls({ names: ['chat.postMessage'] })).slice(-2).map((c) => c.Status), [429, 200]);
  },
  'blocks beyond the limits are refused': async ({ bot }) => {
    const post = (blocks) => bot.client.chat.postMessage({ ...at, text: 'x', blocks });
    await assert.rejects(post(Array(51).fill(section('x'))), code('invalid_blocks'));
    await assert.rejects(post([section('x'.repeat(3001))]), code('invalid_blocks'));
    await assert.rejects(post([section('')]), code('invalid_blocks'));
    await assert.rejects(post([button('Go', 'v'.repeat(2001))]), code('invalid_blocks'));
    await assert.rejects(post([{ type: 'sparkles' }]), code('invalid_blocks'));
    await assert.rejects(post([button('a', 'b'), button('a', 'b')]), code('invalid_blocks'));
    await assert.rejects(post(Array(5).fill(section('x'.repeat(2700)))), code('msg_blocks_too_long'));
    await post(Array(4).fill(section('x'.repeat(3000))));
  },
  'people, groups and channels can be looked up': async ({ fake, bot }) => {
    await fake.group({ name: 'leads', names: ['ann', 'bob'] });
    const { user } = await bot.client.users.info({ user: 'U0ANN', include_locale: true });
    assert.deepEqual([user.name, user.tz, user.deleted, user.is_restricted], ['ann', 'Europe/Paris', false, false]);
    assert.deepEqual((await bot.client.usergroups.users.list({ usergroup: 'S0LEADS' })).users, ['U0ANN', 'U0BOB']);
    assert.equal((await bot.client.usergroups.list({ include_users: true })).usergroups[0].handle, 'leads');
    assert.ok((await bot.client.users.list({})).members.some((u) => u.id === 'U0BOB'));
    assert.equal((await bot.client.conversations.info(at)).channel.is_member, true);
    assert.equal((await bot.client.conversations.open({ users: 'U0ANN' })).channel.id, 'D0ANN');
    await fake.deactivate({ person: 'carl' });
    assert.equal((await bot.client.users.info({ user: 'U0CARL' })).user.deleted, true);
  },
  'where the bot is not, it cannot speak': async ({ fake, bot }) => {
    await fake.channel({ channel: 'elsewhere' });
    await fake.kick({ channel: 'elsewhere' });
    await fake.dropScope({ name: 'chat:write.public' });
    await assert.rejects(bot.client.chat.postMessage({ channel: 'C0ELSEWHERE', text: 'x' }), code('not_in_channel'));
    await fake.grantScope({ name: 'chat:write.public' });
    await bot.client.chat.postMessage({ channel: 'C0ELSEWHERE', text: 'x' });
    await assert.rejects(bot.client.chat.postMessage({ channel: 'C0NOWHERE', text: 'x' }), code('channel_not_found'));
  },
  'a missing scope is named': async ({ fake, bot }) => {
    await fake.dropScope({ name: 'users:read' });
    await assert.rejects(bot.client.users.info({ user: 'U0ANN' }), (e) => e.data.error === 'missing_scope' && e.data.needed === 'users:read');
    await fake.grantScope({ name: 'users:read' });
  },
  'tokens are looked at': async ({ fake, bot }) => {
    const quiet = { slackApiUrl: fake.api, retryConfig: { retries: 0 }, logLevel: webApi.LogLevel.ERROR, logger: bot.client.logger };
    await assert.rejects(new webApi.WebClient('xoxb-1-2-wrong', quiet).auth.test(), code('invalid_auth'));
    await assert.rejects(new webApi.WebClient(fake.bot, quiet).apps.connections.open({}), code('not_allowed_token_type'));
    const argument = await fetch(`${fake.api}apps.connections.open`, { method: 'POST', body: new URLSearchParams({ token: fake.app }) });
    assert.equal((await argument.json()).error, 'not_authed');
    await fake.revoke();
    await assert.rejects(bot.client.auth.test(), code('token_revoked'));
    await fake.restore();
    await bot.client.auth.test();
  },
};
