import { readdirSync, readFileSync } from 'node:fs';

/** The number of a process's parent, or nothing if it is gone. */
function parentOf(pid) {
  const stat = read(pid, 'stat');
  // The name in parentheses may have spaces.
  return stat && Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return undefined;
  }
}

/** The processes below this one whose last argument is this word. */
export function below(pid, word) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map(all.map((one) => [one, parentOf(one)]));
  const isBelow = (one) => one !== undefined && one > 1 && (parents.get(one) === pid || isBelow(parents.get(one)));
  return all.filter((one) => isBelow(one) && (read(one, 'cmdline') ?? '').split(/[\0 ]+/).filter(Boolean).at(-1) === word);
}

/** Whether a process runs; one that has ended and that nobody asked how does not. */
export function isRunning(pid) {
  const stat = read(pid, 'stat');
  return stat !== undefined && !/\) [ZX] /.test(stat);
}
