// An app written with the official Bolt, which hears everything and answers what
// the check asks for.
import bolt from '@slack/bolt';
import { order } from './desk.mjs';

const { App, HTTPReceiver, SocketModeReceiver, LogLevel } = bolt;

export async function startBolt(fake, mode) {
  const heard = [];
  const plan = {}; // what the next handlers do, by kind
  const receiver = mode === 'socket'
    ? new SocketModeReceiver({ appToken: fake.app, clientPingTimeout: 1500, serverPingTimeout: 1500, logLevel: LogLevel.ERROR, logger: quiet, installerOptions: { clientOptions: { slackApiUrl: fake.api } } })
    : new HTTPReceiver({ signingSecret: fake.secret, logLevel: LogLevel.ERROR, logger: quiet });
  const app = new App({
    token: fake.bot,
    receiver,
    logLevel: LogLevel.ERROR,
    logger: quiet,
    clientOptions: { slackApiUrl: fake.api, retryConfig: { retries: 2, minTimeout: 50, maxTimeout: 100 } },
  });
  app.error(async (e) => heard.push({ kind: 'error', error: e }));

  const handler = (kind) => async (args) => {
    const { client, logger, next, ...facts } = args;
    heard.push({ kind, ...facts, client });
    const act = plan[kind];
    if (act) return act({ ...args, client });
    if (args.ack) await args.ack();
  };
  app.command(/.*/, handler('slash'));
  app.action(/.*/, handler('click'));
  app.view(/.*/, handler('submit'));
  app.options(/.*/, handler('options'));
  app.event('app_mention', handler('mention'));
  app.event('message', handler('message'));
  app.event('app_home_opened', handler('home'));

  const started = await Promise.race([
    app.start(mode === 'http' ? 0 : undefined).then((s) => s ?? true),
    new Promise((resolve) => setTimeout(() => resolve(null), 2500)),
  ]);
  if (!started) {
    const dead = async () => app.stop().catch(() => {});
    dead();
    throw new Error('Bolt does not report itself started');
  }
  let url;
  if (mode === 'http') {
    url = `http://127.0.0.1:${started.address().port}/slack/events`;
    await order({ fake: fake.fake, do: 'deliverTo', text: url });
  }
  return {
    app,
    heard,
    plan,
    url,
    client: app.client,
    last: (kind) => heard.filter((h) => h.kind === kind).at(-1),
    count: (kind) => heard.filter((h) => h.kind === kind).length,
    stop: () => Promise.race([app.stop().then(() => true), new Promise((r) => setTimeout(() => r(false), 1500))]),
  };
}

const quiet = { debug() {}, info() {}, warn() {}, error() {}, setLevel() {}, getLevel: () => LogLevel.ERROR, setName() {} };
