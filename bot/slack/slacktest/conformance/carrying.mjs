// How things get there: Socket Mode and signed requests.
import http from 'node:http';
import assert from 'node:assert/strict';
import { WebSocket } from 'undici';
import { ann } from './hearing.mjs';
import { eventually } from './desk.mjs';

const served = (fake) => eventually('a command is served again', async () => !(await fake.slash({ ...ann, text: '/deploy x' })).error, 9000);
const ticket = async (fake) => (await (await fetch(`${fake.api}apps.connections.open`, { method: 'POST', headers: { authorization: `Bearer ${fake.app}` } })).json()).url;
const opened = async (fake) => (await fake.connections()).opened;

export const overSocket = {
  'the connection lives on pings of both sides': async ({ fake, started }) => {
    await new Promise((r) => setTimeout(r, Math.max(0, started + 3300 - Date.now())));
    const c = await fake.connections();
    assert.deepEqual([c.open, c.opened], [1, 1]);
    assert.ok(c.pongs > 3, 'nobody answers pings');
  },
  'a large acknowledgement is dropped without a word': async ({ fake, bot }) => {
    bot.plan.slash = ({ ack }) => ack({ text: 'x'.repeat(19000) });
    assert.equal((await fake.slash({ ...ann, text: '/deploy x' })).error, undefined);
    bot.plan.slash = ({ ack }) => ack({ text: 'x'.repeat(20480) });
    assert.match((await fake.slash({ ...ann, text: '/deploy x' })).error ?? '', /operation_timeout/);
    assert.match((await fake.connections()).dropped.join(), /acknowledgement of 20\d\d\d bytes/);
  },
  'a ticket works once': async ({ fake }) => {
    const url = await ticket(fake);
    const dial = () => new Promise((resolve) => {
      const w = new WebSocket(url);
      w.addEventListener('message', (m) => resolve([JSON.parse(m.data), w]));
      w.addEventListener('error', () => resolve([null, w]));
    });
    const [hello, first] = await dial();
    assert.deepEqual([hello?.type, hello?.num_connections], ['hello', 2]);
    const [again, second] = await dial();
    first.close(1000);
    second.close();
    assert.equal(again, null);
    await eventually('one connection', async () => (await fake.connections()).open === 1);
  },
  'a close is answered, and TCP stays open': async ({ fake }) => {
    const request = http.request((await ticket(fake)).replace('ws:', 'http:'), { headers: {
      connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': Buffer.alloc(16, 7).toString('base64'),
    } });
    request.end();
    const [socket, head] = await new Promise((r) => request.on('upgrade', (_, s, h) => r([s, h])));
    const got = [head];
    let ended = false;
    socket.on('data', (d) => got.push(d));
    socket.on('close', () => { ended = true; });
    socket.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])); // close, masked with nothing, 1000
    await eventually('the answer to the close', () => Buffer.concat(got).includes(Buffer.from([0x88, 0x02, 0x03, 0xe8])), 1500);
    await new Promise((r) => setTimeout(r, 300));
    assert.equal(ended, false, 'Slack leaves TCP open');
    socket.destroy();
  },
  'envelopes are whole and go to any connection': async ({ fake }) => {
    const w = new WebSocket(await ticket(fake));
    const got = [];
    w.addEventListener('message', (m) => {
      const envelope = JSON.parse(m.data);
      got.push(envelope);
      if (envelope.envelope_id) w.send(JSON.stringify({ envelope_id: envelope.envelope_id })); // without a payload, as some clients do
    });
    await eventually('hello', () => got.length === 1);
    for (let i = 0; i < 40 && got.length < 4; i++) await fake.slash({ ...ann, text: '/deploy x' });
    for (let i = 0; i < 40 && !got.some((e) => e.type === 'events_api'); i++) await fake.type({ ...ann, text: '@maitred status' });
    w.close(1000);
    const keys = (type) => Object.keys(got.find((e) => e.type === type) ?? {}).sort().join(' ');
    assert.equal(keys('slash_commands'), 'accepts_response_payload envelope_id payload type');
    assert.equal(keys('events_api'), 'accepts_response_payload envelope_id payload retry_attempt retry_reason type');
    await eventually('one connection', async () => (await fake.connections()).open === 1);
  },
  'the eleventh connection is one too many': async ({ fake }) => {
    const sockets = [];
    let last;
    for (let i = 0; i < 10; i++) {
      const w = new WebSocket(await ticket(fake));
      sockets.push(w);
      last = await new Promise((r) => w.addEventListener('message', (m) => r(JSON.parse(m.data)), { once: true }));
    }
    for (const w of sockets) w.close(1000);
    assert.deepEqual([last.type, last.reason], ['disconnect', 'too_many_websockets']);
    await eventually('one connection', async () => (await fake.connections()).open === 1);
  },
  'a reset connection is opened anew': async ({ fake }) => {
    const before = await opened(fake);
    await fake.cut({ all: true });
    await served(fake);
    assert.ok((await opened(fake)) > before);
  },
  'a half-open connection is noticed and opened anew': async ({ fake }) => {
    const before = await opened(fake);
    await fake.halfOpen({ all: true });
    assert.match((await fake.slash({ ...ann, text: '/deploy x' })).error ?? '', /operation_timeout/);
    await eventually('a new connection', async () => (await opened(fake)) > before, 9000);
    await fake.sweep();
    await served(fake);
  },
  'a refresh is followed': async ({ fake }) => {
    const before = await opened(fake);
    await fake.refresh({ all: true });
    await eventually('a new connection', async () => (await opened(fake)) > before, 9000);
    await served(fake);
  },
};

export const overHTTP = {
  'signatures and their age are looked at': async ({ fake, bot }) => {
    const body = new URLSearchParams({ command: '/deploy', text: 'x', user_id: 'U0ANN', channel_id: 'C0DEPLOYS', team_id: fake.team, trigger_id: '1.2.3', response_url: fake.api, api_app_id: fake.appID }).toString();
    const send = (o) => fake.send({ text: bot.url, values: { body, type: 'application/x-www-form-urlencoded' }, ...o });
    assert.equal((await send({})).status, 200);
    assert.equal((await send({ name: `v0=${'0'.repeat(64)}` })).status, 401);
    assert.equal((await send({ number: -301 })).status, 401);
    assert.equal((await send({ number: -290 })).status, 200);
  },
  'the challenge is answered': async ({ fake }) => {
    assert.equal((await fake.challenge()).error, '<nil>');
  },
};
