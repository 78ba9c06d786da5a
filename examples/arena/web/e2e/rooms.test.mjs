// The rooms example: a chat by topics, on a server without a game whose program checks what each account asks for.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { launchBrowser, Page } from './browsers.mjs';
import { startNetwork } from './network.mjs';
import { startRooms } from './server.mjs';

/** Time that a connection is away: longer than the server waits for a silent one. */
const AWAY_MS = 6000;
const FLAGS = ['--idle-ms', '2000', '--keep-alive-ms', '500'];

let browser;
let server;
let network;
let pages = [];

before(async () => {
  browser = await launchBrowser();
  server = await startRooms(...FLAGS);
});

afterEach(async () => {
  await Promise.all(pages.map((page) => page.close()));
  pages = [];
  network?.stop();
  network = undefined;
});

after(async () => {
  await browser?.close();
  await server?.stop();
  server?.clean();
});

/** Each name has the same key in all tests. */
function keyOf(name) {
  return Buffer.from(name.padEnd(32, '.')).toString('hex');
}

/** The page of a person who has been here before, in a browser of its own. */
async function open(name, { url = server.url, hash = '', query = '', width = 1280, height = 800 } = {}) {
  const account = JSON.stringify(JSON.stringify({ name, key: keyOf(name) }));
  const before = `localStorage.setItem('tickwire rooms account', ${account})`;
  const page = await browser.open(`${url}${query}${hash}`, { kind: Page, before, width, height, scale: 1 });
  pages.push(page);
  await live(page);
  return page;
}

function live(page) {
  return page.until('a live chat', () => document.body.dataset.state === 'live' && window.rooms.model.people.has(window.rooms.model.me));
}

/** Makes it the page that its person looks at. */
function front(page) {
  return page.raw.bringToFront();
}

async function say(page, text) {
  await front(page);
  await page.raw.type('#text', text);
  await page.raw.keyboard.press('Enter');
}

/** Waits until a page shows a text as a message of somebody else or its own that is published. */
function sees(page, text) {
  return page.until(`the message ${text}`, (text) => [...document.querySelectorAll('.post[data-id] .text')].some((it) => it.textContent === text), text);
}

/** The texts that a page shows, in order. */
function texts(page) {
  return page.evaluate(() => [...document.querySelectorAll('.post .text')].map((it) => it.textContent));
}

/** Opens a place by its line in the list. */
async function go(page, topic) {
  await front(page);
  await page.until(`the line of ${topic}`, (topic) => document.querySelector(`#side [data-topic="${topic}"]`) !== null, topic);
  await page.evaluate((topic) => document.querySelector(`#side [data-topic="${topic}"]`).click(), topic);
}

function badge(page, topic) {
  return page.evaluate((topic) => document.querySelector(`#side [data-topic="${topic}"] .badge:not([hidden])`)?.textContent ?? '', topic);
}

function hasBadge(page, topic, text) {
  const found = ([topic, text]) => (document.querySelector(`#side [data-topic="${topic}"] .badge:not([hidden])`)?.textContent ?? '') === text;
  return page.until(`the badge ${text} at ${topic}`, found, [topic, text]);
}

function presence(page, account, state) {
  return page.until(`${account} ${state}`, ([account, state]) => {
    const { me } = window.rooms.model;
    const topic = `dm/${[me, account].sort().join('/')}`;
    return document.querySelector(`#side [data-topic="${topic}"] .dot`)?.dataset.presence === state;
  }, [account, state]);
}

/** A request by HTTP, as a program of that account sends it. */
async function ask(name, request) {
  const headers = { authorization: `Bearer ${name}~${keyOf(name)}` };
  const answer = await fetch(`${server.url}topics/say/${name.toLowerCase()}`, { method: 'POST', headers, body: JSON.stringify(request) });
  assert.equal(answer.status, 200, await answer.text());
}

test('a name is chosen once, and is of that browser', async () => {
  const enter = async (name) => {
    const page = await browser.open(server.url, { kind: Page, width: 1280, height: 800, scale: 1 });
    pages.push(page);
    await page.until('the form', () => document.getElementById('welcome').checkVisibility());
    await page.raw.type('#name', name);
    await Promise.all([page.raw.waitForNavigation(), page.raw.keyboard.press('Enter')]);
    return page;
  };
  const first = await enter('Zoe');
  await live(first);
  assert.equal(await first.text('me'), 'Zoe');
  const second = await enter('zoe');
  await second.until('the refusal', () => document.getElementById('sign-in-error').textContent.includes('taken'));
  await first.raw.reload();
  await live(first);
  assert.deepEqual([...first.errors, ...second.errors], []);
});

