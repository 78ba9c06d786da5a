import { afterEach, expect, test, vi } from 'vitest';
import { fetchCertificateHashes, parseCertificateHashes } from '../src/certificates.js';

const HASH = btoa(String.fromCharCode(...Array.from({ length: 32 }, (_, at) => at)));

afterEach(() => vi.unstubAllGlobals());

test('the hashes of the current and the next certificate are read', () => {
  const hashes = [{ algorithm: 'sha-256', value: HASH }, { algorithm: 'sha-256', value: HASH }];
  const read = parseCertificateHashes({ hashes });
  expect(read).toHaveLength(2);
  expect([...read[0]!.value]).toEqual(Array.from({ length: 32 }, (_, at) => at));
});

test.each([
  ['no object', null],
  ['no list', { hashes: 'x' }],
  ['another algorithm', { hashes: [{ algorithm: 'md5', value: HASH }] }],
  ['a short hash', { hashes: [{ algorithm: 'sha-256', value: 'AAAA' }] }],
  ['no base64', { hashes: [{ algorithm: 'sha-256', value: '!' }] }],
])('%s is not a list of hashes', (_, json) => {
  expect(() => parseCertificateHashes(json)).toThrow();
});

test('a server that publishes none has a certificate of an authority', async () => {
  vi.stubGlobal('fetch', async () => new Response('', { status: 404 }));
  expect(await fetchCertificateHashes()).toEqual([]);
});

test('a server that is gone is unreachable, one that sends something else misbehaves', async () => {
  vi.stubGlobal('fetch', async () => Promise.reject(new TypeError('fetch failed')));
  await expect(fetchCertificateHashes()).rejects.toMatchObject({ code: 'Unreachable' });
  vi.stubGlobal('fetch', async () => new Response('<html>'));
  await expect(fetchCertificateHashes()).rejects.toMatchObject({ code: 'ServerMisbehaved' });
});

test('they are asked of the origin, not of the address of a worker made of a blob', async () => {
  const asked = vi.fn(async () => new Response('', { status: 404 }));
  vi.stubGlobal('fetch', asked);
  vi.stubGlobal('origin', 'http://play.example:4433');
  await fetchCertificateHashes();
  expect(asked).toHaveBeenCalledWith('http://play.example:4433/certificate.json', expect.anything());
  vi.stubGlobal('origin', 'null');
  await fetchCertificateHashes();
  expect(asked).toHaveBeenLastCalledWith('/certificate.json', expect.anything());
});
