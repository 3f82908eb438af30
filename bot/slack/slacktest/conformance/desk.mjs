// Starts fake Slacks and plays people in them.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

let address;
let child;

export async function openDesk(binary) {
  child = spawn(binary, [], { stdio: ['ignore', 'pipe', 'inherit'] });
  address = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', () => reject(new Error('the fake did not start')));
  });
}

export const closeDesk = () => child?.kill();

export async function order(o) {
  const r = await fetch(`http://${address}/`, { method: 'POST', body: JSON.stringify(o) });
  const text = await r.text();
  if (!r.ok) throw new Error(`${o.do}: ${text.trim()}`);
  return JSON.parse(text);
}

// A fake: fake.slash({person, channel, text}) and so on.
export async function startFake(wrong = []) {
  const about = await order({ do: 'new', wrong });
  return new Proxy(about, {
    get: (it, name) => (name === 'then' ? undefined : name in it ? it[name] : (o = {}) => order({ ...o, fake: it.fake, do: name })),
  });
}

export async function eventually(what, ok, within = 4000) {
  const end = Date.now() + within;
  for (;;) {
    const got = await ok();
    if (got) return got;
    if (Date.now() > end) throw new Error(`never happened: ${what}`);
    await new Promise((r) => setTimeout(r, 15));
  }
}