test('two people chat, see each other type, and see who is here', async () => {
  const [ann, bob] = [await open('Ann'), await open('Bob')];
  await presence(ann, 'bob', 'online');
  await front(bob);
  await bob.raw.type('#text', 'hel');
  await ann.until('Bob typing', () => document.getElementById('typing').textContent === 'Bob is typing …');
  await bob.raw.type('#text', 'lo <img src=x onerror=alert(1)> https://a.example/x.');
  await bob.down('Shift');
  await bob.raw.keyboard.press('Enter');
  await bob.up('Shift');
  await bob.raw.type('#text', 'second line');
  await bob.raw.keyboard.press('Enter');
  const text = 'hello <img src=x onerror=alert(1)> https://a.example/x.\nsecond line';
  await sees(ann, text);
  await sees(bob, text);
  await ann.until('the end of typing', () => document.getElementById('typing').textContent === '');
  const link = await ann.evaluate(() => [...document.querySelectorAll('#rows a, #rows img')].map((it) => [it.tagName, it.href, it.rel]));
  assert.deepEqual(link, [['A', 'https://a.example/x', 'noopener noreferrer nofollow']]);
  assert.deepEqual(await bob.evaluate(() => [...document.querySelectorAll('.post.own')].length), 1);
  assert.deepEqual(await ann.evaluate(() => [...document.querySelectorAll('.post.own, .sending')].length), 0);
  await front(bob);
  await bob.evaluate(() => {
    const select = document.getElementById('presence');
    select.value = 'away';
    select.dispatchEvent(new Event('change'));
  });
  await presence(ann, 'bob', 'away');
  pages.splice(pages.indexOf(bob), 1);
  await bob.close();
  await presence(ann, 'bob', 'offline');
  assert.deepEqual(ann.errors, []);
});

test('who does nothing is idle, until a key', async () => {
  const [ann, bob] = [await open('Ann'), await open('Bob', { query: '?idle-ms=4000' })];
  await presence(ann, 'bob', 'idle');
  await front(bob);
  await bob.raw.keyboard.press('Shift');
  await presence(ann, 'bob', 'online');
});

test('300 messages come in pages, and the place is kept', async () => {
  const ann = await open('Ann');
  await ann.evaluate(() => window.rooms.session.create('long'));
  for (let id = 0; id < 300; id++) await ask(`P${id % 15}`, { request: `long${id}`, do: 'post', place: 'channel/long', text: `number ${id}` });
  await go(ann, 'channel/long');
  await ann.until('the last one', () => window.rooms.model.place('channel/long').lastId === 300);
  const bob = await open('Bob', { hash: '#channel/long' });
  await sees(bob, 'number 299');
  assert.ok((await texts(bob)).length <= 100, 'a page or two');
  let steps = 0;
  while (await bob.evaluate(() => window.rooms.model.place('channel/long').hasOlder)) {
    assert.ok(steps++ < 20, 'pages end');
    const before = await bob.evaluate(async () => {
      const scroll = document.getElementById('scroll');
      scroll.scrollTop = 200;
      await new Promise((done) => setTimeout(done, 100));
      const edge = scroll.getBoundingClientRect().top;
      const row = [...document.querySelectorAll('.post')].find((it) => it.getBoundingClientRect().bottom > edge);
      window.row = row;
      return { count: window.rooms.model.place('channel/long').posts.length, top: row.getBoundingClientRect().top };
    });
    await bob.until('an older page', (count) => {
      const { posts, hasOlder } = window.rooms.model.place('channel/long');
      return posts.length > count || !hasOlder;
    }, before.count - 1);
    await new Promise((done) => setTimeout(done, 200));
    const top = await bob.evaluate(() => window.row.getBoundingClientRect().top);
    assert.ok(Math.abs(top - before.top) < 3, `a row at ${before.top} is at ${top}`);
  }
  assert.deepEqual(await texts(bob), Array.from({ length: 300 }, (_, id) => `number ${id}`));
  // A new message leaves who reads above there, and says so.
  await ask('P1', { request: 'late', do: 'post', place: 'channel/long', text: 'late' });
  await bob.until('the button', () => document.getElementById('newest').checkVisibility());
  await sees(bob, 'late');
  assert.ok(await bob.evaluate(() => document.getElementById('scroll').scrollTop) < 1000);
  await front(bob);
  await bob.click('#newest');
  await bob.until('the end', () => !document.getElementById('newest').checkVisibility());
  assert.deepEqual(bob.errors, []);
});

