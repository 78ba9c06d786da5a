import type { Core, MoveOutcome } from './core.js';
import type { Transport, TransportEnd } from './transport.js';

/** The session that reads its transports. */
export interface Listening {
  readonly core: Core;
  /** Whether a transport carries the session, or the session moves to it; undefined for one that it has left. */
  role(transport: Transport): 'current' | 'next' | undefined;
  /** Bytes of a stream came over the transport that carries it. */
  heardStream(): void;
  /** Runs what reads bytes, then does what follows from them. */
  take(give: () => void): void;
  takeDatagram(bytes: Uint8Array): void;
  /** Bytes came of a stream of the transport that it moves to. */
  moves(outcome: MoveOutcome): void;
  /** The transport that carries it ended. */
  closed(end: TransportEnd): void;
  /** The transport that it moves to ended. */
  nextClosed(): void;
}

/** Reads a transport while it carries the session, or the session moves to it. */
export function listen(transport: Transport, session: Listening): void {
  const { core } = session;
  const route = (current: () => void, next: () => void = () => {}) => {
    const role = session.role(transport);
    if (role === 'current') current();
    else if (role === 'next') next();
  };
  const read = (give: () => void, move?: () => MoveOutcome) =>
    route(
      () => (session.heardStream(), session.take(give)),
      move && (() => session.take(() => session.moves(move()))),
    );
  transport.start({
    onControl: (bytes) =>
      read(
        () => core.onControl(bytes, performance.now()),
        () => core.onMoveControl(bytes, performance.now()),
      ),
    onChat: (bytes) =>
      read(
        () => core.onChat(bytes),
        () => core.onMoveChat(bytes),
      ),
    onStatic: (bytes) => read(() => core.onStatic(bytes)),
    onTopics: (bytes) => read(() => core.onTopics(bytes)),
    onDatagram: (bytes) =>
      route(
        () => session.takeDatagram(bytes),
        () => session.take(() => core.onDatagram(bytes, performance.now())),
      ),
    onClosed: (end) =>
      route(
        () => session.closed(end),
        () => session.take(() => session.nextClosed()),
      ),
  });
}
