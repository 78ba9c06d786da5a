/** Transports carry bytes to the server. They know nothing of games, rooms or frames. */

/** The transport of a connection: a WebSocket where the network blocks UDP. */
export type TransportKind = 'webtransport' | 'websocket';

/**
 * Receives a transport's reports. Called from its reading loops, never from inside its own methods.
 */
export interface TransportHandler {
  /** Bytes of the control stream, as they arrived. */
  onControl(bytes: Uint8Array): void;
  /** Bytes of the chat stream, as they arrived. */
  onChat(bytes: Uint8Array): void;
  /** Bytes of the static stream, as they came. */
  onStatic(bytes: Uint8Array): void;
  /** Bytes of the topics stream, as they came. */
  onTopics(bytes: Uint8Array): void;
  /** One datagram. */
  onDatagram(bytes: Uint8Array): void;
  /** The end: nothing more will come. Called once, last. */
  onClosed(end: TransportEnd): void;
}

/** The end of a transport. */
export interface TransportEnd {
  /** The number of the peer's close code, if it gave one. */
  closeCode?: number | undefined;
  /** The reason that the peer or the browser gave. */
  reason: string;
}

/** An open connection: ordered byte streams and unreliable datagrams. */
export interface Transport {
  /** The kind of this transport. */
  readonly kind: TransportKind;
  /** Datagrams dropped because earlier ones were still waiting to be sent. */
  readonly datagramsDropped: number;
  /** Starts reading. Called once. */
  start(handler: TransportHandler): void;
  /** Queues bytes on the control stream. */
  sendControl(bytes: Uint8Array): void;
  /** Queues bytes on the chat stream. */
  sendChat(bytes: Uint8Array): void;
  /** Queues bytes on the static stream, which is opened with the first. */
  sendStatic(bytes: Uint8Array): void;
  /** Queues bytes on the topics stream, which is opened with the first. */
  sendTopics(bytes: Uint8Array): void;
  /** Sends a datagram now, or drops it. */
  sendDatagram(bytes: Uint8Array): void;
  /** Sends what is queued, then closes with a number and a reason. */
  close(closeCode: number, reason: string): Promise<void>;
}
