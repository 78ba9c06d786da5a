import { expect, test, vi } from 'vitest';
import { Emitter } from '../src/emitter.js';

interface Events {
  count: number;
}

test('listeners are called in the order they were added, and no more once removed', () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  const off = emitter.on('count', (n) => heard.push(`a${n}`));
  emitter.on('count', (n) => heard.push(`b${n}`));
  emitter.emit('count', 1);
  off();
  emitter.emit('count', 2);
  expect(heard).toEqual(['a1', 'b1', 'b2']);
});

test('a listener that removes itself while it is called does not keep the next from being called', () => {
  const emitter = new Emitter<Events>();
  const heard: string[] = [];
  emitter.once('count', (n) => heard.push(`once${n}`));
  emitter.on('count', (n) => heard.push(`on${n}`));
  emitter.emit('count', 1);
  emitter.emit('count', 2);
  expect(heard).toEqual(['once1', 'on1', 'on2']);
});

test('a listener that throws is reported and the next is called all the same', () => {
  const report = vi.fn();
  vi.stubGlobal('reportError', report);
  const emitter = new Emitter<Events>();
  const heard: number[] = [];
  emitter.on('count', () => {
    throw new Error('listener');
  });
  emitter.on('count', (n) => heard.push(n));
  emitter.emit('count', 7);
  expect(heard).toEqual([7]);
  expect(report).toHaveBeenCalledWith(new Error('listener'));
  vi.unstubAllGlobals();
});

test('what is held is told in its order to listeners that came meanwhile, with what their calls emit after it', () => {
  const emitter = new Emitter<Events & { answer: number }>();
  const heard: string[] = [];
  emitter.on('answer', (n) => heard.push(`answer${n}`));
  emitter.hold('answer');
  emitter.emit('count', 1);
  emitter.emit('count', 2);
  emitter.emit('answer', 3);
  expect(heard).toEqual(['answer3']);
  emitter.on('count', (n) => {
    heard.push(`count${n}`);
    if (n === 1) emitter.emit('count', 4);
  });
  emitter.release();
  emitter.emit('count', 5);
  expect(heard).toEqual(['answer3', 'count1', 'count2', 'count4', 'count5']);
});

test('where nobody listens the other way is taken, for what was held as well', () => {
  const emitter = new Emitter<Events>();
  const [lost, heard]: [number[], number[]] = [[], []];
  emitter.emit('count', 1, (n) => lost.push(n));
  emitter.hold();
  emitter.emit('count', 2, (n) => lost.push(n));
  emitter.on('count', (n) => heard.push(n));
  emitter.release();
  expect([lost, heard]).toEqual([[1], [2]]);
});
