// What the app hears, and what its acknowledgements do.
import assert from 'node:assert/strict';
import { checkPayload } from './oracle.mjs';
import { eventually } from './desk.mjs';

export const ann = { person: 'ann', channel: 'deploys' };
export const button = (label, value) => ({
  type: 'actions', block_id: 'b1',
  elements: [{ type: 'button', action_id: 'act', text: { type: 'plain_text', text: label }, value, style: 'danger', confirm: { title: { type: 'plain_text', text: 'Sure?' }, text: { type: 'plain_text', text: 'It is production.' }, confirm: { type: 'plain_text', text: 'Yes' }, deny: { type: 'plain_text', text: 'No' } } }],
});
const modal = {
  type: 'modal', callback_id: 'form', title: { type: 'plain_text', text: 'Why?' }, submit: { type: 'plain_text', text: 'Send' }, private_metadata: 'op 214',
  blocks: [
    { type: 'input', block_id: 'why', label: { type: 'plain_text', text: 'Reason' }, element: { type: 'plain_text_input', action_id: 'text' } },
    { type: 'input', block_id: 'ref', optional: true, label: { type: 'plain_text', text: 'Ref' }, element: { type: 'external_select', action_id: 'pick', min_query_length: 0 } },
  ],
};
const sees = (fake, text, o = ann) => eventually(`${o.person} sees ${text}`, async () => (await fake.see(o)).find((m) => m.Reads.includes(text)));

