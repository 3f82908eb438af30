// The fake Slack against @slack/bolt, in Socket Mode and over HTTP; then the fake
// with one deliberate mistake at a time, each of which must be noticed.
//
//   node run.mjs FAKE_BINARY [mistakes|no-mistakes]
import process from 'node:process';
import { closeDesk, openDesk, order, startFake } from './desk.mjs';
import { startBolt } from './bolt.mjs';
import { hearing } from './hearing.mjs';
import { speaking } from './speaking.mjs';
import { overHTTP, overSocket } from './carrying.mjs';
import * as oracle from './oracle.mjs';

const [binary, what = 'all'] = process.argv.slice(2);
const suites = { socket: { ...hearing, ...speaking, ...overSocket }, http: { ...hearing, ...speaking, ...overHTTP } };
process.on('unhandledRejection', () => {}); // what Bolt does in the background is judged by what people see

// play runs every check of a mode; with `first` it stops at the first that fails.
async function play(mode, wrong, first) {
  const failed = [];
  let done = 0;
  const fake = await startFake(wrong);
  let bot;
  const attempt = async (name, f) => {
    try {
      await f();
      done++;
    } catch (e) {
      failed.push({ name, why: String(e.message ?? e).split('\n').slice(0, 12).join(' ') });
    }
    return !(first && failed.length);
  };
  const started = Date.now();
  const checks = Object.entries(suites[mode]);
  if (await attempt('Bolt starts', async () => { bot = await startBolt(fake, mode); })) {
    for (const [name, check] of bot ? checks : []) {
      for (const k of Object.keys(bot.plan)) delete bot.plan[k];
      if (!(await attempt(name, () => check({ fake, bot, mode, started })))) break;
    }
  }
  if (bot && !(first && failed.length)) {
    await attempt('every answer is like one of Slack', async () => oracle.checkCalls(await fake.calls()));
    await attempt('Bolt stops politely', async () => { if (!(await bot.stop())) throw new Error('it hangs'); });
  } else {
    bot?.stop();
  }
  await fake.close();
  return { done, failed };
}

async function faithful() {
  let bad = 0;
  for (const mode of Object.keys(suites)) {
    const { done, failed } = await play(mode, [], false);
    console.log(`${failed.length ? 'FAIL' : 'ok  '} @slack/bolt over ${mode}: ${done} checks passed, ${failed.length} failed`);
    for (const f of failed) console.log(`       ${f.name}: ${f.why}`);
    bad += failed.length;
  }
  console.log(`     ${oracle.checked} payloads and answers looked at${oracle.haveSamples ? ', each key against the published samples' : ''}`);
  return bad;
}

const onlySamples = ['a key that Slack does not send', 'a key that Slack does not answer'];
const onlySocket = new Set(['no hello', 'no ping', 'no pong', 'no answer to a close', 'TCP ends with the close', 'tickets work twice', 'no envelope_id', 'no accepts_response_payload', 'acks of any size']);
const onlyHTTP = new Set(['wrong signature base']);

async function mutations() {
  const list = await order({ do: 'mistakes' });
  const rows = [];
  const work = [...list];
  const worker = async () => {
    for (let wrong; (wrong = work.shift()); ) {
      const modes = onlySocket.has(wrong) ? ['socket'] : onlyHTTP.has(wrong) ? ['http'] : ['http', 'socket'];
      let by;
      for (const mode of modes) {
        const { failed } = await play(mode, [wrong], true);
        if (failed.length) { by = `${mode}: ${failed[0].name}`; break; }
      }
      rows.push({ wrong, by });
    }
  };
  await Promise.all([worker(), worker(), worker()]);
  let missed = 0;
  console.log('\nDeliberate mistakes of the fake, and the first check that notices:');
  for (const wrong of list) {
    const { by } = rows.find((r) => r.wrong === wrong);
    const excused = !by && !oracle.haveSamples && onlySamples.includes(wrong);
    if (!by && !excused) missed++;
    console.log(`  ${(by ? 'caught' : excused ? 'left out' : 'MISSED').padEnd(9)} ${wrong.padEnd(42)} ${by ?? (excused ? 'only the samples show it: set MAITRED_ORACLES' : '')}`);
  }
  console.log(`  ${rows.filter((r) => r.by).length} of ${list.length} caught`);
  return missed;
}

await openDesk(binary);
if (!oracle.haveSamples) console.log('!! MAITRED_ORACLES is not set or has no slack-samples: keys are NOT compared with what Slack publishes.');
let bad = 0;
if (what !== 'mistakes') bad += await faithful();
if (what !== 'no-mistakes') bad += await mutations();
closeDesk();
process.exit(bad ? 1 : 0);
