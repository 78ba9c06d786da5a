import { byId, setText } from './dom';

/** A private room: its name, its password, and whether it is to be made. */
export interface PrivateRoom {
  readonly room: string;
  readonly password: string;
  readonly makes: boolean;
}

/** The part of the start page that makes a private room, or joins one by its name and password. */
export class PrivateForm {
  readonly #root = byId<HTMLDetailsElement>('private');
  readonly #room = byId<HTMLInputElement>('private-room');
  readonly #password = byId<HTMLInputElement>('private-password');
  readonly #error = byId('private-error');

  /** `enter` gets what is typed. */
  constructor(enter: (room: PrivateRoom) => void) {
    byId('private-form').addEventListener('submit', (event) => {
      event.preventDefault();
      const makes = (event as SubmitEvent).submitter?.id === 'private-make';
      const [room, password] = [this.#room.value.trim(), this.#password.value];
      if (!room || !password) return this.tell('Type the room’s name and its password.');
      this.tell('');
      enter({ room, password, makes });
    });
  }

  /** Shows why the room could not be made or joined. */
  tell(error: string): void {
    setText(this.#error, error);
    if (!error) return;
    this.#root.open = true;
    this.#room.focus();
  }
}
