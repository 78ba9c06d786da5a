import { Container, Sprite, Texture } from 'pixi.js';
import type { Frame, Ship, Team } from '../game';
import { DANGER, OVERDRIVE, REPAIR, TEAM_COLORS } from '../palette';
import type { Camera } from './camera';
import type { Effects } from './effects';
import { NamePlate } from './name-plate';
import { DETAIL, type Textures } from './textures';
import { Views } from './views';

const BAR_PIXELS = 34;
const LABEL_UNITS = 30;
const FLASH_SECONDS = 0.14;
/** Puffs of exhaust a second. */
const EXHAUST_HZ = 60;

interface ShipView {
  body: Container;
  hull: Sprite;
  flash: Sprite;
  halo: Sprite;
  flame: Sprite;
  shield: Sprite;
  label: Container;
  name: NamePlate;
  bar: Sprite;
  barBack: Sprite;
  team: Team;
  flashSeconds: number;
}

/** All ships with their flames, shields, names and health. */
export class Ships {
  readonly #bodies = new Container();
  readonly #labels: Container;
  readonly #textures: Textures;
  readonly #effects: Effects;
  readonly #views: Views<Ship, ShipView>;

  /** Bodies are in the world, labels above everything in pixels. */
  constructor(world: Container, labels: Container, textures: Textures, effects: Effects) {
    world.addChild(this.#bodies);
    this.#labels = labels;
    this.#textures = textures;
    this.#effects = effects;
    this.#views = new Views<Ship, ShipView>(
      (ship) => this.#make(ship),
      ({ body, label, name }) => {
        name.destroy();
        body.destroy({ children: true });
        label.destroy({ children: true });
      },
    );
  }

  /** Draws all ships. */
  draw(frame: Frame, camera: Camera): void {
    this.#views.sync(frame.entities.of('Ship'), (view, ship, fresh) => {
      if (view.team !== ship.team) this.#paint(view, ship.team);
      if (fresh && ship.shielded) this.#effects.launch(ship.pos, colorOf(ship));
      this.#drawBody(view, ship, frame);
      this.#drawLabel(view, ship, frame, camera);
      view.body.alpha = view.label.alpha = ship.presence;
    });
  }

  /** Shows that a ship was hit. */
  flash(player: number): void {
    const view = this.#views.get(player);
    if (view) view.flashSeconds = FLASH_SECONDS;
  }

  #make(ship: Ship): ShipView {
    const { glow, flame, bubble } = this.#textures;
    const light = (texture: Texture) => new Sprite({ texture, anchor: 0.5, blendMode: 'add' });
    const hull = new Sprite({ anchor: 0.5, scale: 1 / DETAIL });
    const flash = new Sprite({ anchor: 0.5, scale: 1 / DETAIL, blendMode: 'add', alpha: 0 });
    const view: ShipView = {
      body: new Container(),
      hull,
      flash,
      halo: light(glow),
      flame: new Sprite({ texture: flame, anchor: { x: 0.96, y: 0.5 }, position: { x: -10, y: 0 }, blendMode: 'add' }),
      shield: light(bubble),
      label: new Container(),
      name: new NamePlate(),
      bar: new Sprite({ texture: Texture.WHITE, anchor: { x: 0, y: 0.5 } }),
      barBack: new Sprite({ texture: Texture.WHITE, anchor: 0.5, tint: 0x0a1122, alpha: 0.75 }),
      team: ship.team,
      flashSeconds: 0,
    };
    view.body.addChild(view.halo, view.flame, hull, flash, view.shield);
    view.label.addChild(view.name.sprite, view.barBack, view.bar);
    this.#bodies.addChild(view.body);
    this.#labels.addChild(view.label);
    this.#paint(view, ship.team);
    return view;
  }

  #paint(view: ShipView, team: Team): void {
    const color = TEAM_COLORS[team];
    view.team = team;
    view.hull.texture = view.flash.texture = this.#textures.ships[team];
    view.halo.tint = view.shield.tint = color;
  }

  #drawBody(view: ShipView, ship: Ship, { nowMs, seconds }: Frame): void {
    const { body, flame, halo, shield, flash } = view;
    body.position.set(ship.pos.x, -ship.pos.y);
    body.rotation = -ship.heading;
    halo.setSize(ship.overdrive ? 130 : ship.mine ? 110 : 90);
    halo.alpha = (ship.overdrive ? 0.5 : ship.mine ? 0.36 : 0.24) + 0.05 * Math.sin(nowMs / 160 + ship.id);
    halo.tint = ship.overdrive ? OVERDRIVE : colorOf(ship);
    flame.visible = ship.thrusting;
    if (ship.thrusting) {
      flame.tint = ship.overdrive ? OVERDRIVE : colorOf(ship);
      flame.setSize(34 + 12 * Math.random(), 15 + 3 * Math.random());
      if (Math.random() < seconds * EXHAUST_HZ) this.#effects.exhaust(ship.pos, ship.vel, ship.heading, flame.tint);
    }
    shield.visible = ship.shielded;
    shield.setSize(62 + 3 * Math.sin(nowMs / 120));
    shield.alpha = 0.65 + 0.25 * Math.sin(nowMs / 90);
    view.flashSeconds = Math.max(0, view.flashSeconds - seconds);
    flash.alpha = view.flashSeconds / FLASH_SECONDS;
  }

  #drawLabel(view: ShipView, ship: Ship, frame: Frame, camera: Camera): void {
    const { label, name, bar, barBack } = view;
    const at = camera.toScreen(ship.pos);
    label.position.set(Math.round(at.x), Math.round(at.y - LABEL_UNITS * camera.scale));
    name.show(ship.mine ? '' : frame.roster.nameOf(ship.id));
    name.sprite.tint = colorOf(ship);
    const hurt = ship.health < 100 && !ship.mine;
    bar.visible = barBack.visible = hurt;
    if (!hurt) return;
    const share = ship.health / 100;
    barBack.setSize(BAR_PIXELS + 2, 5);
    bar.setSize(BAR_PIXELS * share, 3);
    barBack.position.set(0, 4);
    bar.position.set(-BAR_PIXELS / 2, 4);
    bar.tint = share > 0.5 ? REPAIR : share > 0.25 ? 0xffc04a : DANGER;
  }
}

function colorOf(ship: Ship): number {
  return TEAM_COLORS[ship.team];
}
