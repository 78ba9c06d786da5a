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
