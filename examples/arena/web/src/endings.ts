import type { ErrorCode } from 'tickwire';

/** An error as the player sees it. */
export interface Ending {
  title: string;
  text: string;
  action: string;
  /** The page is outdated and must be reloaded. */
  reload: boolean;
}

/** The server is gone or full for now, so the page may retry by itself. */
const RETRIED: ReadonlySet<ErrorCode> = new Set([
  'ConnectionLost',
  'ResumeRefused',
  'ServerStopping',
  'Unreachable',
  'ConnectTimeout',
  'ServerFull',
  'NameTaken',
]);
const TRY_AGAIN = { action: 'Try again', reload: false };
const RELOAD = { action: 'Reload the page', reload: true };

const ENDINGS: Partial<Record<ErrorCode, Ending>> = {
  NoWebTransport: {
    ...TRY_AGAIN,
    title: 'This browser cannot play',
    text: 'The address asks for WebTransport, which this browser does not have. Leave that out, or use a current Chrome, Edge, Firefox or Safari.',
  },
  InsecurePage: {
    ...TRY_AGAIN,
    title: 'This address cannot play',
    text: 'The address asks for WebTransport, which browsers allow only on https:// pages and on localhost. Leave that out, or use one of those.',
  },
  ServerFull: { ...TRY_AGAIN, title: 'The server is full', text: 'Every place is taken. You play as soon as one is free.' },
  ServerStopping: { ...TRY_AGAIN, title: 'The server is stopping', text: 'It should be back soon. You play on as soon as it is.' },
  ConnectionLost: {
    ...TRY_AGAIN,
    title: 'The server is gone',
    text: 'The connection was lost. Check your network; the server may also have stopped.',
  },
  ResumeRefused: {
    ...TRY_AGAIN,
    title: 'The server has let you go',
    text: 'It was started anew, or you were away for too long. You play on as soon as you have a seat again.',
  },
  NameTaken: {
    ...TRY_AGAIN,
    title: 'Your old seat is still taken',
    text: 'The server has not noticed yet that you were gone. It frees your name within seconds.',
  },
  RoomFull: {
    ...TRY_AGAIN,
    title: 'The room is full',
    text: 'Every place in this room is taken. Try again, or choose another room on the start page.',
  },
  NoSuchRoom: {
    ...TRY_AGAIN,
    title: 'The room is closed',
    text: 'Everyone left it. Choose another room on the start page.',
  },
  Unreachable: {
    ...TRY_AGAIN,
    title: 'The server cannot be reached',
    text: 'Check that it runs, and that no firewall or VPN blocks its port.',
  },
  ConnectTimeout: { ...TRY_AGAIN, title: 'The server does not answer', text: 'Check your network, then try again.' },
  VersionMismatch: {
    ...RELOAD,
    title: 'Another version',
    text: 'The server was updated and speaks another protocol version than this page. Reload the page to get the new one.',
  },
  SchemaMismatch: {
    ...RELOAD,
    title: 'Another version',
    text: 'The server plays by other rules than this page. Reload the page to get the new one.',
  },
  OriginRefused: {
    ...TRY_AGAIN,
    title: 'This page may not play here',
    text: 'The server takes no pages of this address. Whoever runs it can allow them (allowed_origins).',
  },
  Kicked: { action: 'Play again', reload: false, title: 'You were removed', text: 'The host of the room removed you.' },
  RemovedFromRoom: {
    ...TRY_AGAIN,
    title: 'You were removed',
    text: 'The host of this room removed you a while ago. Choose another room on the start page.',
  },
  RoomFailed: { action: 'Play on', reload: false, title: 'The room stopped', text: 'It had a fault. You can play on in a new one.' },
  TooSlow: { ...TRY_AGAIN, title: 'Too slow', text: 'Your connection could not keep up. Check your network.' },
  WasmFailed: { ...RELOAD, title: 'The page is incomplete', text: 'A part of it could not be loaded. Reload the page.' },
};

/** True if the same request may succeed later, without a change by the player. */
export function canRetry(code: ErrorCode): boolean {
  return RETRIED.has(code);
}

/** The explanation of a code for the player. `text` is the server's own, for codes not listed. */
export function endingOf(code: ErrorCode, text: string): Ending {
  const ending = ENDINGS[code] ?? { ...TRY_AGAIN, title: 'The game ended', text: sentence(text) };
  // The host may have given a reason for the removal.
  return code === 'Kicked' && text ? { ...ending, text: sentence(text) } : ending;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.');
}
