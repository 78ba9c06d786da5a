import { afterEach, expect, test, vi } from 'vitest';
import { openWebTransport } from '../src/webtransport.js';

afterEach(() => void vi.unstubAllGlobals());

/** A browser's session that ends, as `closed` says, before it gives a stream. */
function endsAtOnce(closed: Promise<unknown>) {
  class Session {
    ready = Promise.resolve();
    closed = closed;
    createBidirectionalStream = () => Promise.reject(new Error('the session is over'));
    close() {}
  }
  vi.stubGlobal('WebTransport', Session);
  return openWebTransport('https://localhost/', { certificateHashes: [], timeoutMs: 1000 });
}

test('a session that the server closes before its streams are open says why', async () => {
  const opening = endsAtOnce(Promise.resolve({ closeCode: 16, reason: 'not from here' }));
  await expect(opening).rejects.toMatchObject({ code: 'OriginRefused', message: 'not from here' });
});

test('one that ends without a word was not reached', async () => {
  await expect(endsAtOnce(Promise.reject(new Error('lost')))).rejects.toMatchObject({ code: 'Unreachable' });
  await expect(endsAtOnce(new Promise(() => {}))).rejects.toMatchObject({ code: 'Unreachable' });
});

/** How a session that is open reports an end. */
async function endOf(closed: Promise<unknown>) {
  const nothing = () => new ReadableStream<Uint8Array>({ start: (out) => out.close() });
  class Session {
    ready = Promise.resolve();
    closed = closed;
    datagrams = { readable: nothing(), writable: new WritableStream() };
    createBidirectionalStream = async () => ({ readable: nothing(), writable: new WritableStream() });
    close() {}
  }
  vi.stubGlobal('WebTransport', Session);
  const transport = await openWebTransport('https://localhost/', { certificateHashes: [], timeoutMs: 1000 });
  const ignore = () => {};
  return new Promise((onClosed) => transport.start({ onControl: ignore, onChat: ignore, onStatic: ignore, onTopics: ignore, onDatagram: ignore, onClosed }));
}

test('an open session ends by a code, or without one: a code of zero without a word is none', async () => {
  expect(await endOf(Promise.resolve({ closeCode: 1, reason: 'stopping' }))).toEqual({ closeCode: 1, reason: 'stopping' });
  expect(await endOf(Promise.resolve({ closeCode: 0, reason: 'goodbye' }))).toEqual({ closeCode: 0, reason: 'goodbye' });
  expect(await endOf(Promise.resolve({ closeCode: 0, reason: '' }))).toEqual({ closeCode: undefined, reason: '' });
  expect(await endOf(Promise.reject(new Error('lost')))).toEqual({ reason: 'lost' });
});
