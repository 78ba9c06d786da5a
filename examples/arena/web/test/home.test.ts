import { expect, test } from 'vitest';
import { waysHome } from '../src/home';

const ways = (address: string) => waysHome(new URL(address)).map(({ host, transport }) => `${host} ${transport ?? 'any'}`);

test('a page asks the host and port it came from, over whichever transport comes about', () => {
  expect(ways('http://127.0.0.1:4433/')).toEqual(['127.0.0.1:4433 any']);
  expect(ways('https://play.example/?room=court')).toEqual(['play.example any']);
});

test('on localhost both of its addresses are tried over UDP', () => {
  expect(ways('http://localhost:4433/')).toEqual(['localhost:4433 webtransport', '127.0.0.1:4433 any']);
  const only = 'http://localhost:4433/?transport=';
  expect(ways(`${only}webtransport`)).toEqual(['localhost:4433 webtransport', '127.0.0.1:4433 webtransport']);
  expect(ways(`${only}websocket`)).toEqual(['localhost:4433 websocket']);
});

test('the port of a proxy takes the place of the own, over whichever transport comes about, or the one that is asked for', () => {
  expect(ways('http://127.0.0.1:4433/?port=5544')).toEqual(['127.0.0.1:5544 any']);
  expect(ways('http://127.0.0.1:4433/?port=5544&transport=websocket')).toEqual(['127.0.0.1:5544 websocket']);
  const local = 'http://localhost:4433/?port=5544';
  expect(ways(local)).toEqual(['localhost:5544 webtransport', '127.0.0.1:5544 any']);
  expect(ways(`${local}&transport=websocket`)).toEqual(['localhost:5544 websocket']);
});
