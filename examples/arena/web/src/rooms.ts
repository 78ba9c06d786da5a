import type { ErrorCode, RoomInfo } from 'tickwire';
import { byId, element, setText } from './dom';
import { endingOf } from './endings';
import type { LobbyView } from './lobby';

interface Row {
  line: HTMLTableRowElement;
  players: HTMLElement;
  spectators: HTMLElement;
  join: HTMLButtonElement;
  isFull: boolean;
}

/** Actions that a person may choose for a room. */
export interface RoomActions {
  join(room: string): void;
  watch(room: string): void;
}

/** The list of rooms on the start page. The focused row stays in place while its numbers change. */
export class RoomList implements LobbyView {
  readonly #table = byId('rooms-table');
  readonly #body = byId('rooms-body');
  readonly #state = byId('rooms-state');
  readonly #actions: RoomActions;
  readonly #rows = new Map<string, Row>();

  /** Empty until the first {@link show}. */
  constructor(actions: RoomActions) {
    this.#actions = actions;
  }

  /** Shows these rooms, in this order. */
  show(rooms: readonly RoomInfo[]): void {
    const names = new Set(rooms.map(({ name }) => name));
    for (const [name, { line }] of this.#rows) {
      if (names.has(name)) continue;
      line.remove();
      this.#rows.delete(name);
    }
    rooms.forEach((room, at) => this.#place(this.#update(room), at));
    this.#table.hidden = rooms.length === 0;
    this.#tell(rooms.length === 0 ? 'No room is open yet. Press Play to open one.' : '');
  }

  /** Shows why there is no list. */
  failed(code: ErrorCode): void {
    this.#clear(`${endingOf(code, 'The rooms are not known').title}. Looking again soon …`);
  }

  /** Shows that requests are paused. */
  paused(): void {
    this.#clear('Nobody was here for a while. The rooms are shown again when you are back.');
  }

  #clear(text: string): void {
    this.#rows.clear();
    this.#body.replaceChildren();
    this.#table.hidden = true;
    this.#tell(text);
  }

  #tell(text: string): void {
    setText(this.#state, text);
    this.#state.hidden = text === '';
  }

  /** Moving the focused row would lose the focus. */
  #place({ line }: Row, at: number): void {
    const there = this.#body.children[at];
    if (there === line || line.contains(document.activeElement)) return;
    this.#body.insertBefore(line, there ?? null);
  }

  #update(room: RoomInfo): Row {
    let row = this.#rows.get(room.name);
    if (!row) this.#rows.set(room.name, (row = this.#make(room.name)));
    const bots = room.bots > 0 ? `, ${room.bots} bots` : '';
    setText(row.players, `${room.players} / ${room.playersMax}${bots}`);
    setText(row.spectators, String(room.spectators));
    row.isFull = room.full;
    setText(row.join, row.isFull ? 'Full' : 'Join');
    row.join.setAttribute('aria-disabled', String(row.isFull));
    return row;
  }

  #make(name: string): Row {
    const line = element('tr');
    const [players, spectators, actions] = [element('td'), element('td'), element('td')];
    const title = element('th', '', name);
    title.scope = 'row';
    const join = roomButton(name, 'Join', () => this.#rows.get(name)?.isFull || this.#actions.join(name));
    const watch = roomButton(name, 'Watch', () => this.#actions.watch(name));
    actions.append(join, watch);
    line.append(title, players, spectators, actions);
    this.#body.append(line);
    return { line, players, spectators, join, isFull: false };
  }
}

function roomButton(room: string, text: string, act: () => void): HTMLButtonElement {
  const button = element('button', 'small', text);
  button.type = 'button';
  // A screen reader reads the room's name with the button.
  button.setAttribute('aria-description', `room ${room}`);
  button.addEventListener('click', act);
  return button;
}
