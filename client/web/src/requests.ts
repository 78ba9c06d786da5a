import type { RefuseCode } from './errors.js';
import { TickwireError } from './errors.js';

/** What can be asked of the server. */
export type RequestKind = 'join' | 'leave' | 'rooms' | 'kick' | 'chat';

interface Pending {
  kind: RequestKind;
  /** For a kick, whom. */
  player?: number | undefined;
  resolve: (value: never) => void;
  reject: (error: TickwireError) => void;
}

const JOIN: readonly RequestKind[] = ['join'];
const IN_ROOM: readonly RequestKind[] = ['leave', 'kick'];
const KICK: readonly RequestKind[] = ['kick'];

/** Which requests a refusal can be the answer to. Those of the chat stream come apart. */
const ANSWERS: Partial<Record<RefuseCode, readonly RequestKind[]>> = {
  NameInvalid: JOIN,
  NameTaken: JOIN,
  RoomFull: JOIN,
  NoSuchRoom: JOIN,
  RoomNameInvalid: JOIN,
  TooManyRooms: JOIN,
  AlreadyInRoom: JOIN,
  NotInRoom: IN_ROOM,
  NoSuchPlayer: KICK,
  NotHost: KICK,
};

/**
 * Requests that wait for their answer. The server answers those of one stream in order, so the
 * oldest of a kind is the one that an answer is for.
 */
export class Requests {
  #pending: Pending[] = [];

  /** A promise of the answer. Not awaiting it is allowed: its rejection is never unhandled. */
  add<T>(kind: RequestKind, player?: number): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      this.#pending.push({ kind, player, resolve: resolve as (value: never) => void, reject });
    });
    promise.catch(() => {});
    return promise;
  }

  /** Answers the oldest request of a kind, if any waits. */
  resolve(kind: RequestKind, value?: unknown): void {
    this.#take((pending) => pending.kind === kind)?.resolve(value as never);
  }

  /** Answers the kick of `player`, if one waits. */
  kicked(player: number): void {
    this.#take((pending) => pending.kind === 'kick' && pending.player === player)?.resolve(undefined as never);
  }

  /** Turns down the oldest request that a refusal on the control stream can be for. */
  refuse(code: RefuseCode, text: string): void {
    const kinds = ANSWERS[code];
    const pending = this.#take(({ kind }) => kind !== 'chat' && (!kinds || kinds.includes(kind)));
    pending?.reject(new TickwireError(code, text));
  }

  /** Turns down the oldest chat message that waits. */
  refuseChat(code: RefuseCode, text: string): void {
    this.#take(({ kind }) => kind === 'chat')?.reject(new TickwireError(code, text));
  }

  /** Turns down everything that waits: the session is over. */
  end(error: TickwireError): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const request of pending) request.reject(error);
  }

  #take(fits: (pending: Pending) => boolean): Pending | undefined {
    const at = this.#pending.findIndex(fits);
    return at < 0 ? undefined : this.#pending.splice(at, 1)[0];
  }
}
