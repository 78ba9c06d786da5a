import { byId, element, setText } from '../dom';
import type { Ship } from '../game';

const OVERHEATED = 87;

/** The own ship's hull, gun and current effects. */
export class Gauges {
  readonly #root = byId('gauges');
  readonly #health = byId('health-bar');
  readonly #healthText = byId('health-text');
  readonly #heat = byId('heat-bar');
  readonly #heatText = byId('heat-text');
  readonly #badges = byId('badges');
  #shown = '';

  /** Updates the gauges; hidden without a ship. */
  draw(own: Ship | undefined): void {
    this.#root.hidden = !own;
    if (!own) return;
    this.#health.style.transform = `scaleX(${own.health / 100})`;
    this.#health.className = own.health > 50 ? '' : own.health > 25 ? 'fair' : 'bad';
    setText(this.#healthText, String(Math.round(own.health)));
    this.#heat.style.transform = `scaleX(${own.heat / 100})`;
    this.#heat.className = own.heat >= OVERHEATED ? 'bad' : '';
    setText(this.#heatText, String(Math.round(own.heat)));
    const badges = [
      ...(own.shielded ? ['shielded'] : []),
      ...(own.overdrive ? ['overdrive'] : []),
      ...(own.heat >= OVERHEATED ? ['overheated'] : []),
    ];
    if (badges.join() === this.#shown) return;
    this.#shown = badges.join();
    this.#badges.replaceChildren(...badges.map((badge) => element('span', badge, badge)));
  }
}