test('a mention and a direct message are told; nobody else can read what two say', async () => {
  const [ann, bob, cid] = [await open('Ann'), await open('Bob', { hash: '#channel/random' }), await open('Cid')];
  await say(ann, 'hey @bob look');
  await bob.until('the toast', () => document.querySelector('.toast')?.textContent.includes('Ann in #general'));
  await hasBadge(bob, 'channel/general', '@1');
  assert.match(await bob.raw.title(), /^\(1\) /);
  await front(bob);
  await bob.click('.toast button');
  await bob.until('the mention', () => document.querySelector('.mentions-me .mention.me')?.textContent === '@bob');
  await hasBadge(bob, 'channel/general', '');
  await go(ann, 'dm/ann/bob');
  await say(ann, 'between us');
  await hasBadge(bob, 'dm/ann/bob', '1');
  await go(bob, 'dm/ann/bob');
  await sees(bob, 'between us');
  await say(bob, 'yes');
  await sees(ann, 'yes');
  for (const topic of ['dm/ann/bob', 'account/bob', 'say/ann', 'accounts']) {
    const code = await cid.evaluate(async (topic) => {
      const subscription = window.rooms.session.client.topics.subscribe(topic);
      return subscription.ready.then(() => 'read', (error) => error.code);
    }, topic);
    assert.equal(code, 'TopicForbidden', topic);
  }
  const forged = await cid.evaluate(() => window.rooms.session.client.topics.publish('channel/general', '{}').then(() => 'written', (error) => error.code));
  assert.equal(forged, 'TopicForbidden');
  const history = await fetch(`${server.url}topics/dm/ann/bob`, { headers: { authorization: `Bearer Cid~${keyOf('Cid')}` } });
  assert.equal(history.status, 403);
  assert.equal(await cid.evaluate(() => window.rooms.model.places.has('dm/ann/bob')), false);
});

test('a moderator removes a message and mutes a person', async () => {
  const [ann, bob] = [await open('Ann', { hash: '#channel/help' }), await open('Bob', { hash: '#channel/help' })];
  await say(bob, 'spam');
  await sees(ann, 'spam');
  const choose = async (text) => {
    await front(ann);
    await ann.evaluate((text) => {
      document.querySelector('.post[data-id] .more').click();
      [...document.querySelectorAll('#menu button')].find((it) => it.textContent.includes(text)).click();
    }, text);
  };
  await choose('Mute Bob for 5 minutes');
  await bob.until('the word', () => document.querySelector('.toast')?.textContent.includes('muted'));
  await choose('Remove');
  for (const page of [ann, bob]) await page.until('the removal', () => document.querySelector('.removed .text')?.textContent === 'removed by a moderator');
  await say(bob, 'more spam');
  await bob.until('the refusal', () => document.querySelector('.refused .state')?.textContent.includes('you are muted for 5 more min'));
  assert.equal((await texts(ann)).includes('more spam'), false);
  await ann.evaluate(() => window.rooms.session.mute('bob', 0));
  await front(bob);
  await bob.click('.refused .state button');
  await sees(ann, 'more spam');
  assert.equal(await bob.evaluate(() => document.querySelectorAll('.refused').length), 0);
  // Who is none may not.
  const refused = await bob.evaluate(() => window.rooms.session.mute('cid', 5).then(() => 'done', (error) => error.message));
  assert.match(refused, /for moderators/);
});

test('what is read stays read over a reload and on another page', async () => {
  const [ann, bob] = [await open('Ann', { hash: '#channel/random' }), await open('Bob', { hash: '#channel/help' })];
  await go(bob, 'channel/random');
  await hasBadge(bob, 'channel/random', '');
  await go(bob, 'channel/help');
  await say(ann, 'one');
  await say(ann, 'two');
  await hasBadge(bob, 'channel/random', '2');
  await bob.raw.reload();
  await live(bob);
  assert.equal(new URL(bob.raw.url()).hash, '#channel/help');
  await hasBadge(bob, 'channel/random', '2');
  const tab = await open('Bob', { hash: '#channel/help' });
  await hasBadge(tab, 'channel/random', '2');
  await go(bob, 'channel/random');
  await bob.until('the line', () => document.querySelector('.new')?.nextElementSibling?.querySelector('.text')?.textContent === 'one');
  await hasBadge(bob, 'channel/random', '');
  await hasBadge(tab, 'channel/random', '');
  await bob.raw.reload();
  await live(bob);
  await sees(bob, 'two');
  assert.equal(await badge(bob, 'channel/random'), '');
});

