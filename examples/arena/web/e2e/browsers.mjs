import { join } from 'node:path';
import { below } from './processes.mjs';

/** What `npm run e2e` takes. */
export const BROWSERS = ['chromium', 'firefox'];

const POLL_MS = 50;
/** Not how long anything takes, but when it is given up. */
const WAIT_MS = 60_000;
const FLIGHT_MS = 180_000;
/** Of a ship, in radians. */
const TURN_PER_SECOND = (12 / 1024) * 2 * Math.PI * 60;

/** Starts the browser named by ARENA_BROWSER; `flags` are of Chromium. */
export function launchBrowser(...flags) {
  return launch({ flags });
}

/** The same as on a phone: no pointer but fingers. */
export function launchPhone() {
  return launch({ touch: true });
}

async function launch(how) {
  const launch = process.env.ARENA_BROWSER === 'firefox' ? launchFirefox : launchChromium;
  return new Browser(await launch(how));
}

async function launchChromium({ flags = [], touch = false }) {
  const { chromium } = await import('playwright-core');
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Several pages play at once, and only one of them is in front.
      '--disable-renderer-backgrounding',
      '--disable-background-timer-throttling',
      '--disable-backgrounding-occluded-windows',
      ...flags,
    ],
  });
  return {
    close: () => browser.close(),
    // A context each: pages must not share what they remember.
    async newPage({ width, height, scale }) {
      const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: scale, hasTouch: touch, isMobile: touch });
      return context.newPage();
    },
    before: (page, script) => page.addInitScript(script),
  };
}

async function launchFirefox({ touch = false }) {
  const { default: puppeteer } = await import('puppeteer-core');
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    // Coarse, and nothing else.
    extraPrefsFirefox: touch ? { 'ui.primaryPointerCapabilities': 1, 'ui.allPointerCapabilities': 1, 'dom.w3c_touch_events.enabled': 1 } : {},
  });
  return {
    close: () => browser.close(),
    async newPage({ width, height, scale }) {
      const context = await browser.createBrowserContext();
      const page = await context.newPage();
      await page.setViewport({ width, height, deviceScaleFactor: scale });
      return page;
    },
    before: (page, script) => page.evaluateOnNewDocument(script),
  };
}

class Browser {
  #driver;

  constructor(driver) {
    this.#driver = driver;
  }

  /**
   * Opens the arena's page, or one of another kind. `before` runs in it before its own scripts. Half the pixels each way are
   * drawn: without a graphics card they are what a page costs, and two pages leave the servers and the tests no processor.
   */
  async open(url, { before, kind = ArenaPage, width = 960, height = 600, scale = 0.5 } = {}) {
    const raw = await this.#driver.newPage({ width, height, scale });
    const page = new kind(raw);
    if (before) await this.#driver.before(raw, before);
    await raw.goto(url);
    await page.ready();
    return page;
  }

  close() {
    return this.#driver.close();
  }
}

/** In the page: `seen`, or how far to turn, or nothing without a ship. */
function courseTo(name) {
  const { client } = window.arena;
  const player = [...client.members.values()].find((member) => member.name === name)?.player;
  if (client.entities.get(player)?.kind === 'Ship') return 'seen';
  const own = client.entities.mine('Ship');
  const there = client.entities.of('Leader').find((leader) => leader.player === player);
  if (!own || !there) return undefined;
  const course = Math.atan2(there.pos.y - own.pos.y, there.pos.x - own.pos.x) - own.heading;
  return { turn: course - 2 * Math.PI * Math.round(course / (2 * Math.PI)), thrustMs: 500 };
}

/** In the page: how far to turn to the nearest enemy. */
function courseToFight() {
  const { client } = window.arena;
  const own = client?.entities.mine('Ship');
  if (!own) return undefined;
  const away = ({ pos }) => Math.hypot(pos.x - own.pos.x, pos.y - own.pos.y);
  const enemies = client.entities.of('Ship').filter(({ team }) => team !== own.team);
  const [nearest] = [...enemies].sort((a, b) => away(a) - away(b));
  const target = nearest ?? { pos: { x: 0, y: 0 } };
  const course = Math.atan2(target.pos.y - own.pos.y, target.pos.x - own.pos.x) - own.heading;
  return { turn: course - 2 * Math.PI * Math.round(course / (2 * Math.PI)), thrustMs: away(target) > 250 ? 300 : 0 };
}

/** A person in front of a page. */
export class Page {
  /** The browser's own. */
  raw;
  /** What went wrong in the page and nobody caught. */
  errors = [];

  constructor(raw) {
    this.raw = raw;
    raw.on('pageerror', (error) => this.errors.push(error));
  }

  /** Until it can be used. */
  async ready() {}

  /** What it says of itself when something was waited for in vain. */
  state() {
    return this.evaluate(() => document.body.innerText);
  }

  /** Runs a function in the page. */
  evaluate(run, argument) {
    return this.raw.evaluate(run, argument);
  }

