import { afterEach, expect, test, vi } from 'vitest';
import { fetchCertificateHashes, fetchDirections, parseCertificateHashes } from '../src/certificates.js';

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

const gone = async () => Promise.reject(new TypeError('fetch failed'));

test("a page's own server that is gone is unreachable, one that sends something else misbehaves", async () => {
  vi.stubGlobal('origin', 'http://play.example:4433');
  vi.stubGlobal('fetch', gone);
  await expect(fetchCertificateHashes('https://play.example:4433/')).rejects.toMatchObject({ code: 'Unreachable' });
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

test.each([
  ['http://play.example:4433', 'https://play.example:4433/', ['http://play.example:4433']],
  ['http://localhost:5173', 'https://localhost:4433/', ['http://localhost:4433', 'https://localhost:4433']],
  ['https://page.example', 'https://play.example:4433/', ['https://play.example:4433']],
  [undefined, 'http://127.0.0.1:4433/', ['http://127.0.0.1:4433']],
  [undefined, 'https://127.0.0.1:4433/', ['http://127.0.0.1:4433', 'https://127.0.0.1:4433']],
])('from a page of %s those of the server at %s are asked of %j', async (origin, url, addresses) => {
  const asked: string[] = [];
  if (origin) vi.stubGlobal('origin', origin);
  vi.stubGlobal('fetch', async (address: string) => {
    asked.push(address);
    return gone();
  });
  const hashes = fetchCertificateHashes(url).catch(({ code }) => code);
  // A server elsewhere that serves no HTTP has a certificate of an authority.
  expect(await hashes).toEqual(origin && url.startsWith(origin.replace('http:', 'https:')) ? 'Unreachable' : []);
  expect(asked).toEqual(addresses.map((address) => `${address}/certificate.json`));
});

test('what cannot be read says where it is, and giving up is told as such', async () => {
  vi.stubGlobal('fetch', async () => new Response('<html>'));
  await expect(fetchCertificateHashes('https://play.example/')).rejects.toThrow('http://play.example/certificate.json is no list');
  const stop = new AbortController();
  stop.abort();
  vi.stubGlobal('fetch', async () => Promise.reject(new DOMException('aborted', 'AbortError')));
  await expect(fetchCertificateHashes('https://play.example/', stop.signal)).rejects.toMatchObject({ code: 'Aborted' });
});

const told = (json: object) => vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ hashes: [], ...json })));

test("a page's own server may say that WebTransport is elsewhere, and no other server may", async () => {
  vi.stubGlobal('origin', 'http://localhost:5173');
  told({ webTransportUrl: 'https://localhost:4433/' });
  expect(await fetchDirections('http://localhost:5173')).toMatchObject({ webTransportUrl: 'https://localhost:4433/' });
  expect((await fetchDirections('https://play.example/')).webTransportUrl).toBeUndefined();
  told({});
  expect((await fetchDirections('http://localhost:5173')).webTransportUrl).toBeUndefined();
  for (const webTransportUrl of ['http://localhost:4433/', 'localhost', 7]) {
    told({ webTransportUrl });
    await expect(fetchDirections('http://localhost:5173')).rejects.toMatchObject({ code: 'ServerMisbehaved' });
  }
});

test('what stands before a server that is gone says so in its own words, if they are plain', async () => {
  const words = 'the game server does not answer';
  vi.stubGlobal('fetch', async () => new Response(words, { status: 503, headers: { 'content-type': 'text/plain' } }));
  await expect(fetchDirections()).rejects.toMatchObject({ code: 'Unreachable', message: words });
  vi.stubGlobal('fetch', async () => new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'content-type': 'text/html' } }));
  await expect(fetchDirections()).rejects.toMatchObject({ code: 'Unreachable', message: expect.not.stringContaining('<') });
});
