// Despite its name it makes PixiJS work without eval, which the server's page policy forbids.
import 'pixi.js/unsafe-eval';
import { Application, Container, Sprite } from 'pixi.js';
import type { Vec2 } from 'tickwire';
import type { ArenaEvent, Frame } from '../game';
import { calm } from '../motion';
import { DANGER, EMBER, TEAM_COLORS } from '../palette';
import { Backdrop } from './backdrop';
import { Camera } from './camera';
import { Effects } from './effects';
import { Quality } from './quality';
import { Ships } from './ships';
import { paintTextures } from './textures';
import { Things } from './things';

const FONT_WAIT_MS = 1500;
const DRIFT_UNITS_PER_SECOND = 14;

/** The canvas and everything drawn into it. */
export class Scene {
  /** The screen's place in the world. */
  readonly camera = new Camera();
  readonly #app: Application;
  readonly #backdrop: Backdrop;
  readonly #world = new Container();
  readonly #effects: Effects;
  readonly #things: Things;
  readonly #ships: Ships;
  readonly #own: Sprite;
  readonly #quality = new Quality();

  private constructor(app: Application) {
    this.#app = app;
    const textures = paintTextures();
    const labels = new Container();
    this.#backdrop = new Backdrop(textures);
    this.#world.addChild(this.#backdrop.ground);
    // Effects are created first, because others use them, and drawn last.
    const over = new Container();
    this.#effects = new Effects(over, textures);
    this.#things = new Things(this.#world, textures, this.#effects);
    this.#own = new Sprite({ texture: textures.ring, anchor: 0.5, alpha: 0.17 });
    this.#own.setSize(60);
    this.#world.addChild(this.#own);
    this.#ships = new Ships(this.#world, labels, textures, this.#effects);
    this.#world.addChild(over);
    app.stage.addChild(this.#backdrop.sky, this.#world, labels);
  }

  /** Creates the canvas in `parent` and keeps it as large. */
  static async create(parent: HTMLElement): Promise<Scene> {
    // Names are painted with the page's font, which must be loaded first.
    await Promise.race([document.fonts.load('600 13px "Chakra Petch"'), new Promise((done) => setTimeout(done, FONT_WAIT_MS))]);
    const app = new Application();
    await app.init({
      resizeTo: parent,
      background: 0x05070f,
      autoDensity: true,
      resolution: fullResolution(),
      preference: 'webgl',
      autoStart: false,
      sharedTicker: false,
    });
    parent.append(app.canvas);
    return new Scene(app);
  }

  /** Draws one frame of the game. */
  draw(frame: Frame): void {
    const { own, followed, seconds, nowMs } = frame;
    this.camera.follow(followed, seconds, nowMs);
    this.#own.visible = own !== undefined;
    if (own) this.#own.position.set(own.pos.x, -own.pos.y);
    this.#place();
    this.#things.draw(frame);
    this.#ships.draw(frame, this.camera);
    this.#effects.draw(seconds);
    this.#render(seconds);
  }

  /** Draws the empty drifting sky: behind the screens before and after the game. */
  idle(seconds: number): void {
    if (!calm()) this.camera.x += DRIFT_UNITS_PER_SECOND * seconds;
    this.#place();
    this.#effects.draw(seconds);
    this.#render(seconds);
  }

  /** Shows an event. */
  play(event: ArenaEvent, frame: Frame): void {
    switch (event.kind) {
      case 'Hit':
        this.#effects.hit(event.pos, colorOf(event.victim, frame) ?? EMBER);
        this.#ships.flash(event.victim);
        if (event.victim === frame.player) this.#shake(0.55);
        return;
      case 'Kill':
        this.#effects.explosion(event.pos, colorOf(event.victim, frame) ?? DANGER);
        this.#shakeFrom(event.pos, event.victim === frame.player ? 1 : 0.7);
        return;
      case 'Crack':
        this.#effects.crack(event.pos, event.size);
        return this.#shakeFrom(event.pos, 0.35);
      case 'Taken':
        return this.#effects.taken(event.pos, event.gift);
      case 'RoundOver':
      case 'TeamChange':
        return;
    }
  }

  #render(seconds: number): void {
    this.#app.render();
    const share = this.#quality.frame(seconds);
    if (share === undefined) return;
    const { renderer, screen } = this.#app;
    renderer.resize(screen.width, screen.height, fullResolution() * share);
  }

  #shakeFrom(at: Vec2, strength: number): void {
    this.#shake(strength * this.camera.nearness(at));
  }

  #shake(strength: number): void {
    if (!calm()) this.camera.shake(strength);
  }

  #place(): void {
    const { camera } = this;
    const { width, height } = this.#app.screen;
    camera.resize(width, height);
    this.#world.scale.set(camera.scale);
    this.#world.position.set(
      width / 2 + camera.shakeX - camera.x * camera.scale,
      height / 2 + camera.shakeY + camera.y * camera.scale,
    );
    this.#backdrop.draw(camera);
  }
}

/** More than two pixels per pixel of the page are invisible, but cost time. */
function fullResolution(): number {
  return Math.min(devicePixelRatio, 2);
}

function colorOf(player: number, { roster }: Frame): number | undefined {
  const team = roster.teamOf(player);
  return team && TEAM_COLORS[team];
}