export const hearing = {
  'a slash command arrives whole and is acknowledged': async ({ fake, bot }) => {
    const d = await fake.slash({ ...ann, text: '/deploy ocpizza to production' });
    assert.equal(d.error, undefined);
    checkPayload(d.payload);
    const h = bot.last('slash');
    assert.deepEqual([h.command.command, h.command.text, h.command.user_id, h.command.channel_id, h.command.user_name], ['/deploy', 'ocpizza to production', 'U0ANN', 'C0DEPLOYS', 'ann']);
    assert.deepEqual([h.context.botId, h.context.botUserId, h.context.teamId], [fake.botID, fake.botUser, fake.team]);
  },
  'an acknowledgement with text is seen by the caller alone': async ({ fake, bot }) => {
    bot.plan.slash = ({ ack }) => ack('heard you');
    await fake.slash({ ...ann, text: '/deploy x' });
    assert.equal((await sees(fake, 'heard you')).Only, 'U0ANN');
    assert.ok(!(await fake.see({ person: 'bob', channel: 'deploys' })).some((m) => m.Reads === 'heard you'));
  },
  'an acknowledgement with blocks can be for everybody': async ({ fake, bot }) => {
    bot.plan.slash = ({ ack }) => ack({ response_type: 'in_channel', text: 'all', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'for <@U0ANN> & all' } }] });
    await fake.slash({ ...ann, text: '/deploy x' });
    assert.equal((await sees(fake, 'for @ann', { person: 'bob', channel: 'deploys' })).Only, '');
  },
  'a response URL works five times': async ({ fake, bot }) => {
    let last;
    bot.plan.slash = async ({ ack, respond }) => {
      await ack();
      for (let i = 1; i <= 5; i++) await respond({ text: `answer ${i}` });
      last = await respond({ text: 'answer 6' }).then(() => 'ok', (e) => e);
    };
    await fake.slash({ ...ann, text: '/deploy x' });
    await sees(fake, 'answer 5');
    await eventually('the sixth answer', () => last);
    assert.ok(!(await fake.see(ann)).some((m) => m.Reads === 'answer 6'));
  },
  'a response URL works for thirty minutes': async ({ fake, bot }) => {
    await fake.slash({ ...ann, text: '/deploy x' });
    const url = bot.last('slash').command.response_url;
    await fake.advance({ number: 31 * 60 });
    const r = await fetch(url, { method: 'POST', body: '{"text":"late"}' });
    assert.deepEqual([r.status, (await r.json()).error], [404, 'expired_url']);
  },
  'a button click carries its value and its message': async ({ fake, bot }) => {
    const { ts } = await bot.client.chat.postMessage({ channel: 'C0DEPLOYS', text: 'approve?', blocks: [button('Approve', '/approve 214')] });
    const d = await fake.click({ ...ann, ts, name: 'Approve' });
    checkPayload(d.payload);
    const { action, body } = bot.last('click');
    assert.deepEqual([action.value, body.message.ts, body.container.message_ts, body.channel.id, body.user.id], ['/approve 214', ts, ts, 'C0DEPLOYS', 'U0ANN']);
  },
  'a click can replace its message': async ({ fake, bot }) => {
    const { ts } = await bot.client.chat.postMessage({ channel: 'C0DEPLOYS', text: 'approve?', blocks: [button('Approve', '/approve 215')] });
    bot.plan.click = async ({ ack, respond }) => { await ack(); await respond({ replace_original: true, text: 'approved by ann' }); };
    await fake.click({ ...ann, ts, name: 'Approve' });
    assert.equal((await sees(fake, 'approved by ann')).TS, ts);
  },
  'what one person sees is not repeated in the click': async ({ fake, bot }) => {
    await fake.type({ ...ann, text: 'here I am' });
    const { message_ts: ts } = await bot.client.chat.postEphemeral({ channel: 'C0DEPLOYS', user: 'U0ANN', text: 'only you', blocks: [button('Again', '/deploy x')] });
    const d = await fake.click({ ...ann, ts, name: 'Again' });
    checkPayload(d.payload);
    assert.equal(d.payload.message, undefined);
    assert.equal(d.payload.container.is_ephemeral, true);
  },
  'a click that nobody acknowledges is not repeated': async ({ fake, bot }) => {
    const { ts } = await bot.client.chat.postMessage({ channel: 'C0DEPLOYS', text: 'approve?', blocks: [button('Approve', '/approve 216')] });
    await fake.loseAcks({ times: 1 });
    const before = bot.count('click');
    const d = await fake.click({ ...ann, ts, name: 'Approve' });
    assert.match(d.error ?? 'no error', /trouble connecting/);
    assert.deepEqual([d.attempts, bot.count('click')], [1, before + 1]);
  },
  'a modal opens, is refused, and is taken': async ({ fake, bot }) => {
    bot.plan.slash = async ({ ack, client, body }) => { await ack(); await client.views.open({ trigger_id: body.trigger_id, view: modal }); };
    await fake.slash({ ...ann, text: '/deploy' });
    await eventually('the modal', async () => (await fake.view(ann)).open);
    bot.plan.submit = ({ ack, view }) => (view.state.values.why.text.value === 'no' ? ack({ response_action: 'errors', errors: { why: 'Say more.' } }) : ack());
    const refused = await fake.submit({ ...ann, values: { why: 'no' } });
    checkPayload(refused.payload);
    assert.deepEqual((await fake.view(ann)).errors, { why: 'Say more.' });
    assert.equal(bot.last('submit').view.private_metadata, 'op 214');
    assert.equal(bot.last('submit').view.state.values.ref.pick.selected_option, null);
    bot.plan.submit = undefined;
    await fake.submit({ ...ann, values: { why: 'because' } });
    assert.equal((await fake.view(ann)).open, false);
  },
  'an external select asks for its choices': async ({ fake, bot }) => {
    bot.plan.slash = async ({ ack, client, body }) => { await ack(); await client.views.open({ trigger_id: body.trigger_id, view: modal }); };
    await fake.slash({ ...ann, text: '/deploy' });
    await eventually('the modal', async () => (await fake.view(ann)).open);
    bot.plan.options = ({ ack, payload }) => ack({ options: [{ text: { type: 'plain_text', text: `${payload.value}in` }, value: `${payload.value}in` }] });
    const d = await fake.choices({ ...ann, name: 'ref', text: 'ma' });
    checkPayload(d.payload);
    assert.deepEqual(d.offered, ['main']);
    await fake.submit({ ...ann, values: { why: 'because', ref: 'main' } });
    assert.equal(bot.last('submit').view.state.values.ref.pick.selected_option.value, 'main');
  },
  'a trigger works once and for three seconds': async ({ fake, bot }) => {
    await fake.slash({ ...ann, text: '/deploy' });
    const trigger_id = bot.last('slash').body.trigger_id;
    await bot.client.views.open({ trigger_id, view: modal });
    await assert.rejects(bot.client.views.open({ trigger_id, view: modal }), /exchanged_trigger_id/);
    await fake.slash({ ...ann, text: '/deploy' });
    await fake.advance({ number: 4 });
    await assert.rejects(bot.client.views.open({ trigger_id: bot.last('slash').body.trigger_id, view: modal }), /expired_trigger_id/);
  },
  'a mention arrives with its thread': async ({ fake, bot }) => {
    const { ts } = await bot.client.chat.postMessage({ channel: 'C0DEPLOYS', text: 'the operation' });
    const { delivery } = await fake.reply({ ...ann, ts, text: '@maitred approve 214' });
    checkPayload(delivery.payload);
    const { event } = await eventually('the mention', () => bot.last('mention'));
    assert.deepEqual([event.thread_ts, event.user, event.text, event.channel], [ts, 'U0ANN', `<@${fake.botUser}> approve 214`, 'C0DEPLOYS']);
  },
  'a direct message arrives, other talk does not': async ({ fake, bot }) => {
    const { delivery } = await fake.type({ person: 'ann', channel: 'D0ANN', text: 'status' });
    checkPayload(delivery.payload);
    assert.equal((await eventually('the message', () => bot.last('message'))).event.channel_type, 'im');
    assert.equal((await fake.type({ ...ann, text: 'lunch?' })).delivery.silent, true);
  },
  'an event that nobody acknowledges comes again': async ({ fake, bot }) => {
    await fake.loseAcks({ times: 2 });
    const before = bot.count('mention');
    const { delivery } = await fake.type({ ...ann, text: '@maitred status' });
    assert.equal(delivery.attempts, 3);
    await eventually('three mentions', () => bot.count('mention') === before + 3);
    const h = bot.last('mention');
    assert.deepEqual([h.context.retryNum, h.context.retryReason, h.body.event_id], [2, 'http_timeout', delivery.payload.event_id]);
  },
  'an event can come twice': async ({ fake, bot }) => {
    await fake.duplicate({ times: 1 });
    const before = bot.count('mention');
    await fake.type({ ...ann, text: '@maitred status' });
    await eventually('two mentions', () => bot.count('mention') === before + 2);
  },
  'the home opens and is published': async ({ fake, bot }) => {
    bot.plan.home = ({ client, event }) => client.views.publish({ user_id: event.user, view: { type: 'home', blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'Nothing is running.' } }] } });
    checkPayload((await fake.home(ann)).payload);
    await eventually('the home', async () => (await fake.seeHome(ann)).reads.includes('Nothing is running.'));
    const again = await fake.home(ann);
    checkPayload(again.payload);
    assert.equal(again.payload.event.view.type, 'home');
  },
  'a reserved command never arrives': async ({ fake, bot }) => {
    const before = bot.count('slash');
    assert.match((await fake.slash({ ...ann, text: '/who' })).error, /for itself/);
    assert.equal(bot.count('slash'), before);
  },
};