  /** Waits until a function in the page gives something true, and gives that. */
  async until(what, run, argument, waitMs = WAIT_MS) {
    const end = Date.now() + waitMs;
    for (;;) {
      const value = await this.evaluate(run, argument);
      if (value) return value;
      if (Date.now() > end) {
        const page = JSON.stringify(await this.state());
        throw new Error(`waited ${waitMs} ms for ${what}; the page: ${page}; errors: ${this.errors.join('\n')}`);
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  /**
   * Stands still for a while, as a tab that is suspended: no script runs, and what comes waits. In Chromium, by its
   * debugger: pages without a head are never hidden, and it freezes none that is not. In Firefox, whose debugger is not for
   * programs, by its processes for pages, which stand still altogether.
   */
  async suspend(ms) {
    if (process.env.ARENA_BROWSER === 'firefox') return this.#stopProcesses(ms);
    const debug = await this.raw.context().newCDPSession(this.raw);
    let isPaused = false;
    debug.once('Debugger.paused', () => (isPaused = true));
    await debug.send('Debugger.enable');
    // The browser may forget a request to pause: it is made again until the page stands still.
    while (!isPaused) {
      await debug.send('Debugger.pause');
      for (let waits = 0; !isPaused && waits < 40; waits++) await new Promise((done) => setTimeout(done, 50));
    }
    await new Promise((done) => setTimeout(done, ms));
    await debug.send('Debugger.resume');
    await debug.detach();
  }

  async #stopProcesses(ms) {
    const pids = below(this.raw.browser().process().pid, 'tab');
    if (pids.length === 0) throw new Error('Firefox has no process for pages');
    try {
      for (const pid of pids) process.kill(pid, 'SIGSTOP');
      await new Promise((done) => setTimeout(done, ms));
    } finally {
      for (const pid of pids) process.kill(pid, 'SIGCONT');
    }
  }

  /** Holds a key for a while. */
  async hold(key, ms) {
    await this.down(key);
    await new Promise((done) => setTimeout(done, ms));
    await this.up(key);
  }

  down(key) {
    return this.raw.keyboard.down(key);
  }

  up(key) {
    return this.raw.keyboard.up(key);
  }

  click(selector) {
    return this.raw.click(selector);
  }

  /** The text of an element, as seen. */
  text(id) {
    return this.evaluate((id) => document.getElementById(id).innerText, id);
  }

  /** Whether an element is shown. */
  shown(id) {
    return this.evaluate((id) => document.getElementById(id).checkVisibility(), id);
  }

  screenshot(name) {
    const path = join(process.env.SCREENSHOTS ?? '.', `${process.env.ARENA_BROWSER ?? 'chromium'}-${name}.png`);
    return this.save(path);
  }

  /** A picture of the page as it is now. */
  save(path) {
    return this.raw.screenshot({ path });
  }

  close() {
    return this.raw.close();
  }
}

/** A player in front of the arena's page. */
class ArenaPage extends Page {
  ready() {
    return this.evaluate(() => window.arena.ready);
  }

  state() {
    return this.evaluate(() => ({ state: window.arena.state, error: window.arena.error, chat: window.arena.chat() }));
  }

  /** Waits for a state of the page. */
  async untilState(state) {
    await this.until(`state "${state}"`, (state) => window.arena.state === state, state);
  }

  /** Types a name and presses Play. */
  async enter(name) {
    await this.evaluate(() => (document.getElementById('name').value = ''));
    await this.raw.type('#name', name);
    await this.raw.click('#play');
  }

  /** The same, and waits for the ship. */
  async join(name) {
    await this.enter(name);
    await this.untilState('playing');
    await this.until('an own ship', () => window.arena.entities().some((entity) => entity.kind === 'Ship' && entity.mine));
  }

  /** The own ship, or null while there is none. */
  ship() {
    return this.evaluate(() => window.arena.entities().find((entity) => entity.kind === 'Ship' && entity.mine) ?? null);
  }

  /** Flies, by keys, to where the score board's map says that a player is, until the ship is seen. */
  async flyTo(name) {
    // Firefox draws a page behind another once a second: a key held for less is not noticed.
    await this.raw.bringToFront();
    const end = Date.now() + FLIGHT_MS;
    while (Date.now() < end) {
      const way = await this.evaluate(courseTo, name);
      if (way === 'seen') return;
      await this.#fly(way);
      await new Promise((done) => setTimeout(done, 200));
    }
    throw new Error(`${name} was not found in ${FLIGHT_MS} ms`);
  }

  /** Flies a little towards the nearest enemy, or without one in sight to the middle. */
  async chase() {
    await this.raw.bringToFront();
    await this.#fly(await this.evaluate(courseToFight));
    await new Promise((done) => setTimeout(done, 100));
  }

  async #fly(way) {
    if (!way) return;
    await this.hold(way.turn > 0 ? 'ArrowLeft' : 'ArrowRight', (Math.abs(way.turn) / TURN_PER_SECOND) * 1000);
    await this.hold('ArrowUp', way.thrustMs);
  }

  /** Chats as a player does. */
  async say(text) {
    await this.raw.keyboard.press('Enter');
    await this.raw.keyboard.type(text);
    await this.raw.keyboard.press('Enter');
  }
}