test('keys switch the channel', async () => {
  const ann = await open('Ann');
  await front(ann);
  await ann.down('Control');
  await ann.raw.keyboard.press('k');
  await ann.up('Control');
  await ann.raw.type('#finder-text', 'rand');
  await ann.raw.keyboard.press('Enter');
  await ann.until('#random', () => document.getElementById('title').textContent === '# random');
  await ann.down('Alt');
  await ann.raw.keyboard.press('ArrowUp');
  await ann.up('Alt');
  await ann.until('another one', () => document.getElementById('title').textContent !== '# random');
  assert.equal(await ann.evaluate(() => document.activeElement.id), 'text');
});

for (const transport of ['webtransport', 'websocket']) {
  test(`a lost connection leaves no gap, and nothing twice, over ${transport}`, async () => {
    network = await startNetwork(server);
    const query = `?transport=${transport}`;
    const ann = await open('Ann', { hash: '#channel/random' });
    const bob = await open('Bob', { hash: '#channel/random', query, url: `http://127.0.0.1:${network.port}/` });
    const mine = (text) => `${text} over ${transport}`;
    await say(ann, mine('before'));
    await sees(bob, mine('before'));
    network.cut();
    await say(bob, mine('from the tunnel'));
    await say(ann, mine('meanwhile'));
    await bob.until('the banner', () => document.getElementById('banner').checkVisibility());
    assert.equal(await bob.evaluate(() => document.querySelector('.sending .text').textContent), mine('from the tunnel'));
    await new Promise((done) => setTimeout(done, AWAY_MS));
    network.mend();
    await live(bob);
    for (const page of [ann, bob]) {
      await sees(page, mine('from the tunnel'));
      await sees(page, mine('meanwhile'));
      const shown = (await texts(page)).filter((it) => it.endsWith(transport));
      assert.deepEqual(shown.sort(), ['before', 'from the tunnel', 'meanwhile'].map(mine));
    }
    assert.equal(await bob.evaluate(() => document.querySelectorAll('.sending, .refused').length), 0);
  });
}

test('a server that was killed and started again has everything, and what was written meanwhile once', async () => {
  const [ann, bob] = [await open('Ann'), await open('Bob')];
  await say(ann, 'before the kill');
  await sees(bob, 'before the kill');
  await new Promise((done) => setTimeout(done, 500));
  const before = await texts(bob);
  await server.stop('SIGKILL');
  await bob.until('the banner', () => document.getElementById('banner').checkVisibility());
  await say(bob, 'while it was down');
  await server.start();
  for (const page of [ann, bob]) {
    await live(page);
    await sees(page, 'while it was down');
    assert.deepEqual(await texts(page), [...before, 'while it was down']);
  }
  const late = await open('Cid');
  await sees(late, 'while it was down');
  assert.deepEqual(await texts(late), [...before, 'while it was down']);
  await hasBadge(bob, 'channel/general', '');
});

test('the page fits a phone, with a drawer', async () => {
  const page = await open('Bob', { width: 390, height: 844 });
  await page.until('messages', () => document.querySelectorAll('.post').length > 1);
  await page.screenshot('rooms-phone');
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok((await wide()) <= 390, `${await wide()} pixels wide`);
  assert.equal(await page.shown('side'), true);
  assert.equal(await page.evaluate(() => document.getElementById('side').checkVisibility({ visibilityProperty: true })), false);
  await page.click('#open-side');
  await page.until('the drawer', () => document.getElementById('side').getBoundingClientRect().left === 0);
  await page.screenshot('rooms-phone-drawer');
  await page.click('#side [data-topic="channel/help"]');
  await page.until('#help', () => document.getElementById('title').textContent === '# help' && document.getElementById('side').getBoundingClientRect().right <= 0);
  assert.deepEqual(page.errors, []);
});
