import { expect, test } from 'vitest';
import { ChatModel, rowsOf } from '../src/model';
import { presenceOf, typingText } from '../src/presence';
import { foundBy, itemsOf } from '../src/side';
import { partsOf } from '../src/text';

const TOPIC = 'channel/general';
const DAY_MS = 86_400_000;
const NOON = new Date(2026, 10, 30, 12).getTime();

function post(id: number, by: string, more: object = {}, timeMs = NOON + id * 1000) {
  const value = { type: 'post', id, by, name: by, text: `text ${id}`, mentions: [], request: `${by}${id}`, ...more };
  return { topic: TOPIC, sequence: id, timeMs, value };
}

test('posts are in order and none is there twice, whatever way they come', () => {
  const model = new ChatModel('ann');
  for (const id of [5, 6, 7, 6]) model.take(post(id, 'bob'));
  model.takePage(TOPIC, [3, 4, 5].map((id) => post(id, 'bob')), true);
  const place = model.place(TOPIC);
  expect(place.posts.map(({ id }) => id)).toEqual([3, 4, 5, 6, 7]);
  expect([place.oldest, place.hasOlder, place.lastId]).toEqual([3, true, 7]);
});

test('what is no message changes nothing', () => {
  const model = new ChatModel('ann');
  for (const value of [null, 3, 'x', [], {}, { type: 'post' }, { type: 'post', id: -1 }, { type: 'post', id: '1' }]) {
    expect(model.take({ topic: TOPIC, sequence: 1, timeMs: 0, value })).toBeUndefined();
  }
  expect(model.place(TOPIC).posts).toEqual([]);
});

test('unread posts and mentions are those after the mark that are not removed', () => {
  const model = new ChatModel('ann');
  for (let id = 1; id <= 6; id++) model.take(post(id, 'bob', { mentions: id % 2 ? ['ann'] : [] }));
  const place = model.place(TOPIC);
  expect([place.unread, place.unreadMentions, model.attention]).toEqual([6, 3, 3]);
  model.takeMark(TOPIC, 2);
  expect([place.unread, place.unreadMentions]).toEqual([4, 2]);
  model.take({ topic: TOPIC, sequence: 7, timeMs: NOON, value: { type: 'removed', id: 5, by: 'mod', last: 6 } });
  expect([place.unread, place.unreadMentions]).toEqual([3, 1]);
  model.takeMark(TOPIC, 1);
  expect(place.mark).toBe(2);
  model.takeMention(TOPIC, 6);
  expect(place.unreadMentions).toBe(2);
  model.takeMark(TOPIC, 6);
  expect([place.unread, place.unreadMentions]).toEqual([0, 0]);
});

test('a post of one’s own is pending until it is there, or refused', () => {
  const model = new ChatModel('ann');
  const place = model.place(TOPIC);
  for (const request of ['ann1', 'x']) place.pending.push({ request, text: 'hi', timeMs: NOON });
  model.refuse('x', 'you are muted');
  model.take(post(1, 'ann'));
  expect(place.pending).toEqual([{ request: 'x', text: 'hi', timeMs: NOON, refused: 'you are muted' }]);
});

test('rows have a line for each day, one before what is new, and groups of one author', () => {
  const model = new ChatModel('ann');
  model.take(post(1, 'bob'));
  model.take(post(2, 'bob'));
  model.take(post(3, 'bob', {}, NOON + DAY_MS));
  model.take(post(4, 'ann', {}, NOON + DAY_MS + 1));
  model.take(post(5, 'bob', {}, NOON + DAY_MS + 2));
  model.take(post(6, 'bob', {}, NOON + DAY_MS + 3));
  model.take(post(7, 'bob', {}, NOON + DAY_MS + 10 * 60_000));
  const place = model.place(TOPIC);
  place.pending.push({ request: 'p', text: 'hi', timeMs: NOON + DAY_MS + 11 * 60_000 });
  const words = rowsOf(place, 'ann', 3).map((row) => {
    if (row.kind === 'day' || row.kind === 'new') return row.kind;
    const name = row.kind === 'post' ? `${row.post.by}${row.post.id}` : 'pending';
    return row.isFirst ? `(${name}` : name;
  });
  expect(words).toEqual(['day', '(bob1', 'bob2', 'day', '(bob3', '(ann4', 'new', '(bob5', 'bob6', '(bob7', '(pending']);
  expect(rowsOf(place, 'ann', undefined).some(({ kind }) => kind === 'new')).toBe(false);
});

test('a text has links, mentions of people, and nothing else', () => {
  const isPerson = (account: string) => account === 'ann';
  const parts = partsOf('Hi @Ann, @bob: see https://a.example/x?y=1. (http://b.example) javascript:alert(1) x@ann <b>', isPerson);
  expect(parts).toEqual([
    { kind: 'text', text: 'Hi ' },
    { kind: 'mention', text: '@Ann', account: 'ann' },
    { kind: 'text', text: ', @bob: see ' },
    { kind: 'link', text: 'https://a.example/x?y=1' },
    { kind: 'text', text: '. (' },
    { kind: 'link', text: 'http://b.example' },
    { kind: 'text', text: ') javascript:alert(1) x@ann <b>' },
  ]);
  expect(partsOf('', isPerson)).toEqual([]);
});

test('a person is as present as the best of the pages', () => {
  const page = (text: string, isLost = false) => ({ text, isLost });
  expect(presenceOf([])).toBe('offline');
  expect(presenceOf([page('idle'), page('online'), page('away')])).toBe('online');
  expect(presenceOf([page('online', true), page('idle')])).toBe('idle');
  expect(presenceOf([page('online', true)])).toBe('away');
  expect(presenceOf([page('what nobody knows')])).toBe('away');
});

test('who types is said in words', () => {
  expect([[], ['Ann'], ['Ann', 'Bob'], ['Ann', 'Bob', 'Cid']].map(typingText)).toEqual(['', 'Ann is typing …', 'Ann and Bob are typing …', 'several people are typing …']);
});

test('people with messages come first, then those who are here; a few letters find them', () => {
  const model = new ChatModel('ann');
  for (const name of ['Ann', 'Bob', 'Cid', 'Dan']) model.takePerson(name.toLowerCase(), { name });
  model.take({ ...post(1, 'dan'), topic: 'dm/ann/dan' });
  model.take(post(1, 'bob'));
  const { channels, people } = itemsOf(model, (account) => (account === 'cid' ? 'online' : 'offline'));
  expect(channels.map(({ title }) => title)).toEqual(['general']);
  expect(people.map(({ title }) => title)).toEqual(['Dan', 'Cid', 'Bob']);
  expect(foundBy([...channels, ...people], ' #n').map(({ title }) => title)).toEqual(['general', 'Dan']);
  expect([model.titleOf('dm/ann/dan'), model.otherOf('dm/ann/dan'), model.directTopic('bob'), model.directTopic('aaa')]).toEqual(['Dan', 'dan', 'dm/ann/bob', 'dm/aaa/ann']);
});
