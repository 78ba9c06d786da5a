/** How bytes reach the server. Knows nothing of games, rooms or frames. */

/** Which transport a connection uses: a WebSocket where the network lets no UDP through. */
export type TransportKind = 'webtransport' | 'websocket';

/** What a transport reports. Called from its reading loops, never from inside its own methods. */
export interface TransportHandler {
  /** Bytes of the control stream, as they came. */
  onControl(bytes: Uint8Array): void;
  /** Bytes of the chat stream, as they came. */
  onChat(bytes: Uint8Array): void;
  /** One datagram. */
  onDatagram(bytes: Uint8Array): void;
  /** Nothing more will come. Called once, last. */
  onClosed(end: TransportEnd): void;
}

/** How a transport ended. */
export interface TransportEnd {
  /** The number of the peer's close code, if it gave one. */
  closeCode?: number | undefined;
  /** What the peer or the browser said. */
  reason: string;
}

/** An open connection: two ordered byte streams and unreliable datagrams. */
export interface Transport {
  /** Which one it is. */
  readonly kind: TransportKind;
  /** Datagrams that were not sent because earlier ones were still waiting. */
  readonly datagramsDropped: number;
  /** Starts reading. Called once. */
  start(handler: TransportHandler): void;
  /** Queues bytes on the control stream. */
  sendControl(bytes: Uint8Array): void;
  /** Queues bytes on the chat stream. */
  sendChat(bytes: Uint8Array): void;
  /** Sends a datagram now, or drops it. */
  sendDatagram(bytes: Uint8Array): void;
  /** Sends what is queued, then closes with a number and a reason. */
  close(closeCode: number, reason: string): Promise<void>;
}
