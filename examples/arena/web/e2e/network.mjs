import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const HOST = '127.0.0.1';
const PORTS_TRIED = 16;

/**
 * A network between pages and a server, for UDP and TCP at one port of its own, which a test cuts and mends. While it is cut,
 * packets are lost, and TCP connections stand still: nothing of them ends either.
 */
export async function startNetwork(server) {
  for (let tried = 0; tried < PORTS_TRIED; tried++) {
    const udp = createSocket('udp4').bind(0, HOST);
    await once(udp, 'listening');
    const { port } = udp.address();
    const tcp = createServer({ pauseOnConnect: true });
    const listening = await new Promise((done) => tcp.once('error', () => done(false)).listen(port, HOST, () => done(true)));
    if (listening) return new Network(udp, tcp, port, Number(new URL(server.url).port));
    udp.close();
  }
  throw new Error(`${PORTS_TRIED} ports that are free for UDP are taken for TCP`);
}

class Network {
  port;
  #udp;
  #tcp;
  #server;
  /** A socket towards the server for each port of a page. */
  #ways = new Map();
  #sockets = new Set();
  #isCut = false;
  #isDeaf = false;
  #passesUdp = true;
  /** What is done once the network is whole again. */
  #later = [];

  constructor(udp, tcp, port, server) {
    this.port = port;
    this.#server = server;
    this.#udp = udp.on('message', (packet, { port }) => this.#pass(packet, port));
    this.#tcp = tcp.on('connection', (near) => this.#whole(() => this.#join(near)));
  }

  /** From now on nothing passes. */
  cut() {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** Everything passes again, except what is blocked. */
  mend() {
    this.#isCut = this.#isDeaf = false;
    for (const socket of this.#sockets) socket.resume();
    for (const act of this.#later.splice(0)) act();
  }

  /** From now on no UDP passes towards pages; the server hears everything. */
  deafen() {
    this.#isDeaf = true;
  }

  /** From now on no UDP passes, as behind a firewall. */
  blockUdp() {
    this.#passesUdp = false;
  }

  /** The end of that. */
  passUdp() {
    this.#passesUdp = true;
  }

  stop() {
    this.#udp.close();
    this.#tcp.close();
    for (const way of this.#ways.values()) way.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #whole(act) {
    if (this.#isCut) this.#later.push(act);
    else act();
  }

  #pass(packet, port) {
    if (this.#isCut || !this.#passesUdp) return;
    let way = this.#ways.get(port);
    if (!way) {
      way = createSocket('udp4');
      way.on('message', (packet) => {
        if (!this.#isCut && !this.#isDeaf && this.#passesUdp) this.#udp.send(packet, port, HOST);
      });
      // The server may be gone.
      way.on('error', () => {});
      this.#ways.set(port, way);
    }
    way.send(packet, this.#server, HOST);
  }

  #join(near) {
    const far = connect(this.#server, HOST);
    for (const [from, to] of [[near, far], [far, near]]) {
      this.#sockets.add(from);
      from.on('data', (bytes) => to.write(bytes));
      from.on('end', () => this.#whole(() => to.end()));
      from.on('error', () => this.#whole(() => to.destroy()));
      from.on('close', () => this.#sockets.delete(from));
    }
    near.resume();
  }
}
