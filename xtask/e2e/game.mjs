// A generated game for the tests: its server and its development server.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Not how long anything takes, but when it is given up. */
const START_MS = 300_000;
const running = new Set();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Starts a program and waits until what it prints fits `sign`. Gives the match, the log, and what stops it. */
async function start(program, args, options, sign) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  running.add(child);
  const started = { log: '', stop: () => stop(child) };
  const match = new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new Error(`${program} did not start:\n${started.log}`)), START_MS);
    const read = (bytes) => {
      started.log += String(bytes).replace(/\x1b\[[0-9;]*m/g, '');
      const found = sign.exec(started.log);
      if (found) done(found);
      if (found) clearTimeout(timer);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => failed(new Error(`${program} ended with ${code}:\n${started.log}`)));
  });
  started.match = await match;
  return started;
}

async function stop(child) {
  running.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await once(child, 'exit');
  clearTimeout(timer);
}

/** The game server in a folder, by default on a free port of this machine. */
export async function startGame(program, folder, { listen = '127.0.0.1:0', flags = [] } = {}) {
  const args = ['--listen', listen, '--certs-dir', join(folder, '.tickwire/certs'), ...flags];
  const server = await start(program, args, { cwd: folder }, /http=(http:\S+)/);
  return Object.assign(server, { url: server.match[1] });
}

/** Vite's development server of a page, for the game server at `url`, by the Vite that the folder `by` has. */
export async function startVite(page, url, by = page) {
  const port = await freePort();
  const args = [join(by, 'node_modules/vite/bin/vite.js'), '--host', '127.0.0.1', '--port', String(port), '--strictPort'];
  const vite = await start(process.execPath, args, { cwd: page, env: { ...process.env, TICKWIRE_SERVER: url } }, /Local:\s+(http:\S+)/);
  return Object.assign(vite, { url: vite.match[1] });
}

async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}
