// The controls of a shown replay. The game's page in the frame watches the room as any other.

const LOOK_MS = 200;
const byId = (id) => document.getElementById(id);
const [game, trouble, pause, seek, time, speed] = ['game', 'trouble', 'pause', 'seek', 'time', 'speed'].map(byId);
let state;
/** The range is being dragged: what the server says of its tick waits. */
let isDragged = false;

/** Requests, one after another: each change is made to what the one before came to. */
let last = Promise.resolve();
const ask = (request) => (last = last.then(() => take(request)));

async function look() {
  await ask(() => fetch('/replay/state'));
  setTimeout(look, LOOK_MS);
}

/** Asks for the change that `change` gives once all before it are made. */
const wish = (change) =>
  ask(() => {
    const body = JSON.stringify(change());
    return fetch('/replay/state', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  });

async function take(request) {
  try {
    const response = await request();
    if (!response.ok) throw new Error((await response.text()) || `the server answers ${response.status}`);
    show(await response.json());
  } catch (error) {
    say(error instanceof TypeError ? 'the server of this replay is gone; start it again' : error.message);
  }
}

function show(next) {
  if (!state) {
    game.src = `/?watch=${encodeURIComponent(next.room)}`;
    document.title = `Replay of ${next.room}`;
  }
  state = next;
  seek.min = state.firstTick;
  seek.max = state.lastTick;
  if (!isDragged) seek.value = state.tick;
  showTime();
  pause.textContent = state.paused ? 'Play' : 'Pause';
  if (document.activeElement !== speed) speed.value = String(state.speed);
  say(state.failure ?? '');
}

function showTime() {
  const tick = Number(seek.value);
  time.textContent = `${clock(tick)} / ${clock(state.lastTick)} · tick ${tick}`;
}

function clock(tick) {
  const seconds = Math.floor(tick / state.tickHz);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

function say(text) {
  trouble.textContent = text;
  trouble.hidden = !text;
}

function step(ticks) {
  void wish(() => ({ paused: true, tick: Math.max(0, state.tick + ticks) }));
}

pause.addEventListener('click', () => wish(() => ({ paused: !state.paused })));
speed.addEventListener('change', () => wish(() => ({ speed: Number(speed.value) })));
byId('back').addEventListener('click', () => step(-1));
byId('on').addEventListener('click', () => step(1));
seek.addEventListener('input', () => {
  isDragged = true;
  showTime();
});
seek.addEventListener('change', () => {
  const tick = Number(seek.value);
  void wish(() => ({ tick })).then(() => (isDragged = false));
});
addEventListener('keydown', (event) => {
  if (event.target !== document.body) return;
  if (event.key === ' ') void wish(() => ({ paused: !state.paused }));
  else if (event.key === ',') step(-1);
  else if (event.key === '.') step(1);
});
void look();
