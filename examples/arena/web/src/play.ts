import { Keyboard } from './controls/keyboard';
import { Touch } from './controls/touch';
import type { ArenaClient, ArenaEvent, Controls, Frame, Ship } from './game';
import { ChatPanel } from './hud/chat';
import { Hud } from './hud/hud';
import { Tools } from './hud/tools';
import { Watching } from './hud/watching';
import { Roster } from './roster';
import type { Scene } from './scene/scene';
import type { Sound } from './sound';

/** The player's ways to end a stay. */
export interface PlayActions {
  /** Return to the start page. */
  leave(): void;
  /** Change from watching to playing. */
  join(): void;
}

/** One stay in a room: connects the session, the scene, the controls and the overlay. */
export class Play {
  /** The chat. */
  readonly chat: ChatPanel;
  readonly #client: ArenaClient;
  readonly #scene: Scene;
  readonly #sound: Sound;
  readonly #hud = new Hud();
  readonly #roster: Roster;
  readonly #keyboard: Keyboard;
  readonly #touch: Touch;
  readonly #tools: Tools;
  readonly #actions: PlayActions;
  #watching: Watching | undefined;
  readonly #off: (() => void)[];
  /** Losses of other players, until the shown tick reaches them. */
  #ahead: ArenaEvent[] = [];
  #frame: Frame;

  /** Create it before the client asks for a seat, so that early messages are not missed. */
  constructor(client: ArenaClient, scene: Scene, sound: Sound, actions: PlayActions) {
    this.#client = client;
    this.#scene = scene;
    this.#sound = sound;
    this.#actions = actions;
    this.#roster = new Roster(client);
    this.#frame = this.#makeFrame(performance.now(), 0);
    this.chat = new ChatPanel((text) => void this.#say(text));
    this.#keyboard = new Keyboard((code) => this.#press(code));
    this.#touch = new Touch(() => this.chat.open());
    this.#tools = new Tools(
      { leave: actions.leave, sound: () => sound.toggle(), stats: () => this.#hud.toggleStats() },
      { sound: sound.isOn, stats: this.#hud.showsStats },
    );
    this.#off = [
      client.on('event', (event) => this.#take(event)),
      client.on('message', ({ from, name, to, text }) =>
        this.chat.add({ kind: 'message', name, team: this.#roster.teamOf(from), private: to !== undefined, text }),
      ),
      client.on('chatNotice', ({ text }) => this.chat.add({ kind: 'notice', text })),
      client.on('notice', (text) => this.#hud.announce(text)),
      client.on('refused', ({ text }) => this.chat.add({ kind: 'refused', text })),
    ];
  }

  /** Starts once the client has a seat. */
  begin(): void {
    const { me, room } = this.#client;
    if (me?.spectator) this.#watching = new Watching(room, this.#actions.join);
    this.#hud.show();
    this.#touch.begin();
  }

  /** Draws one frame. */
  draw(nowMs: number, seconds: number): void {
    const before = this.#frame.followed;
    if (!this.#watching) this.#client.setInput(this.#controls());
    this.#client.update(nowMs);
    this.#roster.update();
    this.#frame = this.#makeFrame(nowMs, seconds);
    this.#catchUp();
    const { followed } = this.#frame;
    if (!before && followed) this.#scene.camera.jump(followed.pos);
    this.#scene.draw(this.#frame);
    this.#hud.draw(this.#frame, this.#scene.camera, () => this.#client.stats());
    this.#watching?.draw(this.#frame);
    this.#sound.draw(this.#frame);
  }

  /** Removes everything. */
  stop(): void {
    for (const off of this.#off) off();
    this.#keyboard.stop();
    this.#touch.stop();
    this.#tools.stop();
    this.#watching?.stop();
    this.chat.stop();
    this.#hud.stop();
    this.#sound.silence();
  }

  #makeFrame(nowMs: number, seconds: number): Frame {
    const { entities, player, isReconnecting } = this.#client;
    const own = entities.mine('Ship');
    return { nowMs, seconds, entities, player, isReconnecting, own, followed: own ?? this.#bestShip(), roster: this.#roster };
  }

  /** The best pilot's ship, around which the server shows the world to spectators. */
  #bestShip(): Ship | undefined {
    if (!this.#watching) return undefined;
    const { entities } = this.#client;
    const best = entities.of('Leader').find(({ rank }) => rank === 0);
    return entities.of('Ship').find(({ id }) => id === best?.player);
  }

  #controls(): Controls {
    const keys = this.#keyboard.read();
    const thumbs = this.#touch.read(this.#frame.own?.heading);
    return {
      turn: keys.turn || thumbs.turn,
      thrust: keys.thrust || thumbs.thrust,
      brake: keys.brake,
      fire: keys.fire || thumbs.fire,
    };
  }

  #take(event: ArenaEvent): void {
    if (event.kind === 'Kill' && event.victim !== this.#client.player) this.#ahead.push(event);
    else this.#play(event);
  }

  #catchUp(): void {
    const tick = this.#client.shownTick ?? 0;
    const due = this.#ahead.filter((event) => event.tick <= tick);
    if (due.length === 0) return;
    this.#ahead = this.#ahead.filter((event) => event.tick > tick);
    for (const event of due) this.#play(event);
  }

  #play(event: ArenaEvent): void {
    this.#scene.play(event, this.#frame);
    this.#hud.play(event, this.#frame);
    this.#sound.play(event, this.#scene.camera, this.#frame);
  }

  #press(code: string): boolean {
    if (code === 'Enter' || code === 'NumpadEnter') this.chat.open();
    else if (code === 'KeyM') this.#hud.announce(this.#tools.toggleSound() ? 'Sound on' : 'Sound off');
    else if (code === 'KeyN') this.#tools.toggleStats();
    // A game event reports success; a refusal is an event of the client.
    else if (code === 'KeyX') void this.#client.command('ChangeTeam');
    else return false;
    return true;
  }

  /**
   * Sends `/w name text` to one person, anything else to the room. A refusal is reported as an
   * event.
   */
  async #say(text: string): Promise<void> {
    const [, name, rest] = /^\/w\s+(\S+)\s+(.+)$/.exec(text) ?? [];
    const to = [...this.#client.members.values()].find((member) => member.name === name);
    if (name !== undefined && !to) return this.chat.add({ kind: 'refused', text: `nobody here is called ${name}` });
    const sent = to && rest ? this.#client.chat.tell(to.player, rest) : this.#client.chat.send(text);
    await sent.catch(() => {});
  }
}
